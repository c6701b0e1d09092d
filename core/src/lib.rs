//! The contract between the framework and its plugins.
//!
//! Six traits ([`Dataset`], [`Augmenter`], [`ModelArch`], [`Adapter`], [`Optimizer`], [`Decoder`]), the [`Tensor`]
//! handle and the operators it executes, records and errors. Nothing here computes or touches files; the engine does.
//! Plugin authors import `framework-sdk`, which re-exports all of this.

mod about;
mod adapter;
mod attach;
mod augmenter;
mod code;
pub mod config;
#[cfg(feature = "conformance")]
pub mod conformance;
mod context;
mod dataset;
mod decoder;
mod error;
mod features;
pub mod ffi;
mod layer;
#[cfg(feature = "conformance")]
pub mod meta;
mod model;
mod needs;
mod op;
mod optimizer;
mod options;
mod record;
mod recurrent;
#[cfg(feature = "conformance")]
pub mod reference;
mod scope;
mod skipped;
mod tensor;

pub use about::{About, Kind};
pub use adapter::{Adapted, Adapter, AdapterPlan, Merged, Nothing, Site};
pub use attach::Attach;
pub use augmenter::Augmenter;
pub use code::{Activation, DType};
pub use context::Ctx;
pub use dataset::Dataset;
pub use decoder::{Decode, DecodeRequest, Decoder, DecoderTraits, Ends, Scores, Step};
pub use error::{ErrorKind, PluginError, Result, raise};
pub use features::{features, supports};
pub use layer::{Attention, Dense, Embedding, Heads, Linear, Norm, NormConfig, NormKind, Table, Weight};
pub use model::{Alternative, AttentionSpec, Init, ModelArch, ModelSpec, Network, Param, Role, StateSlot, Stored};
pub use needs::Needs;
pub use op::{CtxOp, Op, Rotary};
pub use optimizer::{Optimizer, StateSpec, Update};
pub use options::{FilePath, Options, schema_of};
pub use record::{Record, Records, each};
pub use recurrent::{Conv, ConvConfig, Scan};
pub use scope::{Logits, Scope, Sizes};
pub use skipped::{Omission, Skipped};
pub use tensor::Tensor;
