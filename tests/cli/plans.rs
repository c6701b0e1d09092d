//! What `check` says of a run's memory, against what the run takes.
#![cfg(target_os = "linux")]

use crate::setting::Setting;
use serde_json::Value;
use std::fmt::Write;

const RECIPE: &str = r#"name = "memory"
[model]
plugin = "llama"
[model.config]
vocab_size = 4000
hidden_size = 512
intermediate_size = 1376
num_attention_heads = 8
num_key_value_heads = 4
num_hidden_layers = 6
max_position_embeddings = 512
[tokenizer]
train = { kind = "byte-level-bpe", vocab_size = 280 }
[[dataset]]
plugin = "jsonl"
path = "rows.jsonl"
[prompt]
template = "plain"
max_length = 512
[adapter]
plugin = "lora"
targets = "all-linear"
[train]
max_steps = 2
batch_size = 4
save_every = "end"
"#;

/// Rows of unequal lengths, the longest first.
fn rows() -> String {
    let mut text = String::new();
    for i in 0..8 {
        let output = "alpha beta gamma delta ".repeat(if i % 4 == 0 { 60 } else { 5 + 7 * i });
        writeln!(text, r#"{{"instruction": "say {i}", "output": "{output}"}}"#).unwrap();
    }
    text
}

/// Pairs of such rows.
fn pairs() -> String {
    let mut text = String::new();
    for i in 0..4 {
        let output = "alpha beta gamma delta ".repeat(if i % 2 == 0 { 60 } else { 5 + 7 * i });
        writeln!(text, r#"{{"prompt": "say {i}", "chosen": "{output}", "rejected": "no {output}"}}"#).unwrap();
    }
    text
}

/// Within 15 %: where activations are most of it, and where parameters are.
#[test]
fn memory_is_what_the_plan_says() {
    let setting = Setting::new();
    let full = "adapter={plugin=\"full\"}";
    // With a vocabulary whose logits are most of it.
    let wide = "model.config={vocab_size=20000, hidden_size=64, intermediate_size=128, num_attention_heads=2, \
                num_key_value_heads=2, num_hidden_layers=1, max_position_embeddings=512}";
    for set in [&["train.shuffle=false"][..], &[full, "train.activation_checkpointing=true"], &[wide], &[wide, full]] {
        as_planned(&setting, set);
    }
}

/// Of a vocabulary so large that the logits of all tokens would take 164 MB, and those of a teacher as much again.
#[test]
fn objectives_hold_no_logits_of_all_tokens() {
    let setting = Setting::new();
    let model = "model.config={vocab_size=20000, hidden_size=64, intermediate_size=128, num_attention_heads=2, \
                 num_key_value_heads=2, num_hidden_layers=1, max_position_embeddings=512}";
    let steps = "train.max_steps=1";
    let distillation = "objective={name=\"distillation\", teacher=\"base\", divergence=\"reverse\"}";
    let dpo = ["objective={name=\"dpo\"}", "dataset.0.path=\"pairs.jsonl\"", "train.batch_size=2"];
    // Some 80 MB are the program's and the weights'.
    for (set, most) in [([&[model, steps][..], &dpo].concat(), 110), (vec![model, steps, distillation], 190)] {
        let taken = as_planned(&setting, &set);
        assert!(taken < most << 20, "{set:?} takes {taken} bytes");
    }
}

/// Trains with overrides; returns the bytes that this takes.
fn as_planned(setting: &Setting, set: &[&str]) -> u64 {
    setting.write("rows.jsonl", &rows());
    setting.write("pairs.jsonl", &pairs());
    setting.write("memory.toml", RECIPE);
    let set: Vec<_> = set.iter().flat_map(|s| ["--set", *s]).collect();
    let plan = setting.run([&["check", "memory.toml", "--format", "json"], &set[..]].concat()).json();
    let planned: u64 = plan["memory"].as_object().unwrap().values().filter_map(Value::as_u64).sum();
    setting.run([&["train", "memory.toml"], &set[..]].concat()).succeeded();
    let summary: Value = serde_json::from_str(&setting.read("runs/memory/summary.json")).unwrap();
    let taken = summary["peak_memory_bytes"].as_u64().unwrap_or_else(|| panic!("{summary}"));
    let ratio = taken as f64 / planned as f64;
    assert!((0.85..1.15).contains(&ratio), "{set:?}: {taken} bytes of {planned} planned: {}", plan["memory"]);
    taken
}
