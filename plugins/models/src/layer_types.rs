//! `layer_types` of a configuration.

use framework_sdk::prelude::*;

options! {
    /// What a block sees.
    #[derive(Copy, Eq)]
    #[serde(rename_all = "snake_case")]
    pub enum LayerType {
        /// All tokens before.
        FullAttention,
        /// The last `sliding_window` tokens.
        SlidingAttention,
    }
}

/// An error unless there is one for each block.
pub fn one_for_each(types: Option<&Vec<LayerType>>, blocks: usize) -> Result<()> {
    match types.map(Vec::len).filter(|given| *given != blocks) {
        None => Ok(()),
        Some(given) => {
            Err(PluginError::option("layer_types", format!("names {given} of {blocks} `num_hidden_layers`")))
        }
    }
}
