//! `qwen`: the Qwen2 and Qwen3 architectures.

use crate::defaults::{initializer_range, silu};
use framework_sdk::{
    nn::causal::{Decoder, DecoderConfig, Parts, head_size, only},
    prelude::*,
};

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

options! {
    /// Qwen2 (Yang et al., 2024, arXiv:2407.10671) and Qwen3 (2025, arXiv:2505.09388), without their mixtures of
    /// experts.
    ///
    /// Numbers and parameter names are those of `Qwen2ForCausalLM` and `Qwen3ForCausalLM` in Hugging Face transformers.
    /// The options are their `config.json`, in the layout of any version.
    pub struct Qwen {
        /// `qwen2` or `qwen3`.
        #[serde(default)]
        model_type: Generation,
        /// Size of the vocabulary.
        vocab_size: usize,
        /// Size of the hidden states.
        hidden_size: usize,
        /// Number of blocks.
        num_hidden_layers: usize,
        /// Number of attention heads.
        num_attention_heads: usize,
        /// Number of key and value heads; null means `num_attention_heads`.
        #[serde(default = "kv_heads")]
        num_key_value_heads: Option<usize>,
        /// Size of an attention head. Default: `hidden_size / num_attention_heads` in Qwen2, 128 in Qwen3.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        head_dim: Option<usize>,
        /// Size of the feed-forward layers.
        intermediate_size: usize,
        /// Maximum number of positions in a sequence.
        #[serde(default = "max_positions")]
        max_position_embeddings: usize,
        /// Whether blocks from `max_window_layers` on use a sliding window.
        #[serde(default)]
        use_sliding_window: bool,
        /// Size of the sliding window: in blocks that have one, a token attends to at most this many tokens, itself
        /// included.
        #[serde(default = "window")]
        sliding_window: Option<usize>,
        /// Index of the first block with a sliding window; all later blocks have one as well.
        #[serde(default = "max_window_layers")]
        max_window_layers: usize,
        /// `full_attention` or `sliding_attention` for each block; takes precedence over `max_window_layers`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        layer_types: Option<Vec<LayerType>>,
        /// Activation of the feed-forward layers: `gelu`, `gelu_new`, `relu` or `silu`.
        #[serde(default = "silu")]
        hidden_act: nn::HiddenAct,
        /// Epsilon of the RMS norms, added to the mean square.
        #[serde(default = "rms_norm_eps")]
        rms_norm_eps: f64,
        /// Standard deviation of the initial weights when training from scratch.
        #[serde(default = "initializer_range")]
        initializer_range: f64,
        /// Qwen3: whether the attention projections have biases.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        attention_bias: Option<bool>,
        /// Whether the vocabulary projection is the embedding table.
        #[serde(default)]
        tie_word_embeddings: bool,
        /// Dropout probability of attention weights during training.
        #[serde(default)]
        attention_dropout: f64,
        /// Id of the padding token, whose embedding is not trained.
        #[serde(default)]
        pad_token_id: Option<i64>,
        /// Base of the rotary frequencies. Default: 10000.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rope_theta: Option<f64>,
        /// Rotary position embedding, as transformers 5 writes it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rope_parameters: Option<nn::RopeTable>,
        /// Rotary scaling, as transformers 4 writes it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rope_scaling: Option<nn::RopeTable>,
        /// Multi-dimensional positions, for images; must be false.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        use_mrope: Option<bool>,
    }
}

fn kv_heads() -> Option<usize> {
    Some(32)
}
fn max_positions() -> usize {
    32_768
}
fn window() -> Option<usize> {
    Some(4096)
}
fn max_window_layers() -> usize {
    28
}
fn rms_norm_eps() -> f64 {
    1e-6
}

impl Qwen {
    /// What a token of this block sees, if not everything before it.
    fn window(&self, index: usize) -> Option<usize> {
        let sliding = match &self.layer_types {
            Some(types) => types.get(index) == Some(&LayerType::SlidingAttention),
            None => index >= self.max_window_layers,
        };
        self.sliding_window.filter(|_| self.use_sliding_window && sliding)
    }

