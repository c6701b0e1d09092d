//! `mistral`: the Mistral architecture.

use crate::defaults::{initializer_range, kv_heads, rms_norm_eps, silu, window};
use framework_sdk::{
    nn::causal::{Decoder, DecoderConfig, Parts, head_size},
    prelude::*,
};

options! {
    /// Mistral (Jiang et al., 2023, arXiv:2310.06825): Llama with a sliding window.
    ///
    /// Numbers and parameter names are those of `MistralForCausalLM` in Hugging Face transformers. The options are its
    /// `config.json`, in the layout of any version.
    pub struct Mistral {
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
        /// Size of an attention head. Default: `hidden_size / num_attention_heads`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        head_dim: Option<usize>,
        /// Size of the feed-forward layers.
        intermediate_size: usize,
        /// Maximum number of positions in a sequence.
        #[serde(default = "max_positions")]
        max_position_embeddings: usize,
        /// Size of the sliding window: a token attends to at most this many tokens, itself included. Null means no
        /// window.
        #[serde(default = "window")]
        sliding_window: Option<usize>,
        /// Activation of the feed-forward layers: `gelu`, `gelu_new`, `relu` or `silu`.
        #[serde(default = "silu")]
        hidden_act: nn::HiddenAct,
        /// Epsilon of the RMS norms, added to the mean square.
        #[serde(default = "rms_norm_eps")]
        rms_norm_eps: f64,
        /// Standard deviation of the initial weights when training from scratch.
        #[serde(default = "initializer_range")]
        initializer_range: f64,
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
    }
}

fn max_positions() -> usize {
    131_072
}

impl Mistral {
    fn attention(&self) -> Result<nn::GroupedAttentionConfig> {
        let heads = self.num_attention_heads;
        let attention = nn::GroupedAttentionConfig {
            hidden: self.hidden_size,
            heads,
            kv_heads: self.num_key_value_heads.unwrap_or(heads),
            head_size: head_size(self.head_dim, self.hidden_size, heads)?,
            window: self.sliding_window,
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
            ..nn::RopeConfig::new(self.attention()?.head_size, self.max_position_embeddings, 10_000.0)
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

impl ModelArch for Mistral {
    type Net = Decoder;

    fn validate(&self) -> Result<()> {
        self.decoder()?.validate()
    }

    fn build(&self, m: &Scope) -> Result<Decoder> {
        let (attention, rotation) = (self.attention()?, self.rope()?.rotation());
        let (hidden, size, init) = (self.hidden_size, self.intermediate_size, attention.init);
        let mlp = nn::GatedMlpConfig::new(hidden, size, self.hidden_act, init);
        Decoder::new(m, self.decoder()?, |_, m| {
            let attention = nn::GroupedAttention::new(&m.at("self_attn"), attention, rotation.clone());
            Ok(Parts::new(attention, nn::GatedMlp::new(&m.at("mlp"), mlp)))
        })
    }
}

register!(model "mistral" aliases ["mistral", "MistralForCausalLM"] => Mistral, example = r#"
vocab_size = 32000
hidden_size = 256
num_hidden_layers = 6
num_attention_heads = 8
num_key_value_heads = 4
intermediate_size = 768
sliding_window = 1024
"#);

#[cfg(test)]
mod tests;
