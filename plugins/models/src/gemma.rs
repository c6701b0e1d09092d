//! `gemma`: the Gemma 2 and Gemma 3 text architectures.

mod config;

pub use config::{Gemma, Generation, Rotations};

use crate::layer_types::{LayerType, one_for_each};
use framework_sdk::{
    nn::causal::{Decoder, DecoderConfig, Parts, only},
    prelude::*,
    serde_json::Map,
};

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
        one_for_each(self.layer_types.as_ref(), self.num_hidden_layers)?;
        if self.query_pre_attn_scalar <= 0.0 {
            return Err(PluginError::option("query_pre_attn_scalar", "must be positive"));
        }
        self.decoder()?.validate()
    }

    fn build(&self, m: &Scope) -> Result<Decoder> {
        let rotations = [self.rope(false)?.rotation(), self.rope(true)?.rotation()];
        let (hidden, size, init) = (self.hidden_size, self.intermediate_size, Init::Normal(self.initializer_range));
        let mlp = nn::GatedMlpConfig::new(hidden, size, self.hidden_activation, init);
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
