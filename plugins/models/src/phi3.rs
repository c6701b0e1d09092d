//! `phi-3`: the Phi-3 architecture.

use framework_sdk::{
    nn::causal::{Common, Decoder, DecoderConfig, Parts, defaults::*, only},
    prelude::*,
};

options! {
    /// Phi-3 (Abdin et al., 2024, arXiv:2404.14219) and Phi-4-mini: fused projections, and LongRoPE for long sequences.
    ///
    /// Numbers and parameter names are those of `Phi3ForCausalLM` in Hugging Face transformers. The options are its
    /// `config.json`, in the layout of any version.
    #[schemars(transform = nn::causal::described)]
    pub struct Phi3 {
        vocab_size: usize,
        hidden_size: usize,
        num_hidden_layers: usize,
        num_attention_heads: usize,
        num_key_value_heads: Option<usize>,
        intermediate_size: usize,
        #[serde(default = "size::<4096>")] max_position_embeddings: usize,
        /// Maximum number of positions before LongRoPE extends it.
        #[serde(default = "size::<4096>")] original_max_position_embeddings: usize,
        #[serde(default)] sliding_window: Option<usize>,
        #[serde(default = "silu")] hidden_act: nn::HiddenAct,
        #[serde(default = "rms_norm_eps")] rms_norm_eps: f64,
        #[serde(default = "initializer_range")] initializer_range: f64,
        #[serde(default)] tie_word_embeddings: bool,
        #[serde(default)] resid_pdrop: f64,
        /// Ignored, as in transformers.
        #[serde(default)] embd_pdrop: f64,
        #[serde(default)] attention_dropout: f64,
        #[serde(default)] pad_token_id: Option<i64>,
        /// Share of each head that the rotary embedding rotates. Default: 1.
        partial_rotary_factor: Option<f64>,
        rope_theta: Option<f64>,
        /// Rotary position embedding, as transformers 5 writes it; of type `default` or `longrope`.
        rope_parameters: Option<nn::RopeTable>,
        rope_scaling: Option<nn::RopeTable>,
        /// Whether the attention projections have biases; must be false.
        attention_bias: Option<bool>,
        /// Whether the feed-forward projections have biases; must be false.
        mlp_bias: Option<bool>,
        /// Whether the vocabulary projection has a bias; must be false.
        lm_head_bias: Option<bool>,
        /// Occurs in Phi-4-mini; must be 1.
        full_attn_mod: Option<usize>,
        /// Occurs in Phi-4-mini; must be 1.
        interpolate_factor: Option<usize>,
    }
}

fn rms_norm_eps() -> f64 {
    1e-5
}

impl Phi3 {
    fn attention(&self) -> Result<nn::GroupedAttentionConfig> {
        Ok(nn::GroupedAttentionConfig {
            names: ["qkv_proj", "qkv_proj", "qkv_proj", "o_proj"],
            residual_dropout: self.resid_pdrop,
            ..Common::of(self)?.attention()?
        })
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
        let rope = self.rope()?;
        let cache_until = rope.scaling.depends_on_length().then_some(self.original_max_position_embeddings);
        Ok(DecoderConfig { cache_until, ..Common::of(self)?.decoder(&rope) })
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
            names: ["gate_up_proj", "gate_up_proj", "down_proj"],
            dropout: self.resid_pdrop,
            ..Common::of(self)?.mlp()
        };
        Decoder::new(m, self.decoder()?, |_, m| Ok(Parts::gated(m, attention, rotation.clone(), mlp)))
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
