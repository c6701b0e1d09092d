//! `lock.toml`: what exactly a run was made of.

mod change;

pub use change::Change;

use crate::session::Session;
use framework_base::{
    Error, Problem, Result,
    files::{sha256, sha256_of},
};
use framework_core::{About, Kind};
use framework_recipe::ModelConfig;
use framework_registry::{Entry, Origin};
use framework_text::{
    data::{Corpus, Template},
    tokenizer::Tokenizer,
};
use framework_weights::ModelFolder;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// SHA-256 of files by their names.
type Hashes = BTreeMap<String, String>;

/// Versions and hashes. Files are named by the recipe's key that leads to them and by their own name, so that a lock is
/// the same wherever the files lie.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lock {
    /// Version of the framework.
    pub framework: String,
    /// SHA-256 of the prompt template's source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    /// The tokenizer's files.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tokenizer: Hashes,
    /// The tokens that all this makes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub examples: Option<Examples>,
    /// Every file that a key of the recipe leads to.
    #[serde(default)]
    pub files: BTreeMap<String, Hashes>,
    /// The plugins that take part.
    #[serde(default)]
    pub plugin: Vec<LockedPlugin>,
}

/// SHA-256 of the tokens, labels and weights of all examples.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Examples {
    /// Of those for training.
    pub train: String,
    /// Of those for validation.
    pub validation: String,
}

/// A plugin that takes part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockedPlugin {
    /// Kind.
    pub kind: String,
    /// Name.
    pub name: String,
    /// Version of its crate.
    pub version: String,
    /// `built in`, or the library's path.
    pub origin: String,
    /// SHA-256 of the library.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
}

impl Lock {
    /// What a checked recipe is made of, but for what only reading the data shows. Every file is read once, for its hash.
    pub fn of(session: &Session) -> Result<Self> {
        let recipe = &session.recipe;
        let mut lock = Lock { framework: env!("CARGO_PKG_VERSION").into(), ..Lock::default() };
        for (key, kind, name, options) in used(session) {
            let entry = session.entry(kind, name)?;
            lock.plugin.push(LockedPlugin::of(entry)?);
            for (option, file) in paths(&entry.about, options) {
                lock.add(&format!("{key}.{option}"), &file)?;
            }
        }
        lock.plugin.dedup();
        if let Some(weights) = &recipe.model.weights {
            let folder = ModelFolder::open(weights)?;
            let configs = ["config.json", "generation_config.json"].map(|name| weights.join(name));
            for file in configs.iter().map(PathBuf::as_path).chain(folder.files()) {
                lock.add("model.weights", file)?;
            }
        }
        if let Some(ModelConfig::File(file)) = &recipe.model.config {
            lock.add("model.config", file)?;
        }
        for file in ["adapter_config.json", "adapter_model.safetensors"] {
            if let Some(folder) = &recipe.adapter.init_from {
                lock.add("adapter.init_from", &folder.join(file))?;
            }
        }
        // A model's folder, or a run's with what it has trained.
        for below in ["", "model", "adapter"] {
            let folder = recipe.objective.teacher.iter().map(|teacher| teacher.join(below));
            let files = folder.filter_map(|folder| folder.read_dir().ok()).flatten().flatten();
            for file in files.map(|entry| entry.path()).filter(|path| weighs(path)) {
                lock.add("objective.teacher", &file)?;
            }
        }
        Ok(lock)
    }

    /// The same with what reading the data has shown.
    #[must_use]
    pub fn with(mut self, tokenizer: &Tokenizer, template: &Template, corpus: &Corpus) -> Self {
        self.template = Some(sha256_of(template.source().as_bytes()));
        self.tokenizer = tokenizer.hashes();
        let train = Corpus::hash(&corpus.train, &corpus.train_weights);
        let validation = Corpus::hash(&corpus.validation, &corpus.validation_weights);
        self.examples = Some(Examples { train, validation });
        self
    }

    fn add(&mut self, key: &str, file: &Path) -> Result<()> {
        if file.is_file() {
            let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            self.files.entry(key.to_owned()).or_default().insert(name, sha256(file)?);
        }
        Ok(())
    }

    /// The lock in a file or, without one, of the run in a recipe's `output`.
    ///
    /// # Errors
    /// As [`Lock::read`].
    pub fn of_run(session: &Session, file: Option<&Path>) -> Result<Self> {
        let own = session.recipe.output.join("lock.toml");
        if file.is_none() && !own.is_file() {
            let message = format!("there is no lock of an earlier run: no file {}", own.display());
            let help = "Train once without --locked, or give the lock of another run: --locked=FILE";
            return Err(Error::invalid(Problem::new(message).key("--locked").help(help)));
        }
        Self::read(file.unwrap_or(&own))
    }

