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

/// Within 15 %: where activations are most of it, and where parameters are.
#[test]
fn memory_is_what_the_plan_says() {
    let setting = Setting::new();
    setting.write("rows.jsonl", &rows());
    setting.write("memory.toml", RECIPE);
    for set in [&["train.shuffle=false"][..], &["adapter={plugin=\"full\"}", "train.activation_checkpointing=true"]] {
        let set: Vec<_> = set.iter().flat_map(|s| ["--set", *s]).collect();
        let plan = setting.run([&["check", "memory.toml", "--format", "json"], &set[..]].concat()).json();
        let planned: u64 = plan["memory"].as_object().unwrap().values().filter_map(Value::as_u64).sum();
        setting.run([&["train", "memory.toml"], &set[..]].concat()).succeeded();
        let summary: Value = serde_json::from_str(&setting.read("runs/memory/summary.json")).unwrap();
        let taken = summary["peak_memory_bytes"].as_u64().unwrap_or_else(|| panic!("{summary}"));
        let ratio = taken as f64 / planned as f64;
        assert!((0.85..1.15).contains(&ratio), "{set:?}: {taken} bytes of {planned} planned: {}", plan["memory"]);
    }
}
