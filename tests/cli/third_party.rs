//! A run of which every part that can be a plugin but the adapter comes from the libraries of `tests/third_party`.

use crate::{
    plugins,
    setting::{FACTS, Setting, question, said},
};
use std::path::PathBuf;

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
plugin = "lion"
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
    let weights = |run: &str| std::fs::read(setting.path(&format!("runs/{run}/model/model.safetensors"))).unwrap();
    let whole = weights("colours");

    let half = |steps: &str, resume: &[&str]| {
        let args = ["train", "others.toml", "--set", "name=half", "--set", steps];
        setting.run([&args, resume].concat()).succeeded();
    };
    half("train.max_steps=60", &[]);
    half("train.max_steps=120", &["--resume"]);
    assert!(weights("half") == whole);
}

#[test]
fn libraries_of_others_pass_all_checks() {
    for library in libraries() {
        let report = said(Setting::new().framework().arg("check-plugin").arg(library)).succeeded().out;
        assert!(!report.contains("FAILED"), "{report}");
    }
}
