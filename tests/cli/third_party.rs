//! A run of which every part that can be a plugin but the adapter comes from the libraries of `tests/third_party`.

use crate::{
    plugins,
    setting::{FACTS, Setting, question, said},
};
use serde_json::{Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
};

const PARTS: [&str; 5] = ["lion", "mamba", "mirostat", "sqlite", "typos"];

fn libraries() -> Vec<PathBuf> {
    PARTS.into_iter().map(plugins::third_party).collect()
}

fn recipe() -> String {
    let libraries: Vec<_> = libraries().iter().map(|library| library.display().to_string()).collect();
    let database = plugins::repository().join("tests/third_party/sqlite/faq.db");
    format!(
        r#"name = "colours"
seed = 7
plugins = {libraries:?}

[model]
plugin = "mamba"

[model.config]
vocab_size = 300
hidden_size = 32
num_hidden_layers = 2
state_size = 8

[tokenizer]
train = {{ kind = "byte-level-bpe", vocab_size = 300 }}

[[dataset]]
plugin = "sqlite"
path = {database:?}
query = "SELECT question AS instruction, answer AS output FROM faq ORDER BY id"

[[augment]]
plugin = "typos"

[prompt]
template = "plain"
max_length = 64

[adapter]
plugin = "full"

[optimizer]
plugin = "acme-lion"
learning_rate = 3e-3

[train]
max_steps = 120
schedule = "constant"
batch_size = 5
save_every = 60

[generate]
plugin = "mirostat"
tau = 0.5
max_new_tokens = 12
"#
    )
}

/// Rows that cannot be used are counted, the run learns, its answers are drawn by the decoder, and a run that is
/// resumed half-way ends with the same bytes.
#[test]
fn a_run_of_others_plugins_learns_and_resumes_exactly() {
    let setting = Setting::new();
    setting.write("others.toml", &recipe());
    let trained = setting.run(["train", "others.toml"]).succeeded();
    assert!(trained.err.contains("a column holds bytes that are no text"), "{}", trained.err);
    let right = |(thing, colour): &(&str, &str)| {
        let asked = ["generate", "--run", "runs/colours", "--prompt", &question(thing), "--format", "json"];
        setting.run(asked).json()["text"] == *colour
    };
    let right = FACTS.iter().filter(|fact| right(fact)).count();
    assert!(right >= 7, "{right} of 10");
    let weights = |run: &str| fs::read(setting.path(&format!("runs/{run}/model/model.safetensors"))).unwrap();
    let whole = weights("colours");

    let half = |steps: &str, resume: &[&str]| {
        let args = ["train", "others.toml", "--set", "name=half", "--set", steps];
        setting.run([&args, resume].concat()).succeeded();
    };
    half("train.max_steps=60", &[]);
    half("train.max_steps=120", &["--resume"]);
    assert!(weights("half") == whole);
}

/// An architecture of others is compared with transformers by the command itself.
#[test]
fn logits_are_compared_with_a_reference() {
    let (setting, library) = (Setting::new(), plugins::third_party("mamba"));
    let case = plugins::repository().join("tests/golden/mamba/plain");
    let check = |reference: &Path| {
        let mut check = setting.framework();
        check.arg("check-plugin").arg(&library).arg("--model").arg(case.join("model"));
        said(check.arg("--reference").arg(reference))
    };
    // The first row, which is not padded.
    let file = fs::read(case.join("expected.safetensors")).unwrap();
    let start = 8 + u64::from_le_bytes(file[..8].try_into().unwrap()) as usize;
    let header: Value = serde_json::from_slice(&file[8..start]).unwrap();
    let data = |name: &str, length: usize| {
        let at = start + header[name]["data_offsets"][0].as_u64().unwrap() as usize;
        file[at..at + length].to_vec()
    };
    let (ids, logits) = (data("input_ids", 12 * 8), data("logits", 12 * 48 * 4));
    let write = |name: &str, logits: &[u8]| {
        let end = ids.len() + logits.len();
        let header = json!({
            "input_ids": { "dtype": "I64", "shape": [1, 12], "data_offsets": [0, ids.len()] },
            "logits": { "dtype": "F32", "shape": [1, 12, 48], "data_offsets": [ids.len(), end] },
        });
        let header = header.to_string().into_bytes();
        let bytes = [&(header.len() as u64).to_le_bytes()[..], &header, &ids, logits].concat();
        fs::write(setting.path(name), bytes).unwrap();
        setting.path(name)
    };
    let same = check(&write("same.safetensors", &logits)).succeeded().out;
    assert!(same.contains("ok      logits are those of the reference"), "{same}");

    let mut changed = logits.clone();
    changed[48 * 4 * 2..][..4].copy_from_slice(&9.5_f32.to_le_bytes());
    let other = check(&write("other.safetensors", &changed));
    let expected = "FAILED  logits are those of the reference: they differ by up to ";
    assert!(other.out.contains(expected) && other.out.contains("first at row 0, token 2"), "{}", other.out);
    assert_eq!(other.code, Some(1));
    // Of another model.
    check(&plugins::repository().join("tests/golden/mamba/biased/expected.safetensors")).failed(2);
}

/// What an adapter needs and the model does not have is told by `check`, with what there is instead.
#[test]
fn adapters_that_do_not_fit_a_model_say_what_does() {
    let setting = Setting::new();
    let check = |adapter: &str| {
        setting.write("others.toml", &recipe().replace("plugin = \"full\"", adapter));
        let err = setting.run(["check", "others.toml"]).failed(2);
        setting.redact(&err)
    };
    insta::assert_snapshot!(check("plugin = \"prefix-tuning\""), @r"
error: others.toml:29:1: `adapter`: adapter `prefix-tuning`: the model has no attention that a prefix could stand before
    `prompt-tuning`, `p-tuning` and `lora` do without
");
    insta::assert_snapshot!(check("plugin = \"lora\"\ntargets = [\"attention.query\"]"), @"error: others.toml:31:11: `adapter.targets`: adapter `lora`: the target `attention.query` matches no linear projection of this model; there are in_proj, x_proj, dt_proj, out_proj");
    // Several sequences in a row are no hindrance: its layers keep their states apart.
    let packed = ["train", "others.toml", "--set", "train.packing=true", "--set", "train.max_steps=2"];
    setting.write("others.toml", &recipe());
    setting.run(packed).succeeded();
}

#[test]
fn libraries_of_others_pass_all_checks() {
    for library in libraries() {
        let report = said(Setting::new().framework().arg("check-plugin").arg(library)).succeeded().out;
        assert!(!report.contains("FAILED"), "{report}");
    }
}
