//! Against transformers, and what a search does besides.

use super::*;
use framework_sdk::{Kind, serde_json, test};

type Logits = Vec<Vec<f32>>;

/// Decodes with logits that depend on a row's tokens; gives the session at its end.
fn run(beam: &Beam, request: &DecodeRequest, logits: impl Fn(&[u32]) -> Vec<f32>) -> Result<Session> {
    let mut session = Session::new(beam, request);
    let mut rows: Vec<Vec<u32>> =
        request.prompts.iter().flat_map(|prompt| vec![prompt.clone(); beam.num_beams]).collect();
    for _ in 0..request.max_new_tokens {
        let scored: Logits = rows.iter().map(|row| log_softmax(logits(row))).collect();
        let ends = |_, token| Ok(request.eos.contains(&token));
        let step = session.step(Scores::new(&scored.concat(), scored[0].len(), &ends))?;
        let next = step.parents.iter().zip(&step.tokens);
        rows = next.map(|(&parent, &token)| [&rows[parent as usize][..], &[token]].concat()).collect();
        if rows.is_empty() {
            break;
        }
    }
    Ok(session)
}

fn log_softmax(mut row: Vec<f32>) -> Vec<f32> {
    let most = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let total: f32 = row.iter().map(|x| (x - most).exp()).sum();
    row.iter_mut().for_each(|x| *x = *x - most - total.ln());
    row
}

fn ids(value: &Value) -> Vec<u32> {
    serde_json::from_value(value.clone()).unwrap()
}

/// All sequences that transformers' search ends with, and their scores, where no logit processor takes part.
#[test]
fn equal_to_transformers() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/beams.json");
    let golden: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let last: Logits = serde_json::from_value(golden["tables"]["last"].clone()).unwrap();
    let last_two: Vec<Logits> = serde_json::from_value(golden["tables"]["last_two"].clone()).unwrap();
    let mut sequences = 0;
    for (number, case) in golden["cases"].as_array().unwrap().iter().enumerate() {
        let of_processors = ["repetition_penalty", "no_repeat_ngram_size", "min_new_tokens"];
        if of_processors.iter().any(|key| case.get(key).is_some()) {
            continue;
        }
        let options = ["num_beams", "length_penalty", "early_stopping"].map(|key| (key.to_owned(), case[key].clone()));
        let beam: Beam = serde_json::from_value(Value::Object(options.into_iter().collect())).unwrap();
        let request = DecodeRequest::new(
            case["prompts"].as_array().unwrap().iter().map(ids).collect(),
            ids(&case["eos_token_id"]),
            case["max_new_tokens"].as_u64().unwrap() as usize,
            0,
        );
        let logits = |row: &[u32]| match case["table"].as_str() {
            Some("last") => last[row[row.len() - 1] as usize].clone(),
            _ => last_two[row[row.len() - 2] as usize][row[row.len() - 1] as usize].clone(),
        };
        let session = run(&beam, &request, logits).unwrap();
        for (search, expected) in session.searches.iter().zip(case["expected"].as_array().unwrap()) {
            let found: Vec<_> = search.ended().iter().map(|s| s.tokens.clone()).collect();
            let tokens: Vec<_> = expected["ids"].as_array().unwrap().iter().map(ids).collect();
            assert_eq!(found, tokens, "case {number}: {case}");
            for (sequence, score) in search.ended().iter().zip(expected["scores"].as_array().unwrap()) {
                let score = score.as_f64().unwrap() as f32;
                assert!((sequence.score / score - 1.0).abs() < 1e-5, "case {number}: {} {score}", sequence.score);
                sequences += 1;
            }
        }
    }
    assert!(sequences > 60, "only {sequences} sequences were compared");
}

fn beam(options: Value) -> Beam {
    serde_json::from_value(options).unwrap()
}

/// Logits after each token; 0 is the end.
fn table() -> Logits {
    let logit = |from: usize, to: usize| ((from * 7 + to * 5) % 11) as f32 / 3.0;
    (0..8).map(|from| (0..8).map(|to| logit(from, to)).collect()).collect()
}

fn request(prompts: &[&[u32]], seed: u64) -> DecodeRequest {
    let prompts = prompts.iter().map(|p| p.to_vec()).collect();
    DecodeRequest::new(prompts, vec![0], 6, seed)
}

fn answers(beam: &Beam, table: &Logits, request: &DecodeRequest) -> Vec<Vec<u32>> {
    run(beam, request, |row| table[row[row.len() - 1] as usize].clone()).unwrap().finish().unwrap()
}

/// The first token of the best answer is not the likeliest.
#[test]
fn it_finds_what_greedy_misses() {
    let probabilities: [[f32; 5]; 5] = [
        [1.0, 0.0, 0.0, 0.0, 0.0],
        [0.0, 0.0, 0.6, 0.4, 0.0],
        [0.2, 0.0, 0.3, 0.3, 0.2],
        [0.0, 0.0, 0.0, 0.0, 1.0],
        [1.0, 0.0, 0.0, 0.0, 0.0],
    ];
    let table: Logits = probabilities.map(|row| row.map(f32::ln).to_vec()).to_vec();
    let request = DecodeRequest::new(vec![vec![1]], vec![0], 3, 0);
    let found = answers(&beam(json!({ "num_beams": 2, "length_penalty": 0.0 })), &table, &request);
    assert_eq!(found, [[3, 4, 0]]);
    assert_eq!(test::decode("greedy", "", &table, &request).unwrap()[0][0], 2);
}

