//! Angles against those of transformers, written by tests/reference/rotary.py; what tables may say.

use super::*;
use crate::serde_json::{Value, from_str, from_value, json};

const GOLDEN: &str = include_str!("../../../../tests/golden/rotary.json");

/// A `config.json` read as the architectures do.
fn resolve(head_size: usize, family: &str, config: &Value) -> crate::Result<Rope> {
    let count = |key: &str| config[key].as_u64().map(|n| n as usize);
    let number = |key: &'static str| (key, config[key].as_f64());
    let table = |key: &str| from_value::<Option<RopeTable>>(config[key].clone());
    let (default_positions, default_share) = match family {
        "gpt_neox" => (2048, Some(0.25)),
        "phi3" => (4096, Some(1.0)),
        "llama" => (2048, None),
        other => panic!("{other}?"),
    };
    RopeConfig {
        head_size,
        max_positions: count("max_position_embeddings").unwrap_or(default_positions),
        original: count("original_max_position_embeddings"),
        tables: [&table("rope_parameters")?, &table("rope_scaling")?],
        theta: &[number("rope_theta"), number("rotary_emb_base")],
        default_theta: 10_000.0,
        share: &[number("partial_rotary_factor"), number("rotary_pct")],
        default_share,
    }
    .resolve()
}

fn refused(config: Value) -> String {
    resolve(8, "llama", &config).expect_err("an error").message
}

#[test]
fn angles_are_those_of_transformers() {
    let cases: Vec<Value> = from_str(GOLDEN).unwrap();
    assert!(cases.len() >= 19);
    for case in cases {
        let name = case["name"].as_str().unwrap();
        let family = case["model_type"].as_str().unwrap();
        let rope = resolve(case["head"].as_u64().unwrap() as usize, family, &case["config"]).expect(name);
        for expected in case["expected"].as_array().unwrap() {
            let rotary = rope.at(expected["length"].as_u64().unwrap() as usize);
            let angles: Vec<f64> = from_value(expected["inv_freq"].clone()).unwrap();
            assert_eq!(rotary.inv_freq.len(), angles.len(), "{name}");
            for (i, (ours, theirs)) in rotary.inv_freq.iter().zip(&angles).enumerate() {
                // Two roundings of f32.
                assert!((ours / theirs - 1.0).abs() < 2.5e-7, "{name}, pair {i}: {ours} is not {theirs}");
            }
            let scale = expected["scale"].as_f64().unwrap();
            assert!((rotary.scale / scale - 1.0).abs() < 1e-7, "{name}: scale {} is not {scale}", rotary.scale);
            assert!(!rotary.interleaved);
        }
    }
}

#[test]
fn plain_angles_fall_from_one() {
    let rotary = Rope::plain(4, 100.0).at(1);
    assert_eq!(rotary.inv_freq[..], [1.0, f64::from(0.1_f32)]);
    assert!(!rotary.interleaved && rotary.scale == 1.0);
}

#[test]
fn only_some_types_ask_for_the_length() {
    let long = json!({"type": "longrope", "short_factor": [1, 1, 1, 1], "long_factor": [2, 2, 2, 2]});
    let depends =
        |table: Value| resolve(8, "llama", &json!({"rope_scaling": table})).unwrap().scaling.depends_on_length();
    assert!(depends(long) && depends(json!({"type": "dynamic", "factor": 2})));
    assert!(!depends(json!({"type": "yarn", "factor": 2})) && !depends(json!(null)) && !depends(json!({})));
}

#[test]
fn the_limit_grows_with_the_factor() {
    let limit = |table: Value| resolve(8, "llama", &json!({"rope_scaling": table})).unwrap().limit(100);
    assert_eq!(limit(json!(null)), Some(100));
    assert_eq!(limit(json!({"type": "linear", "factor": 4})), Some(400));
    assert_eq!(limit(json!({"type": "dynamic", "factor": 4})), None);
    let yarn = |n: usize| limit(json!({"type": "yarn", "factor": 4, "original_max_position_embeddings": n}));
    assert_eq!((yarn(64), yarn(16)), (Some(256), Some(100)));
}

/// A folder for both generations of transformers: the older table lacks what the newer one says of the base.
#[test]
fn both_tables_say_the_same() {
    let old = json!({"type": "linear", "factor": 2});
    let new = json!({"rope_type": "linear", "factor": 2.0, "rope_theta": 500.0});
    let both = json!({"rope_parameters": new, "rope_scaling": old, "rope_theta": 500.0});
    let one = json!({"rope_parameters": new});
    assert_eq!(resolve(8, "llama", &both).unwrap(), resolve(8, "llama", &one).unwrap());
}

#[test]
fn what_is_not_understood_is_refused() {
    let table = |table: Value| refused(json!({"rope_scaling": table}));
    assert!(
        table(json!({"type": "proportional"})).starts_with("unknown variant `proportional`, expected one of `default`")
    );
    assert!(table(json!({"type": "default", "mrope_section": [1, 2]})).starts_with("unknown field `mrope_section`"));
    let meaningless = "`factor` means nothing to a rotary embedding of the type `default`";
    assert_eq!(table(json!({"rope_type": "default", "factor": 2.0})), meaningless);
    assert_eq!(table(json!({"type": "linear"})), "a rotary embedding of the type `linear` needs `factor`");
    assert_eq!(
        table(json!({"type": "linear", "factor": -1})),
        "`factor` of the rotary embedding must be greater than 0, not -1"
    );
    assert_eq!(table(json!({"type": "linear", "rope_type": "yarn"})), "`rope_type` is `yarn`, but `type` is `linear`");
    let short = json!({"type": "longrope", "short_factor": [1.0], "long_factor": [1.0]});
    assert_eq!(table(short), "`short_factor` must have a number for each of the 4 pairs, not 1");
    let nested = json!({"rope_type": "default", "rope_theta": 5000.0});
    let twice = json!({"rope_parameters": nested, "rope_theta": 10_000.0});
    assert_eq!(refused(twice), "`rope_parameters.rope_theta` is 5000, but `rope_theta` is 10000");
    let both = json!({"rope_parameters": nested, "rope_scaling": {"type": "linear", "factor": 2}});
    let differ = "`rope_parameters.rope_type` is \"default\", but `rope_scaling.rope_type` is \"linear\"; remove one";
    assert_eq!(refused(both), differ);
    let part = json!({"rope_parameters": {"partial_rotary_factor": 0.5}});
    assert_eq!(refused(part), "`partial_rotary_factor` is 0.5, but this architecture rotates whole heads");
    assert_eq!(refused(json!({"rope_theta": 1.0})), "`rope_theta` must be greater than 1, not 1");
    let odd = resolve(7, "llama", &json!({})).unwrap_err().message;
    assert_eq!(odd, "1 of a head of 7 elements is no number of pairs to rotate");
    let none = resolve(8, "gpt_neox", &json!({"rotary_pct": 0.1})).unwrap_err().message;
    assert_eq!(none, "0.1 of a head of 8 elements is no number of pairs to rotate");
}
