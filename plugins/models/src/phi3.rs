//! `phi-3`: the Phi-3 architecture.

use crate::defaults::{initializer_range, silu};
use framework_sdk::{
    nn::causal::{Decoder, DecoderConfig, Parts, head_size, only},
    prelude::*,
};

options! {
    /// Phi-3 (Abdin et al., 2024, arXiv:2404.14219) and Phi-4-mini: fused projections, and LongRoPE for long sequences.
    ///
    /// Numbers and parameter names are those of `Phi3ForCausalLM` in Hugging Face transformers. The options are its
    /// `config.json`, in the layout of any version.
    pub struct Phi3 {
        /// Size of the vocabulary.
        vocab_size: usize,
        /// Size of the hidden states.
        hidden_size: usize,
        /// Number of blocks.
        num_hidden_layers: usize,
        /// Number of attention heads.
        num_attention_heads: usize,
        /// Number of key and value heads. Default: `num_attention_heads`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        num_key_value_heads: Option<usize>,
        /// Size of the feed-forward layers.
        intermediate_size: usize,
        /// Maximum number of positions in a sequence.
        #[serde(default = "max_positions")]
        max_position_embeddings: usize,
        /// Maximum number of positions before LongRoPE extends it.
        #[serde(default = "max_positions")]
        original_max_position_embeddings: usize,
        /// Size of the sliding window: a token attends to at most this many tokens, itself included. Null means no
        /// window.
        #[serde(default)]
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
        /// Dropout probability after attention and feed-forward layers during training.
        #[serde(default)]
        resid_pdrop: f64,
        /// Ignored, as in transformers.
        #[serde(default)]
        embd_pdrop: f64,
        /// Dropout probability of attention weights during training.
        #[serde(default)]
        attention_dropout: f64,
        /// Id of the padding token, whose embedding is not trained.
        #[serde(default)]
        pad_token_id: Option<i64>,
        /// Share of each head that the rotary embedding rotates. Default: 1.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        partial_rotary_factor: Option<f64>,
        /// Base of the rotary frequencies. Default: 10000.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rope_theta: Option<f64>,
        /// Rotary position embedding, as transformers 5 writes it; of type `default` or `longrope`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rope_parameters: Option<nn::RopeTable>,
        /// Rotary scaling, as transformers 4 writes it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rope_scaling: Option<nn::RopeTable>,
        /// Whether the attention projections have biases; must be false.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        attention_bias: Option<bool>,
        /// Whether the feed-forward projections have biases; must be false.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mlp_bias: Option<bool>,
        /// Whether the vocabulary projection has a bias; must be false.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        lm_head_bias: Option<bool>,
        /// Occurs in Phi-4-mini; must be 1.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        full_attn_mod: Option<usize>,
        /// Occurs in Phi-4-mini; must be 1.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        interpolate_factor: Option<usize>,
    }
}

fn max_positions() -> usize {
    4096
}
fn rms_norm_eps() -> f64 {
    1e-5
}

impl Phi3 {
    fn attention(&self) -> Result<nn::GroupedAttentionConfig> {
        let heads = self.num_attention_heads;
        let attention = nn::GroupedAttentionConfig {
            hidden: self.hidden_size,
            heads,
            kv_heads: self.num_key_value_heads.unwrap_or(heads),
            head_size: head_size(None, self.hidden_size, heads)?,
            fused: true,
            window: self.sliding_window,
            dropout: self.attention_dropout,
            residual_dropout: self.resid_pdrop,
            init: Init::Normal(self.initializer_range),
            ..nn::GroupedAttentionConfig::default()
        };
        attention.validate().map(|()| attention)
    }

    fn rope(&self) -> Result<nn::Rope> {
        let rope = nn::RopeConfig {
            original: Some(self.original_max_position_embeddings),
            tables: [&self.rope_parameters, &self.rope_scaling],
            theta: &[("rope_theta", self.rope_theta)],
            share: &[("partial_rotary_factor", self.partial_rotary_factor)],
            default_share: Some(1.0),
            ..nn::RopeConfig::new(self.attention()?.head_size, self.max_position_embeddings, 10_000.0)
        }
        .resolve()?;
        match rope.scaling {
            nn::Scaling::None | nn::Scaling::LongRope { .. } => Ok(rope),
            _ => Err(PluginError::new("Phi-3's rotary embedding is of the type `default` or `longrope`")),
        }
    }

    fn decoder(&self) -> Result<DecoderConfig> {
        Ok(DecoderConfig {
            vocab: self.vocab_size,
            hidden: self.hidden_size,
            blocks: self.num_hidden_layers,
            max_positions: self.rope()?.limit(self.max_position_embeddings),
            cache_until: self.rope()?.scaling.depends_on_length().then_some(self.original_max_position_embeddings),
            tied: self.tie_word_embeddings,
            eps: self.rms_norm_eps,
            std: self.initializer_range,
            padding: self.pad_token_id,
            ..DecoderConfig::default()
        })
    }
}

impl ModelArch for Phi3 {
    type Net = Decoder;

    fn validate(&self) -> Result<()> {
        let biases =
            [("attention_bias", self.attention_bias), ("mlp_bias", self.mlp_bias), ("lm_head_bias", self.lm_head_bias)];
        biases.iter().try_for_each(|(name, bias)| only(name, &bias.unwrap_or(false), false))?;
        let factors = [("full_attn_mod", self.full_attn_mod), ("interpolate_factor", self.interpolate_factor)];
        factors.iter().try_for_each(|(name, factor)| only(name, &factor.unwrap_or(1), 1))?;
        nn::dropout_share("resid_pdrop", self.resid_pdrop)?;
        self.decoder()?.validate()
    }

    fn build(&self, m: &Scope) -> Result<Decoder> {
        let (attention, rotation) = (self.attention()?, self.rope()?.rotation());
        let mlp = nn::GatedMlpConfig {
            hidden: self.hidden_size,
            size: self.intermediate_size,
            act: self.hidden_act,
            names: ["gate_up_proj", "gate_up_proj", "down_proj"],
            dropout: self.resid_pdrop,
            init: attention.init,
            ..nn::GatedMlpConfig::default()
        };
        Decoder::new(m, self.decoder()?, |_, m| {
            let attention = nn::GroupedAttention::new(&m.at("self_attn"), attention, rotation.clone());
            Ok(Parts::new(attention, nn::GatedMlp::new(&m.at("mlp"), mlp)))
        })
    }
}

register!(model "phi-3" aliases ["phi3", "Phi3ForCausalLM"] => Phi3, example = r#"
vocab_size = 32064
hidden_size = 256
num_hidden_layers = 6
num_attention_heads = 8
intermediate_size = 768
"#);

#[cfg(test)]
mod tests;