    /// Reads a lock.
    ///
    /// # Errors
    /// A file that is not there, or is not a lock: [`Error::Invalid`].
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|e| {
            let message = format!("cannot read {}: {e}", path.display());
            Error::invalid(Problem::new(message).help("A run writes its lock into its folder: lock.toml."))
        })?;
        toml::from_str(&text).map_err(|e| {
            let message = format!("{} is not a run's lock: {}", path.display(), e.message());
            Error::invalid(Problem::new(message).help("Give the lock.toml of a run's folder."))
        })
    }

    /// As it is written.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).unwrap_or_default()
    }

    /// The part that must stay as it is if a run is to go on. That is all but the decoder, which a resume may change, and
    /// but the examples, which change from day to day with a template that tells the date.
    pub(crate) fn lasting(&self) -> Self {
        let mut lock = Self { examples: None, ..self.clone() };
        lock.plugin.retain(|plugin| plugin.kind != Kind::Decoder.name());
        lock
    }

    /// A hash of [`Lock::lasting`], wherever libraries lie.
    pub(crate) fn fingerprint(&self) -> String {
        let mut lock = self.lasting();
        lock.plugin.iter_mut().for_each(|plugin| plugin.origin = plugin.place().to_owned());
        sha256_of(lock.to_toml().as_bytes())
    }
}

/// Whether a file holds weights or says what they are.
fn weighs(path: &Path) -> bool {
    let names = ["config.json", "adapter_config.json", "recipe.toml"];
    let name = path.file_name().and_then(|name| name.to_str());
    name.is_some_and(|name| names.contains(&name) || name.ends_with(".safetensors"))
}

/// The plugins that a recipe uses: the key of each table, kind, name and options.
fn used(session: &Session) -> Vec<(String, Kind, &str, &Map<String, Value>)> {
    static NONE: std::sync::LazyLock<Map<String, Value>> = std::sync::LazyLock::new(Map::new);
    let recipe = &session.recipe;
    let mut used = vec![("model".to_owned(), Kind::Model, recipe.model.plugin.as_str(), &*NONE)];
    used.extend(of_data(session));
    let [adapter, optimizer, generate] = ["adapter", "optimizer", "generate"].map(str::to_owned);
    used.push((adapter, Kind::Adapter, &recipe.adapter.plugin, &recipe.adapter.options));
    used.push((optimizer, Kind::Optimizer, &recipe.optimizer.plugin, &recipe.optimizer.options));
    used.push((generate, Kind::Decoder, &recipe.generate.plugin, &recipe.generate.options));
    used
}

fn of_data(session: &Session) -> impl Iterator<Item = (String, Kind, &str, &Map<String, Value>)> {
    let recipe = &session.recipe;
    let datasets = recipe.dataset.iter().enumerate();
    let datasets = datasets.map(|(i, d)| (format!("dataset.{i}"), Kind::Dataset, d.plugin.as_str(), &d.options));
    let augmenters = recipe.augment.iter().enumerate();
    datasets.chain(augmenters.map(|(i, a)| (format!("augment.{i}"), Kind::Augmenter, a.plugin.as_str(), &a.options)))
}

impl LockedPlugin {
    pub(crate) fn of(entry: &Entry) -> Result<Self> {
        let about = &entry.about;
        let sha256 =
            entry.sha256().map_err(|e| Error::failed(format!("{}: the library cannot be read: {e}", entry.label())))?;
        Ok(Self {
            kind: about.kind.name().into(),
            name: about.name.clone(),
            version: about.version.clone(),
            origin: entry.origin.to_string(),
            sha256,
        })
    }

    /// Whether it is linked in or from a library, wherever that lies.
    fn place(&self) -> &str {
        if self.origin == Origin::Linked.to_string() { &self.origin } else { "from a library" }
    }
}

/// The files that the recipe's datasets and augmenters name.
pub fn read_files(session: &Session) -> Result<Vec<PathBuf>> {
    let named = of_data(session).map(|(_, kind, name, options)| Ok(paths(&session.entry(kind, name)?.about, options)));
    let named: Vec<_> = named.collect::<Result<_>>()?;
    Ok(named.into_iter().flatten().map(|(_, file)| file).collect())
}

/// The files that options of the format `path` name, each with its option; of a folder, the files in it.
fn paths(about: &About, options: &Map<String, Value>) -> Vec<(String, PathBuf)> {
    let is_path = |key: &str| about.schema["properties"][key]["format"] == "path";
    let named = options.iter().filter(|(key, _)| is_path(key)).filter_map(|(key, value)| Some((key, value.as_str()?)));
    let mut files = Vec::new();
    for (key, path) in named.map(|(key, path)| (key, PathBuf::from(path))) {
        match std::fs::read_dir(&path) {
            Ok(entries) => files.extend(entries.flatten().map(|e| (key.clone(), e.path()))),
            Err(_) => files.push((key.clone(), path)),
        }
    }
    files.sort();
    files
}
