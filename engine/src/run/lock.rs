//! `lock.toml`: what exactly the run was made of.

use crate::session::Session;
use framework_base::{Error, Result, files::sha256};
use framework_core::{About, Kind};
use framework_registry::Entry;
use framework_weights::ModelFolder;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::{collections::BTreeMap, path::PathBuf};

/// Versions and hashes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lock {
    /// Version of the framework.
    pub framework: String,
    /// SHA-256 of every file that the run reads.
    pub files: BTreeMap<String, String>,
    /// The plugins that take part.
    pub plugin: Vec<LockedPlugin>,
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
    /// `linked in`, or the library's path.
    pub origin: String,
    /// SHA-256 of the library.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
}

impl Lock {
    /// What a checked recipe is made of. Every file is read once, for its hash.
    pub fn of(session: &Session) -> Result<Self> {
        let recipe = &session.recipe;
        let mut used: Vec<(Kind, &str, &Map<String, Value>)> = Vec::new();
        let empty = Map::new();
        used.push((Kind::Model, &recipe.model.plugin, &empty));
        used.extend(recipe.dataset.iter().map(|d| (Kind::Dataset, d.plugin.as_str(), &d.options)));
        used.extend(recipe.augment.iter().map(|a| (Kind::Augmenter, a.plugin.as_str(), &a.options)));
        used.push((Kind::Adapter, &recipe.adapter.plugin, &recipe.adapter.options));
        used.push((Kind::Optimizer, &recipe.optimizer.plugin, &recipe.optimizer.options));
        used.push((Kind::Decoder, &recipe.generate.plugin, &recipe.generate.options));
        let mut lock = Lock { framework: env!("CARGO_PKG_VERSION").into(), ..Lock::default() };
        let mut files = Vec::new();
        for (kind, name, options) in used {
            let entry = session.entry(kind, name)?;
            lock.plugin.push(LockedPlugin::of(entry)?);
            files.extend(paths(&entry.about, options));
        }
        if let Some(weights) = &recipe.model.weights {
            files.push(weights.join("config.json"));
            files.extend(ModelFolder::open(weights)?.files().map(|p| p.to_owned()));
        }
        let tokenizer = recipe.tokenizer.path.as_ref().or(recipe.model.weights.as_ref());
        files.extend(tokenizer.map(|path| if path.is_dir() { path.join("tokenizer.json") } else { path.clone() }));
        files.extend(recipe.adapter.init_from.iter().map(|path| path.join("adapter_model.safetensors")));
        for file in files.iter().filter(|file| file.is_file()) {
            lock.files.insert(file.display().to_string(), sha256(file)?);
        }
        lock.plugin.dedup();
        Ok(lock)
    }

    /// As it is written.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).unwrap_or_default()
    }
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
}

/// The files that the recipe's datasets and augmenters name.
pub fn read_files(session: &Session) -> Result<Vec<PathBuf>> {
    let recipe = &session.recipe;
    let datasets = recipe.dataset.iter().map(|d| (Kind::Dataset, d.plugin.as_str(), &d.options));
    let augmenters = recipe.augment.iter().map(|a| (Kind::Augmenter, a.plugin.as_str(), &a.options));
    let named =
        datasets.chain(augmenters).map(|(kind, name, options)| Ok(paths(&session.entry(kind, name)?.about, options)));
    Ok(named.collect::<Result<Vec<_>>>()?.concat())
}

/// The files that options of the format `path` name; of a folder, the files in it.
fn paths(about: &About, options: &Map<String, Value>) -> Vec<PathBuf> {
    let is_path = |key: &str| about.schema["properties"][key]["format"] == "path";
    let named = options.iter().filter(|(key, _)| is_path(key)).filter_map(|(_, value)| value.as_str());
    let mut files = Vec::new();
    for path in named.map(PathBuf::from) {
        match std::fs::read_dir(&path) {
            Ok(entries) => files.extend(entries.flatten().map(|e| e.path())),
            Err(_) => files.push(path),
        }
    }
    files.sort();
    files
}
