//! Beam search.

use crate::{
    golden::Golden,
    table::{Table, decoder, generate, golden, read},
};
use framework_engine::recipe::GenerateSettings;
use serde_json::{Value, json};
use std::slice::from_ref;

/// The keys of a case that settings of generation or options of the decoder are.
fn part(case: &Value, keys: &[&str]) -> Value {
    let found = keys.iter().filter_map(|key| Some(((*key).to_owned(), case.get(*key)?.clone())));
    Value::Object(found.collect())
}

/// Every case of the table, with whatever logit processors it has.
#[test]
fn tokens_are_those_of_transformers() {
    let golden = golden("beams.json");
    let last: Vec<Vec<f32>> = read(&golden["tables"]["last"]);
    let last_two: Vec<Vec<Vec<f32>>> = read(&golden["tables"]["last_two"]);
    let vocab = last.len();
    let cases = golden["cases"].as_array().unwrap();
    for (number, case) in cases.iter().enumerate() {
        let logits = |row: &[u32]| match case["table"].as_str() {
            Some("last") => last[row[row.len() - 1] as usize].clone(),
            _ => last_two[row[row.len() - 2] as usize][row[row.len() - 1] as usize].clone(),
        };
        let keys = ["max_new_tokens", "min_new_tokens", "repetition_penalty", "no_repeat_ngram_size"];
        let settings: GenerateSettings = read(&part(case, &keys));
        let beam = decoder("beam", part(case, &["num_beams", "length_penalty", "early_stopping"]));
        let (prompts, eos): (Vec<Vec<u32>>, Vec<u32>) = (read(&case["prompts"]), read(&case["eos_token_id"]));
        let model = Table { vocab, positions: None, logits };
        let expected: Vec<Vec<u32>> =
            case["expected"].as_array().unwrap().iter().map(|answer| read(&answer["ids"][0])).collect();
        assert_eq!(generate(&model, &beam, &settings, &prompts, &eos, 0), expected, "case {number}: {case}");
        // Nor do they change with the prompts beside them.
        for (prompt, expected) in prompts.iter().zip(&expected) {
            let alone = generate(&model, &beam, &settings, from_ref(prompt), &eos, 0);
            assert_eq!(alone, from_ref(expected), "case {number}: {case}");
        }
    }
    assert!(cases.len() >= 50);
}

/// Real models, whose cache follows the beams.
#[test]
fn models_answer_as_in_transformers() {
    let settings = GenerateSettings { max_new_tokens: 20, ..GenerateSettings::default() };
    for golden in Golden::all() {
        let network = golden.network("model", None);
        let prompt = golden.rows("prompts").swap_remove(0);
        let beam = decoder("beam", json!({ "num_beams": 3, "length_penalty": 0.8 }));
        let ends = [golden.token("eos")];
        for (key, eos) in [("beam3", &[][..]), ("beam3_eos", &ends)] {
            let found = generate(&network, &beam, &settings, from_ref(&prompt), eos, 0);
            assert_eq!(found[0], golden.rows(key)[0], "{} {key}", golden.case);
        }
    }
}
