//! A plugin that was found.

use framework_core::{
    About, Result,
    ffi::{AdapterObject, AugmenterObject, Build, DatasetObject, DecoderObject, ModelObject, OptimizerObject},
};
use serde::Serialize;
use serde_json::Value;
use std::{
    fmt, io,
    path::PathBuf,
    sync::{Arc, OnceLock},
};

/// Where a plugin comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase", tag = "origin", content = "path")]
pub enum Origin {
    /// Linked into this program.
    Linked,
    /// Loaded from a dynamic library, by its canonical path.
    Library(PathBuf),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Linked => f.write_str("built in"),
            Origin::Library(path) => write!(f, "from {}", path.display()),
        }
    }
}

/// A plugin: what it is, where it comes from, and how it is built.
#[derive(Clone)]
pub struct Entry {
    /// Its description.
    pub about: About,
    /// Where it comes from.
    pub origin: Origin,
    /// How it is built.
    pub build: Build,
    /// The library's SHA-256, once it is known: it is one for all plugins of the library.
    pub(crate) hash: Arc<OnceLock<String>>,
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.label())
    }
}

macro_rules! builder {
    ($($method:ident: $object:ty, $kind:literal;)+) => {$(
        #[doc = concat!("Builds the ", $kind, "; `options` is a JSON object: the recipe's table or, for a model, its `config.json`.")]
        pub fn $method(&self, options: &Value) -> Result<$object> {
            self.build.$method(&self.label(), options)
        }
    )+};
}

impl Entry {
    /// How messages call it: kind and name, and the library's file name if it was loaded.
    pub fn label(&self) -> String {
        match &self.origin {
            Origin::Linked => self.about.label(),
            Origin::Library(path) => {
                let file = path.file_name().unwrap_or(path.as_os_str());
                format!("{} (from {})", self.about.label(), file.to_string_lossy())
            }
        }
    }

    /// The SHA-256 of the library that it comes from, in hexadecimal; none if it is built in.
    pub fn sha256(&self) -> io::Result<Option<String>> {
        let Origin::Library(path) = &self.origin else { return Ok(None) };
        if self.hash.get().is_none() {
            let _ = self.hash.set(crate::hash::sha256(path)?);
        }
        Ok(self.hash.get().cloned())
    }

    builder! {
        dataset: DatasetObject, "dataset";
        augmenter: AugmenterObject, "augmenter";
        model: ModelObject, "model";
        adapter: AdapterObject, "adapter";
        optimizer: OptimizerObject, "optimizer";
        decoder: DecoderObject, "decoder";
    }

    /// Builds the plugin, whatever its kind, and returns all its options, defaults included.
    pub fn fill(&self, options: &Value) -> Result<Value> {
        self.build.fill(self.about.kind, &self.label(), options)
    }

    /// Options of an adapter from PEFT's `adapter_config.json`.
    pub fn adapter_options(&self, peft: &Value) -> Result<Value> {
        self.build.adapter_options(&self.label(), peft)
    }
}
