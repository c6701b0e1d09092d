//! `mistral`: the Mistral architecture.

use framework_sdk::{
    nn::causal::{Common, Decoder, defaults::*},
    prelude::*,
};

options! {
    /// Mistral (Jiang et al., 2023, arXiv:2310.06825): Llama with a sliding window.
    ///
    /// Numbers and parameter names are those of `MistralForCausalLM` in Hugging Face transformers. The options are its
    /// `config.json`, in the layout of any version.
    #[schemars(transform = nn::causal::described)]
    pub struct Mistral {
        vocab_size: usize,
        hidden_size: usize,
        num_hidden_layers: usize,
        num_attention_heads: usize,
        /// Number of key and value heads; null means `num_attention_heads`.
        #[serde(default = "some::<8>")] num_key_value_heads: Option<usize>,
        head_dim: Option<usize>,
        intermediate_size: usize,
        #[serde(default = "size::<131_072>")] max_position_embeddings: usize,
        #[serde(default = "some::<4096>")] sliding_window: Option<usize>,
        #[serde(default = "silu")] hidden_act: nn::HiddenAct,
        #[serde(default = "rms_norm_eps")] rms_norm_eps: f64,
        #[serde(default = "initializer_range")] initializer_range: f64,
        #[serde(default)] tie_word_embeddings: bool,
        #[serde(default)] attention_dropout: f64,
        #[serde(default)] pad_token_id: Option<i64>,
        rope_theta: Option<f64>,
        rope_parameters: Option<nn::RopeTable>,
        rope_scaling: Option<nn::RopeTable>,
    }
}

impl ModelArch for Mistral {
    type Net = Decoder;

    fn validate(&self) -> Result<()> {
        Common::of(self)?.validate()
    }

    fn build(&self, m: &Scope) -> Result<Decoder> {
        Common::of(self)?.build(m)
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
