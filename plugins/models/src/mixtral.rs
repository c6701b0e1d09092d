//! `mixtral`: the Mixtral architecture.

use crate::defaults::{initializer_range, kv_heads, silu};
use framework_sdk::{
    nn::causal::{Decoder, DecoderConfig, Parts, head_size},
    prelude::*,
};

options! {
    /// Mixtral (Jiang et al., 2024, arXiv:2401.04088): Mistral with a mixture of experts in each block.
    ///
    /// Numbers are those of `MixtralForCausalLM` in Hugging Face transformers, parameter names those of its files. The
    /// options are its `config.json`, in the layout of any version.
    pub struct Mixtral {
        /// Size of the vocabulary.
        vocab_size: usize,
        /// Size of the hidden states.
        hidden_size: usize,
        /// Number of blocks.
        num_hidden_layers: usize,
        /// Number of attention heads.
        num_attention_heads: usize,
        /// Number of key and value heads; null means `num_attention_heads`.
        #[serde(default = "kv_heads")]
        num_key_value_heads: Option<usize>,
        /// Size of an attention head. Default: `hidden_size / num_attention_heads`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        head_dim: Option<usize>,
        /// Size of the feed-forward layers of an expert.
        intermediate_size: usize,
        /// Number of experts.
        #[serde(default = "experts", alias = "num_experts")]
        num_local_experts: usize,
        /// Number of experts that each token is routed to.
        #[serde(default = "per_token")]
        num_experts_per_tok: usize,
        /// Whether the load-balancing loss of the experts is added to the training loss.
        #[serde(default)]
        output_router_logits: bool,
        /// Weight of the load-balancing loss.
        #[serde(default = "aux_loss")]
        router_aux_loss_coef: f64,
        /// During training, the input of router and experts is multiplied by uniform noise between 1 minus and 1 plus
        /// this; 0 turns it off.
        #[serde(default)]
        router_jitter_noise: f64,
        /// Maximum number of positions in a sequence.
        #[serde(default = "max_positions")]
        max_position_embeddings: usize,
        /// Size of the sliding window: a token attends to at most this many tokens, itself included. Null means no
        /// window.
        #[serde(default)]
        sliding_window: Option<usize>,
        /// Activation of the experts: `gelu`, `gelu_new`, `relu` or `silu`.
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
        /// Dropout probability of attention weights during training.
        #[serde(default)]
        attention_dropout: f64,
        /// Id of the padding token, whose embedding is not trained.
        #[serde(default)]
        pad_token_id: Option<i64>,
        /// Base of the rotary frequencies. Default: 1000000.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rope_theta: Option<f64>,
        /// Rotary position embedding, as transformers 5 writes it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rope_parameters: Option<nn::RopeTable>,
        /// Rotary scaling, as transformers 4 writes it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rope_scaling: Option<nn::RopeTable>,
    }
}

fn experts() -> usize {
    8
}
fn per_token() -> usize {
    2
}
fn aux_loss() -> f64 {
    0.001
}
fn max_positions() -> usize {
    131_072
}
fn rms_norm_eps() -> f64 {
    1e-5
}

impl Mixtral {
    fn attention(&self) -> Result<nn::GroupedAttentionConfig> {
        let heads = self.num_attention_heads;
        let attention = nn::GroupedAttentionConfig {
            hidden: self.hidden_size,
            heads,
            kv_heads: self.num_key_value_heads.unwrap_or(heads),
            head_size: head_size(self.head_dim, self.hidden_size, heads)?,
            window: self.sliding_window,
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
            ..nn::RopeConfig::new(self.attention()?.head_size, self.max_position_embeddings, 1_000_000.0)
        }
        .resolve()
    }

    fn experts(&self) -> nn::ExpertsConfig {
        let (size, init) = (self.intermediate_size, Init::Normal(self.initializer_range));
        let expert = nn::GatedMlpConfig::new(self.hidden_size, size, self.hidden_act, init);
        let expert = nn::GatedMlpConfig { names: ["w1", "w3", "w2"], ..expert };
        nn::ExpertsConfig {
            count: self.num_local_experts,
            per_token: self.num_experts_per_tok,
            expert,
            balance: self.output_router_logits.then_some(self.router_aux_loss_coef),
            jitter: self.router_jitter_noise,
        }
    }

    /// The experts as transformers 5 has them in memory, and saves them with `save_original_format=False`: all in one
    /// tensor, gate and up projection together.
    fn fused(&self, m: &Scope) {
        let (count, hidden, inner) = (self.num_local_experts, self.hidden_size, self.intermediate_size);
        let (both, down, size) = ("mlp.experts.gate_up_proj", "mlp.experts.down_proj", inner * hidden);
        m.stored_in("block_sparse_moe.gate.weight", "mlp.gate.weight", &[count, hidden], 0);
        for expert in 0..count {
            let weight = |name: &str| format!("block_sparse_moe.experts.{expert}.{name}.weight");
            let shape = [count, 2 * inner, hidden];
            m.stored_in(&weight("w1"), both, &shape, 2 * expert * size);
            m.stored_in(&weight("w3"), both, &shape, (2 * expert + 1) * size);
            m.stored_in(&weight("w2"), down, &[count, hidden, inner], expert * size);
        }
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

impl ModelArch for Mixtral {
    type Net = Decoder;

    fn validate(&self) -> Result<()> {
        self.experts().validate()?;
        self.decoder()?.validate()
    }

    fn build(&self, m: &Scope) -> Result<Decoder> {
        let (attention, rotation) = (self.attention()?, self.rope()?.rotation());
        Decoder::new(m, self.decoder()?, |_, m| {
            let attention = nn::GroupedAttention::new(&m.at("self_attn"), attention, rotation.clone());
            let experts = nn::Experts::new(&m.at("block_sparse_moe"), self.experts());
            self.fused(m);
            Ok(Parts::new(attention, experts))
        })
    }
}

register!(model "mixtral" aliases ["mixtral", "MixtralForCausalLM"] => Mixtral, example = r#"
vocab_size = 32000
hidden_size = 256
num_hidden_layers = 4
num_attention_heads = 8
num_key_value_heads = 4
intermediate_size = 512
num_local_experts = 8
num_experts_per_tok = 2
"#);

#[cfg(test)]
mod tests;
