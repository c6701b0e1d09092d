//! `gpt2`: the GPT-2 architecture.

use framework_sdk::{
    nn::causal::{Decoder, DecoderConfig, Names, Parts, defaults::*, only},
    prelude::*,
};

options! {
    /// GPT-2 (Radford et al., 2019): learned positions, weights stored as `[in, out]`.
    ///
    /// Numbers and parameter names are those of `GPT2LMHeadModel` in Hugging Face transformers; files may lack the
    /// prefix `transformer.`, as those on the hub do. The options are its `config.json`.
    #[schemars(transform = nn::causal::described)]
    pub struct Gpt2 {
        vocab_size: usize,
        n_embd: usize,
        n_layer: usize,
        n_head: usize,
        /// Size of the feed-forward layers. Default: `4 * n_embd`.
        #[serde(default)] n_inner: Option<usize>,
        #[serde(default = "size::<1024>")] n_positions: usize,
        /// The name of `n_positions` in old files.
        n_ctx: Option<usize>,
        #[serde(default = "gelu_new")] activation_function: nn::HiddenAct,
        #[serde(default = "layer_norm_eps")] layer_norm_epsilon: f64,
        #[serde(default = "initializer_range")] initializer_range: f64,
        #[serde(default = "dropout")] resid_pdrop: f64,
        #[serde(default = "dropout")] embd_pdrop: f64,
        #[serde(default = "dropout")] attn_pdrop: f64,
        /// Whether attention scores are divided by the square root of the head size.
        #[serde(default = "yes")] scale_attn_weights: bool,
        /// Whether attention scores are also divided by the number of the block, counted from 1.
        #[serde(default)] scale_attn_by_inverse_layer_idx: bool,
        #[serde(default = "yes")] tie_word_embeddings: bool,
        /// Whether there is cross-attention to another sequence; must be false.
        #[serde(default)] add_cross_attention: bool,
        /// Changes the order of two operations but not the results; ignored.
        #[serde(default)] reorder_and_upcast_attn: bool,
        summary_type: Option<String>,
        summary_use_proj: Option<bool>,
        summary_activation: Option<String>,
        summary_proj_to_labels: Option<bool>,
        summary_first_dropout: Option<f64>,
    }
}

fn dropout() -> f64 {
    0.1
}

impl Gpt2 {
    fn attention(&self, block: usize) -> nn::GroupedAttentionConfig {
        let heads = nn::GroupedAttentionConfig::new(self.n_embd, self.n_head, Init::Normal(self.initializer_range));
        let scale = if self.scale_attn_weights { 1.0 / (heads.head_size as f64).sqrt() } else { 1.0 };
        let depth = if self.scale_attn_by_inverse_layer_idx { (block + 1) as f64 } else { 1.0 };
        nn::GroupedAttentionConfig {
            qkv_bias: true,
            output_bias: true,
            names: ["attn.c_attn", "attn.c_attn", "attn.c_attn", "attn.c_proj"],
            stored: Stored::InOut,
            scale: Some(scale / depth),
            dropout: self.attn_pdrop,
            residual_dropout: self.resid_pdrop,
            ..heads
        }
    }
}

impl ModelArch for Gpt2 {
    type Net = Decoder;

    fn validate(&self) -> Result<()> {
        let (width, heads) = (self.n_embd, self.n_head);
        if heads == 0 || width == 0 || !width.is_multiple_of(heads) {
            return Err(PluginError::option("n_embd", format!("({width}) must be a multiple of `n_head` ({heads})")));
        }
        only("add_cross_attention", &self.add_cross_attention, false)?;
        [("resid_pdrop", self.resid_pdrop), ("embd_pdrop", self.embd_pdrop), ("attn_pdrop", self.attn_pdrop)]
            .iter()
            .try_for_each(|(name, share)| nn::dropout_share(name, *share))
    }

    fn build(&self, m: &Scope) -> Result<Decoder> {
        let (width, inner) = (self.n_embd, self.n_inner.unwrap_or(4 * self.n_embd));
        let decoder = DecoderConfig {
            names: Names::GPT2,
            vocab: self.vocab_size,
            hidden: width,
            blocks: self.n_layer,
            max_positions: Some(self.n_positions),
            tied: self.tie_word_embeddings,
            norm: NormKind::Layer,
            eps: self.layer_norm_epsilon,
            embedding_dropout: self.embd_pdrop,
            std: self.initializer_range,
            ..DecoderConfig::default()
        };
        let mlp = nn::MlpConfig {
            names: ["mlp.c_fc", "mlp.c_proj"],
            stored: Stored::InOut,
            dropout: self.resid_pdrop,
            ..nn::MlpConfig::new(width, inner, self.activation_function, decoder.init())
        };
        Decoder::new(m, decoder, |i, m| {
            // Masks, which files of old versions hold.
            ["attn.bias", "attn.masked_bias"].iter().for_each(|name| m.extra(name));
            Ok(Parts::new(nn::GroupedAttention::new(m, self.attention(i), None), nn::Mlp::new(m, mlp)))
        })
    }
}

register!(model "gpt2" aliases ["GPT2LMHeadModel"] => Gpt2, example = r#"
vocab_size = 50257
n_embd = 256
n_layer = 6
n_head = 8
n_positions = 512
"#);

#[cfg(test)]
mod tests;
