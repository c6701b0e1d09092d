//! The options of `gemma`.

use crate::{
    defaults::{initializer_range, rms_norm_eps, window, yes},
    layer_types::LayerType,
};
use framework_sdk::prelude::*;

options! {
    /// Which of the two architectures.
    #[derive(Copy, Eq, Default)]
    pub enum Generation {
        /// Softcaps on attention scores and logits; every other block has a sliding window.
        #[default]
        #[serde(rename = "gemma2")]
        Gemma2,
        /// Norms of queries and keys; five of six blocks have a sliding window and a rotary base of their own.
        #[serde(rename = "gemma3_text")]
        Gemma3,
    }
}

options! {
    /// Rotary position embedding, as transformers 5 writes it: one for all blocks, or one for each type of block.
    #[serde(untagged)]
    pub enum Rotations {
        /// One for each type.
        Each {
            /// That of the blocks that see everything.
            full_attention: nn::RopeTable,
            /// That of the blocks with a window.
            sliding_attention: nn::RopeTable,
        },
        /// One for all.
        One(nn::RopeTable),
    }
}

options! {
    /// Gemma 2 (2024, arXiv:2408.00118) and the text part of Gemma 3 (2025, arXiv:2503.19786).
    ///
    /// Numbers and parameter names are those of `Gemma2ForCausalLM` and `Gemma3ForCausalLM` in Hugging Face
    /// transformers. The options are their `config.json`, in the layout of any version.
    pub struct Gemma {
        /// `gemma2` or `gemma3_text`.
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
        /// Number of key and value heads.
        pub(super) num_key_value_heads: usize,
        /// Size of an attention head.
        #[serde(default = "head_dim")]
        pub(super) head_dim: usize,
        /// Size of the feed-forward layers.
        pub(super) intermediate_size: usize,
        /// Maximum number of positions in a sequence.
        #[serde(default = "max_positions")]
        pub(super) max_position_embeddings: usize,
        /// Activation of the feed-forward layers: `gelu`, `gelu_new`, `relu` or `silu`.
        #[serde(default = "gelu")]
        pub(super) hidden_activation: nn::HiddenAct,
        /// Occurs in old files; ignored, as in transformers.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub(super) hidden_act: Option<nn::HiddenAct>,
        /// Epsilon of the RMS norms, added to the mean square.
        #[serde(default = "rms_norm_eps")]
        pub(super) rms_norm_eps: f64,
        /// Standard deviation of the initial weights when training from scratch.
        #[serde(default = "initializer_range")]
        pub(super) initializer_range: f64,
        /// Whether the attention projections have biases.
        #[serde(default)]
        pub(super) attention_bias: bool,
        /// Whether the vocabulary projection is the embedding table.
        #[serde(default = "yes")]
        pub(super) tie_word_embeddings: bool,
        /// Dropout probability of attention weights during training.
        #[serde(default)]
        pub(super) attention_dropout: f64,
        /// Id of the padding token, whose embedding is not trained.
        #[serde(default = "padding")]
        pub(super) pad_token_id: Option<i64>,
        /// Attention scores are divided by the square root of this.
        #[serde(default = "scalar")]
        pub(super) query_pre_attn_scalar: f64,
        /// Size of the sliding window: in blocks that have one, a token attends to at most this many tokens, itself
        /// included.
        #[serde(default = "window")]
        pub(super) sliding_window: Option<usize>,
        /// Kind of attention of each block: `full_attention` or `sliding_attention`. Default: the architecture's
        /// pattern.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub(super) layer_types: Option<Vec<LayerType>>,
        /// Gemma 3: every n-th block has full attention. Default: 6.
        #[serde(default, alias = "_sliding_window_pattern", skip_serializing_if = "Option::is_none")]
        pub(super) sliding_window_pattern: Option<usize>,
        /// Softcap of the logits. Default: 30 in Gemma 2, none in Gemma 3.
        #[serde(default)]
        pub(super) final_logit_softcapping: Option<f64>,
        /// Softcap of the attention scores. Default: 50 in Gemma 2. Gemma 3 ignores it.
        #[serde(default)]
        pub(super) attn_logit_softcapping: Option<f64>,
        /// Base of the rotary frequencies. Default: 10000 in Gemma 2, 1000000 in Gemma 3.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub(super) rope_theta: Option<f64>,
        /// Gemma 3: base of the rotary frequencies in blocks with a window. Default: 10000.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub(super) rope_local_base_freq: Option<f64>,
        /// Rotary position embedding, as transformers 5 writes it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub(super) rope_parameters: Option<Rotations>,
        /// Rotary scaling, as transformers 4 writes it; only for blocks without a window.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub(super) rope_scaling: Option<nn::RopeTable>,
        /// Whether tokens attend to later ones; must be false.
        #[serde(default)]
        pub(super) use_bidirectional_attention: Option<bool>,
    }
}

fn head_dim() -> usize {
    256
}
fn max_positions() -> usize {
    8192
}
fn gelu() -> nn::HiddenAct {
    nn::HiddenAct::GeluNew
}
fn padding() -> Option<i64> {
    Some(0)
}
fn scalar() -> f64 {
    256.0
}
