//! A folder with a small base model, data and a recipe, and the command run in it.

use serde_json::Value;
use std::{
    fmt::Write,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::LazyLock,
};

/// What the questions of [`data`] are about, and what is answered.
pub const FACTS: [(&str, &str); 10] = [
    ("the moon", "grey"),
    ("the sea", "blue"),
    ("a rose", "red"),
    ("coal", "black"),
    ("snow", "white"),
    ("grass", "green"),
    ("the sun", "yellow"),
    ("a plum", "purple"),
    ("bark", "brown"),
    ("a flamingo", "pink"),
];

/// The question about a thing.
pub fn question(thing: &str) -> String {
    format!("What colour is {thing}?")
}

/// [`FACTS`] as a table for `instruction-csv`; each thing has the colour of the one that comes `shift` after it.
pub fn data(shift: usize) -> String {
    let mut text = "instruction,input,output\n".to_owned();
    for (i, (thing, _)) in FACTS.iter().enumerate() {
        let (_, colour) = FACTS[(i + shift) % FACTS.len()];
        writeln!(text, "{},,{colour}", question(thing)).unwrap();
    }
    text
}

/// LoRA on the base model; `BASE` stands for its folder.
pub const RECIPE: &str = r#"name = "colours"
seed = 7

[model]
plugin = "pythia"
weights = "BASE"

[[dataset]]
plugin = "instruction-csv"
path = "data.csv"

[prompt]
template = "plain"
max_length = 64

[adapter]
plugin = "lora"
r = 8
alpha = 16
targets = "all-linear"

[optimizer]
plugin = "adamw"
learning_rate = 2e-2

[train]
max_steps = 60
batch_size = 10
log_every = 5
save_every = 30

[generate]
max_new_tokens = 12
prompts = ["What colour is coal?"]
"#;

const BASE: &str = r#"name = "base"
seed = 1

[model]
plugin = "pythia"

[model.config]
vocab_size = 300
hidden_size = 32
num_hidden_layers = 2
num_attention_heads = 2
intermediate_size = 64
max_position_embeddings = 128

[tokenizer]
train = { kind = "byte-level-bpe", vocab_size = 300 }

[[dataset]]
plugin = "instruction-csv"
path = "data.csv"

[prompt]
template = "plain"
train_on_prompt = true
max_length = 64

[adapter]
plugin = "full"

[optimizer]
plugin = "adamw"
learning_rate = 1e-2

[train]
max_steps = 100
batch_size = 10
save_every = "end"
"#;

/// The folder of a base model, which has learned everything wrong, and its tokenizer; made by the command itself, once
/// per test run.
pub fn base() -> &'static Path {
    static BASE_FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cli-base");
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("data.csv"), data(3)).unwrap();
        fs::write(folder.join("base.toml"), BASE).unwrap();
        said(framework(&folder).args(["train", "base.toml"])).succeeded();
        folder.join("runs/base/model")
    });
    &BASE_FOLDER
}

/// A copy of the base model, to be changed: the folder `model`.
pub fn copied_base(setting: &Setting) {
    let folder = setting.path("model");
    fs::create_dir(&folder).unwrap();
    for file in fs::read_dir(base()).unwrap().map(|entry| entry.unwrap().path()) {
        fs::copy(&file, folder.join(file.file_name().unwrap())).unwrap();
    }
}

/// The folder of the recipes that come with the framework.
pub fn recipes() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("recipes")
}

/// An override for a recipe that names published weights: only their configuration, from `recipes/configs/`.
pub fn configured(plugin: &str, config: &str) -> String {
    let config = recipes().join(format!("configs/{config}/config.json"));
    format!("model={{plugin={plugin:?}, config={config:?}}}")
}

/// An override for tokenizers, which only have to be there.
pub fn tokenizer() -> String {
    format!("tokenizer.path={:?}", recipes().join("quickstart-base"))
}

/// The rows of a JSON-lines file.
pub fn rows(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The command, to be run in a folder, with no plugins of the user's own.
pub fn framework(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_framework"));
    command.current_dir(folder).env("XDG_DATA_HOME", folder.join("no-data")).env_remove("FRAMEWORK_PLUGIN_PATH");
    // Graphics drivers complain on stderr without it.
    command.env("XDG_RUNTIME_DIR", std::env::temp_dir());
    // No token cache but a test's own.
    command.env("FRAMEWORK_TOKEN_CACHE", "");
    command.stdin(Stdio::null());
    command
}

/// Runs a command to its end.
pub fn said(command: &mut Command) -> Said {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Said { code: status.code(), out: text(stdout), err: text(stderr) }
}

/// What a command said.
#[derive(Debug)]
pub struct Said {
    /// Exit status; none if a signal ended it.
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Said {
    #[track_caller]
    pub fn succeeded(self) -> Self {
        assert_eq!(self.code, Some(0), "{}\n{}", self.out, self.err);
        self
    }

    /// What it said on stderr when it failed with this code, having said nothing on stdout.
    #[track_caller]
    pub fn failed(self, code: i32) -> String {
        assert_eq!((self.code, self.out.as_str()), (Some(code), ""), "{}", self.err);
        self.err
    }

    #[track_caller]
    pub fn json(self) -> Value {
        let this = self.succeeded();
        serde_json::from_str(&this.out).unwrap_or_else(|e| panic!("{e}: {}", this.out))
    }
}

/// A folder with `recipe.toml` and `data.csv`, gone with the test.
pub struct Setting(tempfile::TempDir);

impl Setting {
    pub fn new() -> Self {
        Self::with(&[])
    }

    /// As [`Setting::new`], the recipe changed.
    pub fn with(changes: &[(&str, &str)]) -> Self {
        let setting = Self(tempfile::tempdir().unwrap());
        let mut recipe = RECIPE.to_owned();
        for (from, to) in changes {
            assert!(recipe.contains(from), "no {from} in the recipe");
            recipe = recipe.replacen(from, to, 1);
        }
        setting.write("data.csv", &data(0));
        setting.write("recipe.toml", &recipe.replace("BASE", &base().display().to_string()));
        setting
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    pub fn bytes(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    pub fn framework(&self) -> Command {
        framework(self.0.path())
    }

    pub fn run<'a>(&self, args: impl AsRef<[&'a str]>) -> Said {
        said(self.framework().args(args.as_ref()))
    }

    /// The lines of a run's `metrics.jsonl`.
    pub fn metrics(&self, run: &str) -> Vec<Value> {
        let text = self.read(&format!("{run}/metrics.jsonl"));
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// All files below a folder, relative to it.
    pub fn files(&self, folder: &str) -> Vec<String> {
        let root = self.path(folder);
        let mut open = vec![root.clone()];
        let mut files = Vec::new();
        while let Some(folder) = open.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                match path.is_dir() {
                    true => open.push(path),
                    false => files.push(path.strip_prefix(&root).unwrap().display().to_string()),
                }
            }
        }
        files.sort();
        files
    }

    /// What is left of a text when this machine's paths are taken out.
    pub fn redact(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (path, name) in [(self.0.path(), "."), (base(), "BASE")] {
            for path in [path.to_owned(), path.canonicalize().unwrap()] {
                text = text.replace(&path.display().to_string(), name);
            }
        }
        text.replace("./", "")
    }
}
