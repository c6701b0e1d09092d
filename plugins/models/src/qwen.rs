//! `qwen`: the Qwen2 and Qwen3 architectures.

mod config;

pub use config::{Generation, Qwen};

use crate::layer_types::{LayerType, one_for_each};
use framework_sdk::{
    nn::causal::{Decoder, DecoderConfig, Parts, head_size, only},
    prelude::*,
};

impl Qwen {
    /// What a token of this block sees, if not everything before it.
    fn window(&self, index: usize) -> Option<usize> {
        let sliding = match &self.layer_types {
            Some(types) => types.get(index) == Some(&LayerType::SlidingAttention),
            None => index >= self.max_window_layers,
        };
        self.sliding_window.filter(|_| self.use_sliding_window && sliding)
    }

    fn attention(&self, index: usize) -> Result<nn::GroupedAttentionConfig> {
        let (heads, third) = (self.num_attention_heads, self.model_type == Generation::Qwen3);
        let bias = third && self.attention_bias.unwrap_or(false);
        let attention = nn::GroupedAttentionConfig {
            hidden: self.hidden_size,
            heads,
            kv_heads: self.num_key_value_heads.unwrap_or(heads),
            head_size: head_size(self.head_dim.or(third.then_some(128)), self.hidden_size, heads)?,
            qkv_bias: bias || !third,
            output_bias: bias,
            qk_norm: third.then_some((NormKind::Rms, self.rms_norm_eps)),
            window: self.window(index),
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
            ..nn::RopeConfig::new(self.attention(0)?.head_size, self.max_position_embeddings, 10_000.0)
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

impl ModelArch for Qwen {
    type Net = Decoder;

    fn validate(&self) -> Result<()> {
        only("use_mrope", &self.use_mrope.unwrap_or(false), false)?;
        if self.model_type == Generation::Qwen2 && self.attention_bias == Some(false) {
            let message = "is false, but queries, keys and values of qwen2 have biases";
            return Err(PluginError::option("attention_bias", message));
        }
        one_for_each(self.layer_types.as_ref(), self.num_hidden_layers)?;
        let window = self.sliding_window.filter(|_| self.use_sliding_window);
        if window.is_none() && self.layer_types.iter().flatten().any(|kind| *kind == LayerType::SlidingAttention) {
            let message =
                "`layer_types` has `sliding_attention`, which needs `use_sliding_window` and `sliding_window`";
            return Err(PluginError::new(message));
        }
        (0..self.num_hidden_layers).try_for_each(|index| self.attention(index).map(drop))?;
        self.decoder()?.validate()
    }

    fn build(&self, m: &Scope) -> Result<Decoder> {
        let rotation = self.rope()?.rotation();
        let (hidden, size, init) = (self.hidden_size, self.intermediate_size, Init::Normal(self.initializer_range));
        let mlp = nn::GatedMlpConfig::new(hidden, size, self.hidden_act, init);
        Decoder::new(m, self.decoder()?, |i, m| {
            let attention = nn::GroupedAttention::new(&m.at("self_attn"), self.attention(i)?, rotation.clone());
            Ok(Parts::new(attention, nn::GatedMlp::new(&m.at("mlp"), mlp)))
        })
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
