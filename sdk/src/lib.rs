//! Write a plugin for the framework.
//!
//! A plugin is a struct of options that implements one of six traits, and one line that registers it:
//!
//! ```
//! use framework_sdk::prelude::*;
//!
//! options! {
//!     /// Writes a field in capitals.
//!     pub struct Shout {
//!         /// The field to change.
//!         #[serde(default = "output")]
//!         field: String,
//!     }
//! }
//!
//! fn output() -> String {
//!     "output".into()
//! }
//!
//! impl Augmenter for Shout {
//!     fn augment(&self, records: Records, _seed: u64) -> Result<Records> {
//!         let field = self.field.clone();
//!         Ok(each(records, move |mut record| {
//!             if let Some(Value::String(text)) = record.get_mut(&field) {
//!                 *text = text.to_uppercase();
//!             }
//!             Ok(vec![record])
//!         }))
//!     }
//! }
//!
//! register!(augmenter "shout" => Shout, example = r#"field = "output""#);
//! ```
//!
//! Built as a `cdylib`, the crate is a library that recipes can name; linked into a program, it is found there. Either
//! way it appears in `framework list-plugins`, with its options documented from the comments. [`mod@test`] has the
//! checks that every plugin of a kind should pass.

pub mod adapter;
#[cfg(doctest)]
mod book;
mod export;
#[cfg(feature = "input")]
pub mod input;
mod macros;
pub mod nn;
#[cfg(feature = "test")]
pub mod test;

pub use framework_core::*;
pub use {schemars, serde, serde_json, tracing};

/// Everything a plugin needs.
pub mod prelude {
    pub use crate::{
        Activation, Adapted, Adapter, AdapterPlan, Attach, Attention, Augmenter, Conv, ConvConfig, Ctx, DType, Dataset,
        Decode, DecodeRequest, Decoder, DecoderTraits, Dense, Embedding, FilePath, Heads, Init, Linear, Logits, Merged,
        ModelArch, ModelSpec, Needs, Network, Norm, NormConfig, NormKind, Nothing, Optimizer, Param, PluginError,
        Record, Records, Result, Role, Rotary, Scope, Scores, Site, Sizes, Skipped, StateSpec, Step, Stored, Table,
        Tensor, Update, Weight, each, nn, options, register,
    };
    pub use serde_json::{Value, json};
}
