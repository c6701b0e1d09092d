//! Where a model's parameters come from.

use framework_base::{Error, Problem, Result};
use framework_recipe::{ModelConfig, Recipe};
use framework_weights as weights;
use framework_weights::{ModelFolder, gguf::GgufModel};
use serde_json::{Map, Value as Json};

/// Where a model's parameters come from.
pub enum ModelSource {
    /// A Hugging Face folder.
    Folder(Box<ModelFolder>),
    /// A GGUF file.
    Gguf(Box<GgufModel>),
    /// A configuration; parameters start as the architecture declares.
    Scratch(Map<String, Json>),
}

impl ModelSource {
    /// What a recipe's `[model]` says.
    pub fn of(recipe: &Recipe) -> Result<Self> {
        Ok(Self::whole(recipe)?.without(&recipe.model.ignore_keys))
    }

    /// The source without some keys of its configuration.
    pub(crate) fn without(mut self, keys: &[String]) -> Self {
        for key in keys {
            match &mut self {
                ModelSource::Folder(folder) => folder.set(key, None),
                // Its configuration is made here, and has no keys that nobody knows.
                ModelSource::Gguf(_) => {}
                ModelSource::Scratch(config) => drop(config.shift_remove(key)),
            }
        }
        self
    }

    fn whole(recipe: &Recipe) -> Result<Self> {
        match (&recipe.model.weights, &recipe.model.config) {
            (Some(folder), _) => Ok(ModelSource::Folder(Box::new(ModelFolder::open(folder)?))),
            (None, Some(ModelConfig::Table(config))) => Ok(ModelSource::Scratch(config.clone())),
            (None, Some(ModelConfig::File(path))) => {
                Ok(ModelSource::Scratch(weights::read_object(path, "").map_err(|e| e.about("model.config"))?))
            }
            (None, None) => Err(Error::invalid(Problem::new("a model needs `weights` or `config`").key("model"))),
        }
    }

    /// The model's `config.json`.
    pub fn config(&self) -> &Map<String, Json> {
        match self {
            ModelSource::Folder(folder) => folder.config(),
            ModelSource::Gguf(model) => model.config(),
            ModelSource::Scratch(config) => config,
        }
    }
}
