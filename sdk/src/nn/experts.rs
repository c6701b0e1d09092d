//! Mixture of experts.

use super::{GatedMlp, GatedMlpConfig, Layer};
use crate::{Ctx, Dense, Linear, PluginError, Result, Scope, Tensor};

/// What a mixture of experts is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ExpertsConfig {
    /// Number of experts.
    pub count: usize,
    /// Experts that a token goes to.
    pub per_token: usize,
    /// One expert.
    pub expert: GatedMlpConfig,
    /// Weight of the load balance in the training loss ([`Ctx::balance`]), if it is part of it.
    pub balance: Option<f64>,
    /// While training, what router and experts read is multiplied by random numbers from `1 - jitter` to `1 + jitter`.
    pub jitter: f64,
}

impl ExpertsConfig {
    /// An error if a token is to go to more experts than there are, or to none, or if the jitter is no width.
    pub fn validate(&self) -> Result<()> {
        if !(0.0..1.0).contains(&self.jitter) {
            let message = format!("`router_jitter_noise` must be at least 0 and less than 1, not {}", self.jitter);
            return Err(PluginError::new(message).key("router_jitter_noise"));
        }
        if (1..=self.count).contains(&self.per_token) {
            return Ok(());
        }
        let message = format!(
            "`num_experts_per_tok` must be at least 1 and at most the number of experts, {}; it is {}",
            self.count, self.per_token
        );
        Err(PluginError::new(message).key("num_experts_per_tok"))
    }
}

/// Sparse mixture of experts (Shazeer et al., 2017, arXiv:1701.06538; Jiang et al., 2024, arXiv:2401.04088): a router
/// sends every token to its likeliest experts and weighs what they give by their probabilities, which are made to sum
/// to 1. Only experts that a token goes to are computed.
#[derive(Debug)]
pub struct Experts {
    config: ExpertsConfig,
    router: Linear,
    experts: Vec<GatedMlp>,
}

impl Experts {
    /// Declares `gate` and `experts.0` ….
    pub fn new(m: &Scope, config: ExpertsConfig) -> Self {
        let GatedMlpConfig { hidden: input, init, .. } = config.expert;
        let router = m.linear("gate", Dense { input, out: config.count, init, layer: "router", ..Dense::default() });
        let expert = |i| GatedMlp::new(&m.at(&format!("experts.{i}")), config.expert);
        Self { config, router, experts: (0..config.count).map(expert).collect() }
    }
}

impl Layer for Experts {
    fn forward(&self, cx: &Ctx, x: Tensor) -> Tensor {
        let [batch, time, hidden] = [0, 1, 2].map(|dim| x.dim(dim) as i64);
        let ExpertsConfig { count, per_token: slots, balance, jitter, .. } = self.config;
        let tokens = (batch * time) as usize;
        let x = cx.noise(x, jitter).reshape([-1, hidden]);
        let probabilities = self.router.forward(cx, &x).softmax(-1);
        let chosen = probabilities.clone().top_k(slots);
        let weights = probabilities.clone().gather(-1, &chosen);
        let weights = (weights.clone() / weights.sum(-1)).reshape([-1, 1]);
        if let Some(weight) = balance {
            let all = chosen.arange(0, count).reshape([1, 1, -1]);
            let counts = chosen.clone().reshape([tokens as i64, slots as i64, 1]).equal(all).cast(x.dtype()).sum(1);
            cx.balance("router", counts.reshape([tokens as i64, -1]), probabilities, weight);
        }
        // Pairs of a token and one of its experts, token by token.
        let owners = chosen.arange(0, tokens).reshape([-1, 1]).expand([tokens, slots]).reshape([-1]);
        let chosen = chosen.reshape([-1]);
        let mut mixed = x.full([tokens, hidden as usize], 0.0, x.dtype());
        for (expert, layer) in self.experts.iter().enumerate() {
            let pairs = chosen.clone().equal_to(expert as f64).non_zero();
            if pairs.dim(0) == 0 {
                continue;
            }
            let rows = owners.clone().index_select(0, &pairs);
            let given = x.clone().index_select(0, &rows);
            let given = layer.forward(cx, given);
            mixed = mixed.index_add(0, rows, given * weights.clone().index_select(0, pairs));
        }
        mixed.reshape([batch, time, hidden])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        DType, Logits, ModelSpec,
        meta::{Cost, MetaHost},
    };

    fn experts(count: usize, per_token: usize) -> ExpertsConfig {
        let names = ["w1", "w3", "w2"];
        let expert = GatedMlpConfig { hidden: 32, size: 96, names, ..GatedMlpConfig::default() };
        ExpertsConfig { count, per_token, expert, balance: Some(0.02), jitter: 0.0 }
    }

    fn cost(config: ExpertsConfig) -> Cost {
        let mut experts = None;
        let spec = ModelSpec::declared(|m| {
            experts = Some(Experts::new(&m.at("moe"), config));
            m.output("head", 32, 8, Logits::default());
        });
        let spec = spec.unwrap();
        let host = MetaHost::new(&spec, None, 4, 64).unwrap();
        let y = experts.unwrap().forward(&host.context(), host.tensor(&[4, 64, 32], DType::F32));
        assert_eq!(y.shape(), [4, 64, 32]);
        assert_eq!(host.cost().used.len(), spec.params.len() - 1);
        host.cost()
    }

    #[test]
    fn only_the_experts_that_tokens_go_to_are_counted() {
        let products = |slots: u64| 2 * 3 * 256 * slots * 32 * 96;
        // What goes with the number of experts besides: the router and the choice.
        for (count, slots) in [(4, 2), (16, 2), (64, 2), (16, 1)] {
            let router = 256 * count as u64 * (2 * 32 + 3 * slots + 8);
            let flops = cost(experts(count, slots as usize)).flops;
            assert!(flops > products(slots) && flops < products(slots) * 11 / 10 + router, "{count}: {flops}");
        }
    }

    #[test]
    fn a_token_goes_to_one_expert_at_least_and_to_all_at_most() {
        assert!(experts(4, 4).validate().is_ok());
        for wrong in [0, 5] {
            let message = experts(4, wrong).validate().unwrap_err().message;
            assert!(message.ends_with(&format!("at most the number of experts, 4; it is {wrong}")), "{message}");
        }
    }
}
