//! Draws follow the distributions that transformers draws from.

use crate::table::{Table, decoder, generate, golden, read};
use framework_engine::recipe::GenerateSettings;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Prompts that are answered together, and draws in all.
const TOGETHER: usize = 2_000;
const DRAWS: usize = 40_000;

/// How far frequencies of so many draws may be from their probabilities, in total variation. Chance alone makes about
/// a third of it, one token more or less in the nucleus more than twice as much.
const LIMIT: f64 = 0.02;

fn model(golden: &Value) -> Table<impl Fn(&[u32]) -> Vec<f32>> {
    let table: Vec<Vec<f32>> = read(&golden["table"]);
    Table { vocab: table.len(), positions: None, logits: move |row: &[u32]| table[row[row.len() - 1] as usize].clone() }
}

/// How often each token follows the prompt.
fn frequencies(golden: &Value, settings: &Value) -> Vec<f64> {
    let model = model(golden);
    let settings = GenerateSettings { max_new_tokens: 1, ..read(settings) };
    let (decoder, prompt) = (decoder("top-p", json!({})), read::<Vec<u32>>(&golden["prompt"]));
    let mut counts = vec![0.0; model.vocab];
    for seed in 0..DRAWS / TOGETHER {
        for answer in generate(&model, &decoder, &settings, &vec![prompt.clone(); TOGETHER], &[], seed as u64) {
            counts[answer[0] as usize] += 1.0 / DRAWS as f64;
        }
    }
    counts
}

/// Half the sum of the differences.
fn variation(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).sum::<f64>() / 2.0
}

#[test]
fn of_single_tokens() {
    let golden = golden("sampling.json");
    let mut moved = 0;
    for case in golden["cases"].as_array().unwrap() {
        let (settings, expected) = (&case["settings"], read::<Vec<f64>>(&case["probabilities"]));
        let found = frequencies(&golden, settings);
        let impossible = found.iter().zip(&expected).any(|(found, expected)| *found > 0.0 && *expected == 0.0);
        assert!(!impossible, "{settings}: {found:?} has tokens that {expected:?} has not");
        let apart = variation(&found, &expected);
        println!("{settings}: {apart:.4}");
        assert!(apart < LIMIT, "{settings}: {apart} between {found:?} and {expected:?}");
        // The limit tells a nucleus with one token more or less.
        for wrong in case["moved_borders"].as_array().unwrap() {
            let apart = variation(&frequencies(&golden, wrong), &expected);
            println!("    {wrong}: {apart:.4}");
            assert!(apart > 2.0 * LIMIT, "{wrong} is only {apart} from {settings}");
            moved += 1;
        }
    }
    assert!(moved >= 8);
}

/// Beams whose continuations are drawn: the answers come as often as transformers' do.
#[test]
fn of_beams() {
    let golden = golden("sampling.json");
    let case = &golden["beams"];
    let model = model(&golden);
    let settings = GenerateSettings { max_new_tokens: read(&case["max_new_tokens"]), ..read(&case["settings"]) };
    let (prompt, eos) = (read::<Vec<u32>>(&golden["prompt"]), read::<Vec<u32>>(&case["eos_token_id"]));
    let drawn = case["draws"].as_f64().unwrap();
    let answers = case["answers"].as_array().unwrap().iter();
    let expected: BTreeMap<Vec<u32>, f64> =
        answers.map(|a| (read(&a["ids"]), a["count"].as_f64().unwrap() / drawn)).collect();
    let apart = |options: Value, settings: &GenerateSettings| {
        let decoder = decoder("beam", options);
        let mut found: BTreeMap<Vec<u32>, f64> = expected.keys().map(|ids| (ids.clone(), 0.0)).collect();
        for seed in 0..DRAWS / TOGETHER {
            for ids in generate(&model, &decoder, settings, &vec![prompt.clone(); TOGETHER], &eos, seed as u64) {
                *found.entry(ids).or_default() += 1.0 / DRAWS as f64;
            }
        }
        found.iter().map(|(ids, p)| (p - expected.get(ids).unwrap_or(&0.0)).abs()).sum::<f64>() / 2.0
    };
    let options = |sample: bool, beams: u64| json!({ "num_beams": beams, "length_penalty": case["length_penalty"], "sample": sample });
    let right = apart(options(true, 3), &settings);
    println!("beams: {right:.4}");
    assert!(right < LIMIT, "{right}");
    let warmer = GenerateSettings { temperature: 1.0, ..settings.clone() };
    for (what, wrong) in [
        ("without drawing", apart(options(false, 3), &settings)),
        ("with other beams", apart(options(true, 4), &settings)),
        ("at another temperature", apart(options(true, 3), &warmer)),
    ] {
        println!("    {what}: {wrong:.4}");
        assert!(wrong > 2.0 * LIMIT, "{what} it is only {wrong} away");
    }
}