    fn attention(&self, index: usize) -> Result<nn::GroupedAttentionConfig> {
        let (heads, third) = (self.num_attention_heads, self.model_type == Generation::Qwen3);
        let bias = third && self.attention_bias.unwrap_or(false);
        let attention = nn::GroupedAttentionConfig {
            hidden: self.hidden_size,
            heads,
            kv_heads: self.num_key_value_heads.unwrap_or(heads),
            head_size: head_size(self.head_dim.or(third.then_some(128)), self.hidden_size, heads)?,
            qkv_bias: bias || !third,
            output_bias: bias,
            qk_norm: third.then_some((NormKind::Rms, self.rms_norm_eps)),
            window: self.window(index),
            dropout: self.attention_dropout,
            init: Init::Normal(self.initializer_range),
            ..nn::GroupedAttentionConfig::default()
        };
        attention.validate().map(|()| attention)
    }

    fn rope(&self) -> Result<nn::Rope> {
        nn::RopeConfig {
            tables: [&self.rope_parameters, &self.rope_scaling],
            theta: &[("rope_theta", self.rope_theta)],
            ..nn::RopeConfig::new(self.attention(0)?.head_size, self.max_position_embeddings, 10_000.0)
        }
        .resolve()
    }

    fn decoder(&self) -> Result<DecoderConfig> {
        Ok(DecoderConfig {
            vocab: self.vocab_size,
            hidden: self.hidden_size,
            blocks: self.num_hidden_layers,
            max_positions: self.rope()?.limit(self.max_position_embeddings),
            tied: self.tie_word_embeddings,
            eps: self.rms_norm_eps,
            std: self.initializer_range,
            padding: self.pad_token_id,
            ..DecoderConfig::default()
        })
    }
}

impl ModelArch for Qwen {
    type Net = Decoder;

    fn validate(&self) -> Result<()> {
        only("use_mrope", &self.use_mrope.unwrap_or(false), false)?;
        if self.model_type == Generation::Qwen2 && self.attention_bias == Some(false) {
            return Err(PluginError::option(
                "attention_bias",
                "is false, but queries, keys and values of qwen2 have biases",
            ));
        }
        if let Some(types) = &self.layer_types {
            let (given, blocks) = (types.len(), self.num_hidden_layers);
            if given != blocks {
                return Err(PluginError::option(
                    "layer_types",
                    format!("names {given} of {blocks} `num_hidden_layers`"),
                ));
            }
            let window = self.sliding_window.filter(|_| self.use_sliding_window);
            if types.contains(&LayerType::SlidingAttention) && window.is_none() {
                let message =
                    "`layer_types` has `sliding_attention`, which needs `use_sliding_window` and `sliding_window`";
                return Err(PluginError::new(message));
            }
        }
        (0..self.num_hidden_layers).try_for_each(|index| self.attention(index).map(drop))?;
        self.decoder()?.validate()
    }

    fn build(&self, m: &Scope) -> Result<Decoder> {
        let rotation = self.rope()?.rotation();
        let mlp = nn::GatedMlpConfig {
            hidden: self.hidden_size,
            size: self.intermediate_size,
            act: self.hidden_act,
            init: Init::Normal(self.initializer_range),
            ..nn::GatedMlpConfig::default()
        };
        Decoder::new(m, self.decoder()?, |i, m| {
            let attention = nn::GroupedAttention::new(&m.at("self_attn"), self.attention(i)?, rotation.clone());
            Ok(Parts::new(attention, nn::GatedMlp::new(&m.at("mlp"), mlp)))
        })
    }
}

register!(model "qwen" aliases ["qwen2", "qwen3", "Qwen2ForCausalLM", "Qwen3ForCausalLM"] => Qwen, example = r#"
model_type = "qwen2"
vocab_size = 151936
hidden_size = 256
num_hidden_layers = 6
num_attention_heads = 8
num_key_value_heads = 2
intermediate_size = 768
tie_word_embeddings = true
"#);

#[cfg(test)]
mod tests;
