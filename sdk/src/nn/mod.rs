//! Building blocks that architectures share.
//!
//! Each block declares its parameters below a module's name (`declare`) and computes with them (`forward`), under the
//! names that Hugging Face transformers gives them.

mod activation;
mod attention;
mod embedding;
mod experts;
mod feed_forward;
mod norm;
mod rotary;

pub use activation::HiddenAct;
pub use attention::{GroupedAttention, dropout_share, merge_heads, split_heads};
pub use embedding::embed;
pub use experts::Experts;
pub use feed_forward::GatedMlp;
pub use norm::{declare_layer_norm, declare_rms_norm, layer_norm, rms_norm};
pub use rotary::{Rope, RopeConfig, RopeTable, RopeType, Scaling, rotary};
