//! `gemma`: the Gemma 2 and Gemma 3 text architectures.

use crate::defaults::initializer_range;
use framework_sdk::{
    nn::causal::{Decoder, DecoderConfig, Parts, only},
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
        model_type: Generation,
        /// Size of the vocabulary.
        vocab_size: usize,
        /// Size of the hidden states.
        hidden_size: usize,
        /// Number of blocks.
        num_hidden_layers: usize,
        /// Number of attention heads.
        num_attention_heads: usize,
        /// Number of key and value heads.
        num_key_value_heads: usize,
        /// Size of an attention head.
        #[serde(default = "head_dim")]
        head_dim: usize,
        /// Size of the feed-forward layers.
        intermediate_size: usize,
        /// Maximum number of positions in a sequence.
        #[serde(default = "max_positions")]
        max_position_embeddings: usize,
        /// Activation of the feed-forward layers: `gelu`, `gelu_new`, `relu` or `silu`.
        #[serde(default = "gelu")]
        hidden_activation: nn::HiddenAct,
        /// Occurs in old files; ignored, as in transformers.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        hidden_act: Option<nn::HiddenAct>,
        /// Epsilon of the RMS norms, added to the mean square.
        #[serde(default = "rms_norm_eps")]
        rms_norm_eps: f64,
        /// Standard deviation of the initial weights when training from scratch.
        #[serde(default = "initializer_range")]
        initializer_range: f64,
        /// Whether the attention projections have biases.
        #[serde(default)]
        attention_bias: bool,
        /// Whether the vocabulary projection is the embedding table.
        #[serde(default = "yes")]
        tie_word_embeddings: bool,
        /// Dropout probability of attention weights during training.
        #[serde(default)]
        attention_dropout: f64,
        /// Id of the padding token, whose embedding is not trained.
        #[serde(default = "padding")]
        pad_token_id: Option<i64>,
        /// Attention scores are divided by the square root of this.
        #[serde(default = "scalar")]
        query_pre_attn_scalar: f64,
        /// Size of the sliding window: in blocks that have one, a token attends to at most this many tokens, itself
        /// included.
        #[serde(default = "window")]
        sliding_window: Option<usize>,
        /// Kind of attention of each block: `full_attention` or `sliding_attention`. Default: the architecture's
        /// pattern.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        layer_types: Option<Vec<LayerType>>,
        /// Gemma 3: every n-th block has full attention. Default: 6.
        #[serde(default, alias = "_sliding_window_pattern", skip_serializing_if = "Option::is_none")]
        sliding_window_pattern: Option<usize>,
        /// Softcap of the logits. Default: 30 in Gemma 2, none in Gemma 3.
        #[serde(default)]
        final_logit_softcapping: Option<f64>,
        /// Softcap of the attention scores. Default: 50 in Gemma 2. Gemma 3 ignores it.
        #[serde(default)]
        attn_logit_softcapping: Option<f64>,
        /// Base of the rotary frequencies. Default: 10000 in Gemma 2, 1000000 in Gemma 3.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rope_theta: Option<f64>,
        /// Gemma 3: base of the rotary frequencies in blocks with a window. Default: 10000.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rope_local_base_freq: Option<f64>,
        /// Rotary position embedding, as transformers 5 writes it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rope_parameters: Option<Rotations>,
        /// Rotary scaling, as transformers 4 writes it; only for blocks without a window.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rope_scaling: Option<nn::RopeTable>,
        /// Whether tokens attend to later ones; must be false.
        #[serde(default)]
        use_bidirectional_attention: Option<bool>,
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
fn rms_norm_eps() -> f64 {
    1e-6
}
fn yes() -> bool {
    true
}
fn padding() -> Option<i64> {
    Some(0)
}
fn scalar() -> f64 {
    256.0
}
fn window() -> Option<usize> {
    Some(4096)
}
impl Gemma {
    fn third(&self) -> bool {
        self.model_type == Generation::Gemma3
    }

    fn slides(&self, block: usize) -> bool {
        match &self.layer_types {
            Some(types) => types.get(block) == Some(&LayerType::SlidingAttention),
            None => {
                let every = if self.third() { self.sliding_window_pattern.unwrap_or(6) } else { 2 };
                !(block + 1).is_multiple_of(every.max(1))
            }
        }
    }

    fn attention(&self, block: usize) -> Result<nn::GroupedAttentionConfig> {
        let second = !self.third();
        let attention = nn::GroupedAttentionConfig {
            hidden: self.hidden_size,
            heads: self.num_attention_heads,
            kv_heads: self.num_key_value_heads,
            head_size: self.head_dim,
            qkv_bias: self.attention_bias,
            output_bias: self.attention_bias,
            qk_norm: self.third().then_some((NormKind::RmsPlusOne, self.rms_norm_eps)),
            scale: Some(1.0 / self.query_pre_attn_scalar.sqrt()),
            softcap: self.attn_logit_softcapping.filter(|_| second),
            window: self.sliding_window.filter(|_| self.slides(block)),
            dropout: self.attention_dropout,
            init: Init::Normal(self.initializer_range),
            ..nn::GroupedAttentionConfig::default()
        };
        attention.validate().map(|()| attention)
    }

    /// The rotation of blocks that see everything, or of those with a window.
    fn rope(&self, slides: bool) -> Result<nn::Rope> {
        let table = match &self.rope_parameters {
            Some(Rotations::Each { full_attention, sliding_attention }) => {
                Some(if slides { sliding_attention } else { full_attention }.clone())
            }
            Some(Rotations::One(table)) => Some(table.clone()),
            None => None,
        };
        let local = slides && self.third();
        let (theta, scaling, default) = match local {
            true => (("rope_local_base_freq", self.rope_local_base_freq), &None, 10_000.0),
            false => {
                let base = if self.third() { 1_000_000.0 } else { 10_000.0 };
                (("rope_theta", self.rope_theta), &self.rope_scaling, base)
            }
        };
        nn::RopeConfig {
            tables: [&table, scaling],
            theta: &[theta],
            ..nn::RopeConfig::new(self.head_dim, self.max_position_embeddings, default)
        }
        .resolve()
    }

    fn decoder(&self) -> Result<DecoderConfig> {
        Ok(DecoderConfig {
            vocab: self.vocab_size,
            hidden: self.hidden_size,
            blocks: self.num_hidden_layers,
            max_positions: self.rope(false)?.limit(self.max_position_embeddings),
            tied: self.tie_word_embeddings,
            norm: NormKind::RmsPlusOne,
            eps: self.rms_norm_eps,
            post_norms: true,
            embedding_scale: (self.hidden_size as f64).sqrt(),
            softcap: self.final_logit_softcapping,
            std: self.initializer_range,
            padding: self.pad_token_id,
            ..DecoderConfig::default()
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
        if let Some(types) = self.layer_types.as_ref().filter(|types| types.len() != self.num_hidden_layers) {
            let (given, blocks) = (types.len(), self.num_hidden_layers);
            return Err(PluginError::option("layer_types", format!("names {given} of {blocks} `num_hidden_layers`")));
        }
        if self.query_pre_attn_scalar <= 0.0 {
            return Err(PluginError::option("query_pre_attn_scalar", "must be positive"));
        }
        self.decoder()?.validate()
    }

    fn build(&self, m: &Scope) -> Result<Decoder> {
        let rotations = [self.rope(false)?.rotation(), self.rope(true)?.rotation()];
        let mlp = nn::GatedMlpConfig {
            hidden: self.hidden_size,
            size: self.intermediate_size,
            act: self.hidden_activation,
            init: Init::Normal(self.initializer_range),
            ..nn::GatedMlpConfig::default()
        };
        Decoder::new(m, self.decoder()?, |i, m| {
            let rotation = rotations[usize::from(self.slides(i))].clone();
            let attention = nn::GroupedAttention::new(&m.at("self_attn"), self.attention(i)?, rotation);
            Ok(Parts::new(attention, nn::GatedMlp::new(&m.at("mlp"), mlp)))
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
