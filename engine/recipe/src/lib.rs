//! The recipe: what a run is made of.
//!
//! [`parse`] reads the text and applies overrides; [`Parsed::plugins`] says which libraries to load;
//! [`Parsed::resolve`] checks everything against the plugins and fills in every default. What comes out is what runs
//! and, as [`Recipe::to_toml`], what is saved with the run. [`Recipe::load`] does all of it.
//!
//! All problems are told at once, in the order of the file, each with its place and what to do about it.

mod aliases;
mod architecture;
mod check;
mod component;
mod generation;
mod json_schema;
mod mismatch;
mod node;
mod objective;
mod overrides;
mod parse;
mod paths;
mod read;
pub mod reference;
mod resolve;
mod rules;
mod save;
mod schema;
mod source;
#[cfg(test)]
mod tests;
mod types;

pub use aliases::foreign_names;
pub use json_schema::json_schema;
pub use parse::{Parsed, parse, parse_text};
pub use types::*;

use framework_base::{Error, Problem, Result, id::Use};
use framework_core::{About, Kind, PluginError};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// The plugins that a recipe can name.
pub trait Catalog {
    /// A plugin's description, or a sentence that says that there is none and what there is.
    fn about(&self, kind: Kind, name: &str) -> Result<About, String>;

    /// The name of the plugin that has this name or alias; none if there is none.
    fn named(&self, kind: Kind, name: &str) -> Option<String> {
        self.about(kind, name).ok().map(|about| about.name)
    }

    /// Builds a plugin from options and returns all its options, defaults included.
    fn fill(&self, kind: Kind, name: &str, options: &Value) -> Result<Value, PluginError>;
}

impl Recipe {
    /// Reads, overrides (`"train.batch_size=4"`), checks and fills a recipe whose plugins are all in `catalog`.
    pub fn load(path: &Path, overrides: &[String], catalog: &dyn Catalog) -> Result<Recipe> {
        parse(path, overrides)?.resolve(catalog)
    }

    /// What may be on the hub, with its key.
    pub fn on_hub(&mut self) -> [(&'static str, Use, &mut Option<PathBuf>); 4] {
        [
            ("model.weights", Use::Model, &mut self.model.weights),
            ("tokenizer.path", Use::Tokenizer, &mut self.tokenizer.path),
            ("adapter.init_from", Use::Adapter, &mut self.adapter.init_from),
            ("objective.teacher", Use::Model, &mut self.objective.teacher),
        ]
    }

    /// What training needs beyond what generation and evaluation do.
    pub fn check_trainable(&self) -> Result<()> {
        if self.dataset.iter().any(|d| d.split == Split::Train) {
            return Ok(());
        }
        let message = match self.dataset.as_slice() {
            [] => "there is nothing to train on",
            _ => "there is nothing to train on: every dataset has split = \"validation\"",
        };
        let help = "add a [[dataset]]; `framework list-plugins --kind dataset` lists the kinds";
        Err(Error::invalid(Problem::new(message).key("dataset").help(help)))
    }
}
