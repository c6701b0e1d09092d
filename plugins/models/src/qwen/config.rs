//! The options of `qwen`.

use crate::{
    defaults::{initializer_range, rms_norm_eps, silu, window},
    layer_types::LayerType,
};
use framework_sdk::prelude::*;

options! {
    /// Which of the two architectures.
    #[derive(Copy, Eq, Default)]
    #[serde(rename_all = "lowercase")]
    pub enum Generation {
        /// Qwen 1.5, 2 and 2.5: biases of queries, keys and values.
        #[default]
        Qwen2,
        /// Qwen 3: norms of queries and keys.
        Qwen3,
    }
}

options! {
    /// Qwen2 (Yang et al., 2024, arXiv:2407.10671) and Qwen3 (2025, arXiv:2505.09388), without their mixtures of
    /// experts.
    ///
    /// Numbers and parameter names are those of `Qwen2ForCausalLM` and `Qwen3ForCausalLM` in Hugging Face transformers.
    /// The options are their `config.json`, in the layout of any version.
    pub struct Qwen {
        /// `qwen2` or `qwen3`.
        #[serde(default)]
        pub(super) model_type: Generation,
        /// Size of the vocabulary.
        pub(super) vocab_size: usize,
        /// Size of the hidden states.
        pub(super) hidden_size: usize,
        /// Number of blocks.
        pub(super) num_hidden_layers: usize,
        /// Number of attention heads.
        pub(super) num_attention_heads: usize,
        /// Number of key and value heads; null means `num_attention_heads`.
        #[serde(default = "kv_heads")]
        pub(super) num_key_value_heads: Option<usize>,
        /// Size of an attention head. Default: `hidden_size / num_attention_heads` in Qwen2, 128 in Qwen3.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub(super) head_dim: Option<usize>,
        /// Size of the feed-forward layers.
        pub(super) intermediate_size: usize,
        /// Maximum number of positions in a sequence.
        #[serde(default = "max_positions")]
        pub(super) max_position_embeddings: usize,
        /// Whether blocks from `max_window_layers` on use a sliding window.
        #[serde(default)]
        pub(super) use_sliding_window: bool,
        /// Size of the sliding window: in blocks that have one, a token attends to at most this many tokens, itself
        /// included.
        #[serde(default = "window")]
        pub(super) sliding_window: Option<usize>,
        /// Index of the first block with a sliding window; all later blocks have one as well.
        #[serde(default = "max_window_layers")]
        pub(super) max_window_layers: usize,
        /// `full_attention` or `sliding_attention` for each block; takes precedence over `max_window_layers`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub(super) layer_types: Option<Vec<LayerType>>,
        /// Activation of the feed-forward layers: `gelu`, `gelu_new`, `relu` or `silu`.
        #[serde(default = "silu")]
        pub(super) hidden_act: nn::HiddenAct,
        /// Epsilon of the RMS norms, added to the mean square.
        #[serde(default = "rms_norm_eps")]
        pub(super) rms_norm_eps: f64,
        /// Standard deviation of the initial weights when training from scratch.
        #[serde(default = "initializer_range")]
        pub(super) initializer_range: f64,
        /// Qwen3: whether the attention projections have biases.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub(super) attention_bias: Option<bool>,
        /// Whether the vocabulary projection is the embedding table.
        #[serde(default)]
        pub(super) tie_word_embeddings: bool,
        /// Dropout probability of attention weights during training.
        #[serde(default)]
        pub(super) attention_dropout: f64,
        /// Id of the padding token, whose embedding is not trained.
        #[serde(default)]
        pub(super) pad_token_id: Option<i64>,
        /// Base of the rotary frequencies. Default: 10000.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub(super) rope_theta: Option<f64>,
        /// Rotary position embedding, as transformers 5 writes it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub(super) rope_parameters: Option<nn::RopeTable>,
        /// Rotary scaling, as transformers 4 writes it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub(super) rope_scaling: Option<nn::RopeTable>,
        /// Multi-dimensional positions, for images; must be false.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub(super) use_mrope: Option<bool>,
    }
}

fn kv_heads() -> Option<usize> {
    Some(32)
}
fn max_positions() -> usize {
    32_768
}
fn max_window_layers() -> usize {
    28
}
