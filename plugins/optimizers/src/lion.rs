//! `lion`: the sign of a momentum.

use crate::{check, decay::Decay};
use framework_sdk::prelude::*;

options! {
    /// Lion (Chen et al., 2023, arXiv:2302.06675), as `bitsandbytes.optim.Lion`: every number changes by the same
    /// amount in a step.
    ///
    /// For the gradient g with learning rate γ, weight decay λ and betas β₁, β₂:
    ///
    /// ```text
    /// θ ← θ − γλθ
    /// θ ← θ − γ sign(β₁m + (1 − β₁)g)
    /// m ← β₂m + (1 − β₂)g
    /// ```
    ///
    /// Its state takes half of AdamW's memory. Use a third to a tenth of AdamW's learning rate, and a weight decay that
    /// is larger by the same factor.
    #[serde(default)]
    pub struct Lion {
        /// The learning rate at the schedule's peak.
        learning_rate: f64,
        /// Weights of the old momentum in the update and in the new momentum.
        betas: [f64; 2],
        /// Decoupled weight decay: each step subtracts this share of a parameter, times the learning rate.
        weight_decay: f64,
        /// Which parameters weight decay applies to.
        decay: Decay,
    }
}

impl Default for Lion {
    fn default() -> Self {
        Self { learning_rate: 3e-5, betas: [0.9, 0.99], weight_decay: 0.0, decay: Decay::Matrices }
    }
}

impl Optimizer for Lion {
    fn validate(&self) -> Result<()> {
        check::positive("learning_rate", self.learning_rate)?;
        check::below_one("betas", self.betas[0])?;
        check::below_one("betas", self.betas[1])?;
        check::not_negative("weight_decay", self.weight_decay)
    }

    fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    fn state(&self, param: &Param) -> Vec<StateSpec> {
        vec![StateSpec::like("exp_avg", param)]
    }

    fn update(&self, update: &Update, param: Tensor, grad: Tensor, state: Vec<Tensor>) -> (Tensor, Vec<Tensor>) {
        let [momentum] = <[Tensor; 1]>::try_from(state).expect("the state declared above");
        let ([step, next], rate) = (self.betas, update.learning_rate);
        let direction = (&momentum * step + &grad * (1.0 - step)).sign();
        let param = self.decay.shrunk(param, self.weight_decay * rate, update.param);
        (param - direction * rate, vec![momentum * next + grad * (1.0 - next)])
    }
}

register!(optimizer "lion" => Lion, example = r#"
learning_rate = 3e-5
weight_decay = 0.1
"#);

#[cfg(test)]
mod tests {
    use crate::scalar::refused;
    use framework_sdk::{serde_json::json, test};

    #[test]
    fn keeps_shapes() {
        test::optimizer("lion", "betas = [0.95, 0.98]\nweight_decay = 0.1").unwrap();
    }

    #[test]
    fn options_out_of_range_are_refused() {
        assert!(refused("lion", &json!({"betas": [1.0, 0.9]})).ends_with("less than 1, not 1"));
    }
}
