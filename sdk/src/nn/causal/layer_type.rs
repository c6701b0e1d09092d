//! `layer_types` of a configuration.

use crate::{PluginError, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a block sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LayerType {
    /// All tokens before.
    FullAttention,
    /// The last `sliding_window` tokens.
    SlidingAttention,
}

impl LayerType {
    /// Whether a block has a sliding window, if `layer_types` says so.
    pub fn slides(types: &Option<Vec<Self>>, block: usize) -> Option<bool> {
        types.as_ref().map(|types| types.get(block) == Some(&Self::SlidingAttention))
    }

    /// An error unless there is one for each block.
    pub fn one_for_each(types: &Option<Vec<Self>>, blocks: usize) -> Result<()> {
        match types.as_ref().map(Vec::len).filter(|given| *given != blocks) {
            None => Ok(()),
            Some(given) => {
                Err(PluginError::option("layer_types", format!("names {given} of {blocks} `num_hidden_layers`")))
            }
        }
    }
}
