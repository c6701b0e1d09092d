//! `llama`: the Llama architecture.

use framework_sdk::{
    nn::causal::{Common, Decoder, defaults::*, only},
    prelude::*,
};

options! {
    /// Llama (Touvron et al., 2023, arXiv:2302.13971), the architecture of many models: Llama 2 and 3, SmolLM,
    /// DeepSeek-7B.
    ///
    /// Numbers and parameter names are those of `LlamaForCausalLM` in Hugging Face transformers. The options are its
    /// `config.json`, in the layout of any version.
    #[schemars(transform = nn::causal::described)]
    pub struct Llama {
        vocab_size: usize,
        hidden_size: usize,
        num_hidden_layers: usize,
        num_attention_heads: usize,
        num_key_value_heads: Option<usize>,
        head_dim: Option<usize>,
        intermediate_size: usize,
        #[serde(default = "size::<2048>")] max_position_embeddings: usize,
        #[serde(default = "silu")] hidden_act: nn::HiddenAct,
        #[serde(default = "rms_norm_eps")] rms_norm_eps: f64,
        #[serde(default = "initializer_range")] initializer_range: f64,
        #[serde(default)] attention_bias: bool,
        #[serde(default)] mlp_bias: bool,
        #[serde(default)] tie_word_embeddings: bool,
        #[serde(default)] attention_dropout: f64,
        #[serde(default)] pad_token_id: Option<i64>,
        rope_theta: Option<f64>,
        rope_parameters: Option<nn::RopeTable>,
        rope_scaling: Option<nn::RopeTable>,
        /// Whether adjacent elements are rotated instead of halves. Must be false, the only form that transformers
        /// supports.
        rope_interleaved: Option<bool>,
    }
}

impl ModelArch for Llama {
    type Net = Decoder;

    fn validate(&self) -> Result<()> {
        only("rope_interleaved", &self.rope_interleaved.unwrap_or(false), false)?;
        Common::of(self)?.validate()
    }

    fn build(&self, m: &Scope) -> Result<Decoder> {
        Common::of(self)?.build(m)
    }
}

register!(model "llama" aliases ["llama", "LlamaForCausalLM"] => Llama, example = r#"
vocab_size = 32000
hidden_size = 256
num_hidden_layers = 6
num_attention_heads = 8
num_key_value_heads = 4
intermediate_size = 768
"#);

#[cfg(test)]
mod tests;
