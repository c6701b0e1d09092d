//! `mixtral`: the Mixtral architecture.

use framework_sdk::{
    nn::causal::{Common, Decoder, Parts, defaults::*},
    prelude::*,
};

options! {
    /// Mixtral (Jiang et al., 2024, arXiv:2401.04088): Mistral with a mixture of experts in each block.
    ///
    /// Numbers are those of `MixtralForCausalLM` in Hugging Face transformers, parameter names those of its files. The
    /// options are its `config.json`, in the layout of any version.
    #[schemars(transform = nn::causal::described)]
    pub struct Mixtral {
        vocab_size: usize,
        hidden_size: usize,
        num_hidden_layers: usize,
        num_attention_heads: usize,
        /// Number of key and value heads; null means `num_attention_heads`.
        #[serde(default = "some::<8>")] num_key_value_heads: Option<usize>,
        head_dim: Option<usize>,
        /// Size of the feed-forward layers of an expert.
        intermediate_size: usize,
        /// Number of experts.
        #[serde(default = "size::<8>", alias = "num_experts")] num_local_experts: usize,
        /// Number of experts that each token is routed to.
        #[serde(default = "size::<2>")] num_experts_per_tok: usize,
        /// Whether the load-balancing loss of the experts is added to the training loss.
        #[serde(default)] output_router_logits: bool,
        /// Weight of the load-balancing loss.
        #[serde(default = "aux_loss")] router_aux_loss_coef: f64,
        /// During training, the input of router and experts is multiplied by uniform noise between 1 minus and 1 plus
        /// this; 0 turns it off.
        #[serde(default)] router_jitter_noise: f64,
        #[serde(default = "size::<131_072>")] max_position_embeddings: usize,
        #[serde(default)] sliding_window: Option<usize>,
        /// Activation of the experts: `gelu`, `gelu_new`, `relu` or `silu`.
        #[serde(default = "silu")] hidden_act: nn::HiddenAct,
        #[serde(default = "rms_norm_eps")] rms_norm_eps: f64,
        #[serde(default = "initializer_range")] initializer_range: f64,
        #[serde(default)] tie_word_embeddings: bool,
        #[serde(default)] attention_dropout: f64,
        #[serde(default)] pad_token_id: Option<i64>,
        /// Base of the rotary frequencies. Default: 1000000.
        rope_theta: Option<f64>,
        rope_parameters: Option<nn::RopeTable>,
        rope_scaling: Option<nn::RopeTable>,
    }
}

fn aux_loss() -> f64 {
    0.001
}
fn rms_norm_eps() -> f64 {
    1e-5
}

impl Mixtral {
    fn common(&self) -> Result<Common> {
        Ok(Common { default_theta: 1_000_000.0, ..Common::of(self)? })
    }

    fn experts(&self) -> Result<nn::ExpertsConfig> {
        Ok(nn::ExpertsConfig {
            count: self.num_local_experts,
            per_token: self.num_experts_per_tok,
            expert: nn::GatedMlpConfig { names: ["w1", "w3", "w2"], ..self.common()?.mlp() },
            balance: self.output_router_logits.then_some(self.router_aux_loss_coef),
            jitter: self.router_jitter_noise,
        })
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
}

impl ModelArch for Mixtral {
    type Net = Decoder;

    fn validate(&self) -> Result<()> {
        self.experts()?.validate()?;
        self.common()?.validate()
    }

    fn build(&self, m: &Scope) -> Result<Decoder> {
        let (common, experts) = (self.common()?, self.experts()?);
        let (attention, rope) = (common.attention()?, common.rope()?);
        let (decoder, rotation) = (common.decoder(&rope), rope.rotation());
        Decoder::new(m, decoder, |_, m| {
            let attention = nn::GroupedAttention::new(&m.at("self_attn"), attention, rotation.clone());
            let experts = nn::Experts::new(&m.at("block_sparse_moe"), experts);
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
