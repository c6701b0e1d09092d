//! The packages of `tests/third_party`, linked into a program and loaded from libraries: the same files to the last bit.

#[path = "../common/plugins.rs"]
mod plugins;

use framework_engine::{
    PluginSources, Session,
    run::read_metrics,
    train::{prepare, train},
};
use lion as _;
use mamba as _;
use mirostat as _;
use plugin_adapters as _;
use sqlite as _;
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};
use typos as _;

const PARTS: [&str; 5] = ["lion", "mamba", "mirostat", "sqlite", "typos"];

const RECIPE: &str = r#"
name = "linked"
seed = 7
model = { plugin = "mamba", config = { vocab_size = 300, hidden_size = 32, num_hidden_layers = 2, state_size = 8 } }
tokenizer.train = { kind = "byte-level-bpe", vocab_size = 300 }
dataset = [{ plugin = "sqlite", path = "faq.db", query = "SELECT question AS instruction, answer AS output FROM faq ORDER BY id" }]
augment = [{ plugin = "typos" }]
data.cache = false

[prompt]
template = "plain"

[adapter]
plugin = "full"

[optimizer]
plugin = "acme-lion"
learning_rate = 3e-3

[train]
max_steps = 20
batch_size = 4
log_every = 1
save_every = 10

[generate]
plugin = "mirostat"
max_new_tokens = 12
prompts = ["What colour is coal?"]

[report]
tensorboard = false
html = false
"#;

/// What tells of times, places and memory.
const OF_THIS_RUN: [&str; 7] =
    ["lock.toml", "recipe.toml", "summary.json", "metrics.jsonl", "state.json", "train.log", "facts.json"];

fn files(folder: &Path, below: &Path, found: &mut BTreeMap<PathBuf, Vec<u8>>) {
    for entry in fs::read_dir(folder.join(below)).unwrap().flatten() {
        let path = below.join(entry.file_name());
        match entry.path().is_dir() {
            true => files(folder, &path, found),
            false => drop(found.insert(path, fs::read(entry.path()).unwrap())),
        }
    }
}

#[test]
fn packages_of_others_give_the_same_files_linked_in_and_loaded() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::copy(plugins::repository().join("tests/third_party/sqlite/faq.db"), path("faq.db")).unwrap();
    fs::write(path("recipe.toml"), RECIPE).unwrap();

    let output = |name: &str| format!("output={}", path(name).display());
    let session = Session::open(&path("recipe.toml"), &[output("linked")], &PluginSources::default()).unwrap();
    train(&prepare(session, &mut |_| {}).unwrap(), false, &mut |_| {}).unwrap();

    let mut command = Command::new(env!("CARGO_BIN_EXE_framework"));
    command.current_dir(folder.path()).args(["train", "recipe.toml", "--set", &output("loaded")]);
    PARTS.into_iter().for_each(|part| {
        command.arg("--plugin").arg(plugins::third_party(part));
    });
    plugins::run(&mut command);

    let [linked, loaded] = ["linked", "loaded"].map(|run| {
        let mut found = BTreeMap::new();
        files(&path(run), Path::new(""), &mut found);
        found
    });
    assert_eq!(linked.keys().collect::<Vec<_>>(), loaded.keys().collect::<Vec<_>>());
    let own = |file: &Path| OF_THIS_RUN.iter().any(|name| file.ends_with(name));
    let compared: Vec<_> = linked.keys().filter(|file| !own(file)).collect();
    for file in &compared {
        assert!(linked[*file] == loaded[*file], "{} differs", file.display());
    }
    for file in ["model/model.safetensors", "samples.md", "checkpoints/step-20/optimizer.safetensors"] {
        assert!(compared.contains(&&PathBuf::from(file)), "{file} is not among {compared:?}");
    }
    let steps = |run: &str| -> Vec<_> {
        let metrics = read_metrics(&path(run).join("metrics.jsonl")).unwrap();
        metrics.iter().map(|step| (step.loss, step.grad_norm)).collect()
    };
    assert_eq!(steps("linked"), steps("loaded"));
    let origins = |run: &str| fs::read_to_string(path(run).join("lock.toml")).unwrap().matches("from /").count();
    assert_eq!((origins("linked"), origins("loaded")), (0, PARTS.len()));
}
