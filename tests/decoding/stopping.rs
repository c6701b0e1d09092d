//! What ends an answer: stop strings, special tokens, the last position.

use crate::table::{Table, decoder};
use framework_engine::{
    Reader,
    generation::Generator,
    recipe::{GenerateSettings, TokenizerKind, TokenizerTraining},
    tokenizer::Tokenizer,
};
use serde_json::json;

const TEXTS: [&str; 3] =
    ["Yes.\n\nUser: And then?", "Well, the fox. User: why", "The dog sleeps; 春天来了 and the fox runs."];

fn tokenizer() -> Tokenizer {
    Tokenizer::train(&TokenizerTraining::new(TokenizerKind::ByteLevelBpe, 300), TEXTS.iter().copied()).unwrap()
}

/// After the prompt `[k]` it says text number `k`.
fn reciting(tokenizer: &Tokenizer) -> Table<impl Fn(&[u32]) -> Vec<f32>> {
    let texts = TEXTS.map(|text| tokenizer.encode(text, false).unwrap());
    let (vocab, end) = (tokenizer.vocab_size(), tokenizer.end());
    let logits = move |row: &[u32]| {
        let next = texts[row[0] as usize].get(row.len() - 1).copied().unwrap_or(end);
        // It hardly ends of itself: beams would take every end that is as likely as all that is not the text.
        let logit = |token| match token {
            token if token == next => 9.0,
            token if token == end => -9.0,
            _ => 0.0,
        };
        (0..vocab as u32).map(logit).collect()
    };
    Table { vocab, positions: None, logits }
}

#[test]
fn stop_strings_end_each_answer_of_a_batch() {
    let tokenizer = tokenizer();
    let model = reciting(&tokenizer);
    let stop = ["\n\n", "User:"].map(str::to_owned).to_vec();
    let settings = GenerateSettings { stop, ..GenerateSettings::default() };
    let reader = Reader::new(&tokenizer, "", &settings);
    let prompts: Vec<Vec<u32>> = (0..3).map(|k| vec![k]).collect();
    for (name, options) in [
        ("greedy", json!({})),
        ("beam", json!({ "num_beams": 2 })),
        ("beam", json!({ "num_beams": 3, "early_stopping": true })),
    ] {
        let decoder = decoder(name, options);
        let generator = Generator::new(&model, &decoder, &settings, &tokenizer.eos, tokenizer.pad).unwrap();
        let generator = generator.stopping(reader).unwrap();
        let mut streamed = vec![Vec::new(); 3];
        let answers = generator.generate(&prompts, 0, &mut |k, token| streamed[k].push(token)).unwrap();
        let texts: Vec<_> = answers.iter().map(|new| reader.text(new).unwrap()).collect();
        assert_eq!(texts, ["Yes.", "Well, the fox. ", TEXTS[2]], "{name}");
        for (k, (answer, text)) in answers.iter().zip(TEXTS).enumerate() {
            // The tokens are those of the text up to the one that completes the stop string, or with the end token.
            let whole = [tokenizer.encode(text, false).unwrap(), vec![tokenizer.end()]].concat();
            assert_eq!(*answer, whole[..answer.len()]);
            assert_eq!(answer.len() == whole.len(), k == 2);
            // The token that ends an answer is not certain to be shown.
            let shown = if name == "greedy" { &answer[..answer.len() - 1] } else { &[] };
            assert_eq!(streamed[k], shown);
        }
    }
}

#[test]
fn a_special_token_can_be_a_stop_string() {
    let tokenizer = tokenizer();
    let model = reciting(&tokenizer);
    let end = tokenizer.token(tokenizer.end()).unwrap();
    let settings = GenerateSettings { stop: vec![end], ..GenerateSettings::default() };
    let greedy = decoder("greedy", json!({}));
    let reader = Reader::new(&tokenizer, "", &settings);
    let new = |eos: &[u32]| {
        let generator = Generator::new(&model, &greedy, &settings, eos, 0).unwrap().stopping(reader).unwrap();
        generator.generate(&[vec![0]], 0, &mut |_, _| {}).unwrap().swap_remove(0)
    };
    assert_eq!(new(&[]), new(&tokenizer.eos));
    assert_eq!(new(&[]).last(), Some(&tokenizer.end()));
    let without = Generator::new(&model, &greedy, &settings, &[], 0).unwrap();
    assert!(without.generate(&[vec![0]], 0, &mut |_, _| {}).unwrap_err().to_string().contains("`stop`"));
}

#[test]
fn an_answer_ends_where_the_positions_do() {
    let tokenizer = tokenizer();
    let model = Table { positions: Some(10), ..reciting(&tokenizer) };
    let settings = GenerateSettings::default();
    for decoder in [decoder("greedy", json!({})), decoder("beam", json!({ "num_beams": 2 }))] {
        let generator = Generator::new(&model, &decoder, &settings, &[], 0).unwrap();
        let new = generator.generate(&[vec![0], vec![2, 7, 7, 7], vec![1; 9]], 0, &mut |_, _| {}).unwrap();
        assert_eq!(new.iter().map(Vec::len).collect::<Vec<_>>(), [9, 6, 1]);
        let error = generator.generate(&[vec![0], vec![0; 10]], 0, &mut |_, _| {}).unwrap_err().to_string();
        assert_eq!(error, "prompt 2 has 10 tokens, but the model has only 10 positions; shorten it");
    }
}