#[test]
fn prompts_do_not_interfere() {
    let search = beam(json!({ "num_beams": 3 }));
    let prompts: [&[u32]; 3] = [&[1], &[2], &[5]];
    let together = answers(&search, &table(), &request(&prompts, 0));
    for (prompt, answer) in prompts.iter().zip(&together) {
        assert_eq!(answers(&search, &table(), &request(&[prompt], 0)), [&answer[..]]);
    }
    assert!(together.iter().any(|answer| answer.len() != together[0].len()), "none ends earlier: {together:?}");
    let drawn = beam(json!({ "num_beams": 3, "sample": true }));
    let of = |prompts: &[&[u32]]| answers(&drawn, &table(), &request(prompts, 5)).swap_remove(0);
    assert_eq!(of(&prompts), of(&prompts[..1]));
}

#[test]
fn draws_depend_on_the_seed() {
    let beam = beam(json!({ "num_beams": 2, "sample": true }));
    let of = |seed| answers(&beam, &table(), &request(&[&[4], &[4], &[4], &[4]], seed));
    assert_eq!(of(1), of(1));
    assert_ne!(of(1), of(2));
    assert!(of(1).iter().any(|answer| *answer != of(1)[0]), "each prompt has random numbers of its own");
}

/// The first candidate drawn has the probability of its token, the second that of what is left.
#[test]
fn candidates_are_drawn_without_replacement() {
    let probabilities = [0.5_f64, 0.3, 0.15, 0.05];
    let table = vec![probabilities.map(|p| p.ln() as f32).to_vec(); 4];
    let beam = beam(json!({ "num_beams": 2, "sample": true }));
    let mut pairs = [[0_u32; 4]; 4];
    let request = DecodeRequest::new(vec![vec![0]; 20_000], Vec::new(), 1, 3);
    for search in run(&beam, &request, |_| table[0].clone()).unwrap().searches {
        // Both have ended, ordered by their scores: those of the first two drawn of four.
        let [a, b] = search.ended() else { panic!("two sequences end") };
        pairs[a.tokens[0] as usize][b.tokens[0] as usize] += 1;
    }
    let mut apart = 0.0;
    for a in 0..4 {
        for b in a + 1..4 {
            let (p, q) = (probabilities[a], probabilities[b]);
            let expected = p * q / (1.0 - p) + q * p / (1.0 - q);
            apart += (expected - f64::from(pairs[a][b]) / 20_000.0).abs() / 2.0;
        }
    }
    assert!(apart < 0.01, "{apart}: {pairs:?}");
}

#[test]
fn what_stops_a_row_ends_its_sequence() {
    let beam = beam(json!({ "num_beams": 2 }));
    let request = DecodeRequest::new(vec![vec![1]], Vec::new(), 6, 0);
    let mut session = Session::new(&beam, &request);
    let scores = [[-3.0, -0.1, -9.0], [-3.0, -0.1, -9.0]].concat();
    // Row 0 is finished with token 1; token 0 goes on.
    let step = session.step(Scores::new(&scores, 3, &|row, token| Ok((row, token) == (0, 1)))).unwrap();
    assert_eq!((step.tokens, step.parents), (vec![0, 2], vec![0, 0]));
    assert_eq!(session.finish().unwrap(), [[1]]);
}

#[test]
fn what_cannot_be_decoded_is_an_error() {
    let beam = beam(json!({ "num_beams": 2 }));
    let fails = |row: [f32; 2]| run(&beam, &request(&[&[1]], 0), |_| row.to_vec()).err().unwrap().message;
    assert!(fails([0.0, f32::NAN]).starts_with("prompt 1: the score of token 0 is NaN"));
    let mut session = Session::new(&beam, &request(&[&[1]], 0));
    let excluded = [f32::NEG_INFINITY; 4];
    let error = session.step(Scores::new(&excluded, 2, &|_, _| Ok(false))).unwrap_err().message;
    assert!(error.starts_with("prompt 1: no token is left to choose"), "{error}");
    let error = session.step(Scores::new(&excluded[..2], 2, &|_, _| Ok(false))).unwrap_err().message;
    assert_eq!(error, "1 rows of scores for 2 beams");
}

#[test]
fn options_are_checked() {
    let build = test::declaration(Kind::Decoder, "beam").build;
    let options = |options: Value| build.decoder("beam", &options).and_then(|beam| beam.options());
    let filled = json!({ "num_beams": 4, "length_penalty": 1.0, "early_stopping": false, "sample": false });
    assert_eq!(options(json!({})).unwrap(), filled);
    assert_eq!(options(json!({ "early_stopping": "never" })).unwrap()["early_stopping"], "never");
    assert!(options(json!({ "num_beams": 1 })).unwrap_err().message.contains("at least 2 beams"));
    let traits = build.decoder("beam", &json!({ "num_beams": 3, "sample": true })).unwrap().traits().unwrap();
    assert_eq!((traits.rows_per_prompt, traits.sample, traits.log_probs), (3, true, true));
}
