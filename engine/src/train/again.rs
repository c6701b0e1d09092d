//! What a run leaves in memory for the next one of a sweep: tokens, and weights at their start.

use super::Prepared;
use framework_base::{Error, Result};
use framework_executor::{Network, Value};
use framework_recipe::Recipe;
use framework_text::{
    data::{Corpus, Template},
    tokenizer::Tokenizer,
};
use serde_json::Value as Json;
use std::sync::Arc;

/// Keys that the tokens are made of.
const OF_DATA: [&str; 11] = [
    "seed",
    "plugins",
    "model",
    "tokenizer",
    "dataset",
    "augment",
    "prompt",
    "validation",
    "data",
    "objective.name",
    "objective.row_weight",
];
/// Keys that the network is made of.
const OF_NETWORK: [&str; 7] = ["seed", "plugins", "model", "backend", "adapter", "train.freeze", "train.neftune_alpha"];

/// The trained parameters of a network before its first step. They share memory with the network's until those are moved.
pub(super) struct Start(Vec<(String, Value)>);

impl Start {
    pub fn of(network: &Network) -> Result<Self> {
        let value = |name: &String| {
            let value = network.param(name).ok_or_else(|| Error::failed(format!("parameter `{name}` was lost")))?;
            Ok((name.clone(), value))
        };
        network.trained().iter().map(|param| value(&param.name)).collect::<Result<_>>().map(Self)
    }

    /// Puts them back.
    pub fn restore(&self, network: &Network) -> Result<()> {
        self.0.iter().try_for_each(|(name, value)| Ok(network.set(name, value.clone())?))
    }
}

/// A run that is over, or was not begun.
pub(super) struct Earlier {
    pub prepared: Prepared,
    pub start: Start,
}

type Data = (Tokenizer, Template, Corpus);

impl Earlier {
    /// The data and the network, each if this recipe would make the same; the network at its start.
    pub fn shared(self, recipe: &Recipe) -> (Option<Data>, Option<Arc<Network>>) {
        let Prepared { session, corpus, tokenizer, template, network, .. } = self.prepared;
        let [was, is] = [&session.recipe, recipe].map(|recipe| serde_json::to_value(recipe).unwrap_or_default());
        let same = |keys: &[&str]| keys.iter().all(|key| at(&was, key) == at(&is, key));
        let data = same(&OF_DATA).then_some((tokenizer, template, corpus));
        let reused = same(&OF_NETWORK) && self.start.restore(&network).is_ok();
        (data, reused.then_some(network))
    }
}

/// The value of a key in a recipe.
fn at<'a>(recipe: &'a Json, key: &str) -> Option<&'a Json> {
    key.split('.').try_fold(recipe, |value, part| value.get(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A key that the recipe does not have would always be the same.
    #[test]
    fn keys_are_keys_of_the_recipe() {
        let schema = framework_core::schema_of::<Recipe>().to_string();
        for key in OF_DATA.iter().chain(&OF_NETWORK) {
            let last = key.rsplit('.').next().unwrap();
            assert!(schema.contains(&format!("\"{last}\"")), "{key}");
        }
    }
}
