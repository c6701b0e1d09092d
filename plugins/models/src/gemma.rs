//! `gemma`: the Gemma 2 and Gemma 3 text architectures.

use framework_sdk::{
    nn::causal::{Common, Decoder, DecoderConfig, LayerType, Names, Parts, defaults::*, only},
    prelude::*,
    serde_json::Map,
};

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
    /// Gemma 2 (2024, arXiv:2408.00118) and the text part of Gemma 3 (2025, arXiv:2503.19786).
    ///
    /// Numbers and parameter names are those of `Gemma2ForCausalLM` and `Gemma3ForCausalLM` in Hugging Face
    /// transformers. The options are their `config.json`, in the layout of any version.
    #[schemars(transform = nn::causal::described)]
    pub struct Gemma {
        /// `gemma2` or `gemma3_text`.
        #[serde(default)] model_type: Generation,
        vocab_size: usize,
        hidden_size: usize,
        num_hidden_layers: usize,
        num_attention_heads: usize,
        /// Number of key and value heads.
        num_key_value_heads: usize,
        /// Size of an attention head.
        #[serde(default = "size::<256>")] head_dim: usize,
        intermediate_size: usize,
        #[serde(default = "size::<8192>")] max_position_embeddings: usize,
        #[serde(default = "gelu_new")] hidden_activation: nn::HiddenAct,
        /// Occurs in old files; ignored, as in transformers.
        hidden_act: Option<nn::HiddenAct>,
        #[serde(default = "rms_norm_eps")] rms_norm_eps: f64,
        #[serde(default = "initializer_range")] initializer_range: f64,
        #[serde(default)] attention_bias: bool,
        #[serde(default = "yes")] tie_word_embeddings: bool,
        #[serde(default)] attention_dropout: f64,
        #[serde(default = "id::<0>")] pad_token_id: Option<i64>,
        /// Attention scores are divided by the square root of this.
        #[serde(default = "float::<256>")] query_pre_attn_scalar: f64,
        /// Size of the sliding window: in blocks that have one, a token attends to at most this many tokens, itself
        /// included.
        #[serde(default = "some::<4096>")] sliding_window: Option<usize>,
        /// Kind of attention of each block: `full_attention` or `sliding_attention`. Default: the architecture's
        /// pattern.
        layer_types: Option<Vec<LayerType>>,
        /// Gemma 3: every n-th block has full attention. Default: 6.
        #[serde(alias = "_sliding_window_pattern")] sliding_window_pattern: Option<usize>,
        /// Softcap of the logits. Default: 30 in Gemma 2, none in Gemma 3.
        #[serde(default)] final_logit_softcapping: Option<f64>,
        /// Softcap of the attention scores. Default: 50 in Gemma 2. Gemma 3 ignores it.
        #[serde(default)] attn_logit_softcapping: Option<f64>,
        /// Base of the rotary frequencies. Default: 10000 in Gemma 2, 1000000 in Gemma 3.
        rope_theta: Option<f64>,
        /// Gemma 3: base of the rotary frequencies in blocks with a window. Default: 10000.
        rope_local_base_freq: Option<f64>,
        rope_parameters: Option<nn::RopeTables>,
        /// Rotary scaling, as transformers 4 writes it; only for blocks without a window.
        rope_scaling: Option<nn::RopeTable>,
        /// Whether tokens attend to later ones; must be false.
        #[serde(default)] use_bidirectional_attention: Option<bool>,
    }
}

impl Gemma {
    fn third(&self) -> bool {
        self.model_type == Generation::Gemma3
    }

    fn slides(&self, block: usize) -> bool {
        let every = if self.third() { self.sliding_window_pattern.unwrap_or(6) } else { 2 };
        LayerType::slides(&self.layer_types, block).unwrap_or(!(block + 1).is_multiple_of(every.max(1)))
    }

    fn common(&self) -> Result<Common> {
        let (default_theta, default_local_theta) = if self.third() { (1e6, Some(1e4)) } else { (1e4, None) };
        Ok(Common { default_theta, default_local_theta, ..Common::of(self)? })
    }

    fn attention(&self, common: &Common, block: usize) -> Result<nn::GroupedAttentionConfig> {
        let attention = common.attention()?;
        Ok(nn::GroupedAttentionConfig {
            qk_norm: self.third().then_some((NormKind::RmsPlusOne, self.rms_norm_eps)),
            softcap: attention.softcap.filter(|_| !self.third()),
            window: attention.window.filter(|_| self.slides(block)),
            ..attention
        })
    }

    fn decoder(&self, common: &Common) -> Result<DecoderConfig> {
        Ok(DecoderConfig {
            names: Names::GEMMA,
            norm: NormKind::RmsPlusOne,
            embedding_scale: (self.hidden_size as f64).sqrt(),
            ..common.decoder(&common.rope()?)
        })
    }
}

impl ModelArch for Gemma {
    type Net = Decoder;

    /// Gemma 2 has limits unless the file says that there are none.
    fn adapt_config(mut config: Map<String, Value>) -> Result<Map<String, Value>> {
        if config.get("model_type").is_none_or(|kind| kind == "gemma2") {
            for (key, limit) in [("final_logit_softcapping", 30.0), ("attn_logit_softcapping", 50.0)] {
                config.entry(key).or_insert_with(|| limit.into());
            }
        }
        Ok(config)
    }

    fn validate(&self) -> Result<()> {
        only("use_bidirectional_attention", &self.use_bidirectional_attention.unwrap_or(false), false)?;
        LayerType::one_for_each(&self.layer_types, self.num_hidden_layers)?;
        let common = self.common()?;
        self.attention(&common, 0)?;
        self.decoder(&common)?.validate()
    }

    fn build(&self, m: &Scope) -> Result<Decoder> {
        let common = self.common()?;
        let rotations = [common.rope_where(false)?.rotation(), common.rope_where(true)?.rotation()];
        Decoder::new(m, self.decoder(&common)?, |i, m| {
            let rotation = rotations[usize::from(self.slides(i))].clone();
            Ok(Parts::gated(m, self.attention(&common, i)?, rotation, common.mlp()))
        })
    }
}

register!(model "gemma" aliases ["gemma2", "gemma3_text", "Gemma2ForCausalLM", "Gemma3ForCausalLM"] => Gemma, example = r#"
model_type = "gemma2"
vocab_size = 256000
hidden_size = 256
num_hidden_layers = 6
num_attention_heads = 4
num_key_value_heads = 2
head_dim = 64
intermediate_size = 1024
"#);

#[cfg(test)]
mod tests;
