//! Building blocks that architectures share.
//!
//! Each block declares its parameters in a [`crate::Scope`] when it is made, under the names that Hugging Face
//! transformers gives them, and computes with them in `forward`.

mod activation;
mod attention;
pub mod causal;
mod experts;
mod feed_forward;
mod rotary;

pub use activation::HiddenAct;
pub use attention::{GroupedAttention, GroupedAttentionConfig, dropout_share, merge_heads, split_heads};
pub use experts::{Experts, ExpertsConfig};
pub use feed_forward::{GatedMlp, GatedMlpConfig, Mlp, MlpConfig};
pub use rotary::{Rope, RopeConfig, RopeTable, RopeTables, RopeType, Rotation, Scaling};

use crate::{Ctx, Tensor};

/// What turns hidden states `[batch, time, hidden]` into others of the same shape.
pub trait Layer: Send + Sync + 'static {
    /// The layer's share of a pass.
    fn forward(&self, cx: &Ctx, x: Tensor) -> Tensor;
}
