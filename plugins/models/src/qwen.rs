//! `qwen`: the Qwen2 and Qwen3 architectures.

use framework_sdk::{
    nn::causal::{Common, Decoder, LayerType, Parts, defaults::*, only},
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
    /// Qwen2 (Yang et al., 2024, arXiv:2407.10671) and Qwen3 (2025, arXiv:2505.09388), without their mixtures of
    /// experts.
    ///
    /// Numbers and parameter names are those of `Qwen2ForCausalLM` and `Qwen3ForCausalLM` in Hugging Face transformers.
    /// The options are their `config.json`, in the layout of any version.
    #[schemars(transform = nn::causal::described)]
    pub struct Qwen {
        /// `qwen2` or `qwen3`.
        #[serde(default)] model_type: Generation,
        vocab_size: usize,
        hidden_size: usize,
        num_hidden_layers: usize,
        num_attention_heads: usize,
        /// Number of key and value heads; null means `num_attention_heads`.
        #[serde(default = "some::<32>")] num_key_value_heads: Option<usize>,
        /// Size of an attention head. Default: `hidden_size / num_attention_heads` in Qwen2, 128 in Qwen3.
        head_dim: Option<usize>,
        intermediate_size: usize,
        #[serde(default = "size::<32_768>")] max_position_embeddings: usize,
        /// Whether blocks from `max_window_layers` on use a sliding window.
        #[serde(default)] use_sliding_window: bool,
        /// Size of the sliding window: in blocks that have one, a token attends to at most this many tokens, itself
        /// included.
        #[serde(default = "some::<4096>")] sliding_window: Option<usize>,
        /// Index of the first block with a sliding window; all later blocks have one as well.
        #[serde(default = "size::<28>")] max_window_layers: usize,
        /// `full_attention` or `sliding_attention` for each block; takes precedence over `max_window_layers`.
        layer_types: Option<Vec<LayerType>>,
        #[serde(default = "silu")] hidden_act: nn::HiddenAct,
        #[serde(default = "rms_norm_eps")] rms_norm_eps: f64,
        #[serde(default = "initializer_range")] initializer_range: f64,
        /// Qwen3: whether the attention projections have biases.
        attention_bias: Option<bool>,
        #[serde(default)] tie_word_embeddings: bool,
        #[serde(default)] attention_dropout: f64,
        #[serde(default)] pad_token_id: Option<i64>,
        rope_theta: Option<f64>,
        rope_parameters: Option<nn::RopeTable>,
        rope_scaling: Option<nn::RopeTable>,
        /// Multi-dimensional positions, for images; must be false.
        use_mrope: Option<bool>,
    }
}

impl Qwen {
    fn third(&self) -> bool {
        self.model_type == Generation::Qwen3
    }

    fn common(&self) -> Result<Common> {
        let common = Common::of(self)?;
        Ok(Common {
            head_dim: common.head_dim.or(self.third().then_some(128)),
            sliding_window: common.sliding_window.filter(|_| self.use_sliding_window),
            ..common
        })
    }

    fn attention(&self, common: &Common, block: usize) -> Result<nn::GroupedAttentionConfig> {
        let (attention, third) = (common.attention()?, self.third());
        let slides = LayerType::slides(&self.layer_types, block).unwrap_or(block >= self.max_window_layers);
        Ok(nn::GroupedAttentionConfig {
            qkv_bias: attention.qkv_bias || !third,
            output_bias: attention.output_bias && third,
            qk_norm: third.then_some((NormKind::Rms, self.rms_norm_eps)),
            window: attention.window.filter(|_| slides),
            ..attention
        })
    }
}

impl ModelArch for Qwen {
    type Net = Decoder;

    fn validate(&self) -> Result<()> {
        only("use_mrope", &self.use_mrope.unwrap_or(false), false)?;
        if !self.third() && self.attention_bias == Some(false) {
            let message = "is false, but queries, keys and values of qwen2 have biases";
            return Err(PluginError::option("attention_bias", message));
        }
        LayerType::one_for_each(&self.layer_types, self.num_hidden_layers)?;
        let common = self.common()?;
        let sliding = self.layer_types.iter().flatten().any(|kind| *kind == LayerType::SlidingAttention);
        if common.sliding_window.is_none() && sliding {
            let message =
                "`layer_types` has `sliding_attention`, which needs `use_sliding_window` and `sliding_window`";
            return Err(PluginError::new(message));
        }
        common.validate()
    }

    fn build(&self, m: &Scope) -> Result<Decoder> {
        let common = self.common()?;
        let (rope, mlp) = (common.rope()?, common.mlp());
        let (decoder, rotation) = (common.decoder(&rope), rope.rotation());
        Decoder::new(m, decoder, |i, m| Ok(Parts::gated(m, self.attention(&common, i)?, rotation.clone(), mlp)))
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
