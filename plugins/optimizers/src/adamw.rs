//! `adamw`: Adam with decoupled weight decay.

use crate::{check, decay::Decay};
use framework_sdk::prelude::*;

options! {
    /// Adam with decoupled weight decay (Loshchilov and Hutter, 2019, arXiv:1711.05101), as `torch.optim.AdamW`.
    ///
    /// For the gradient g at step t with learning rate γ, weight decay λ and betas β₁, β₂:
    ///
    /// ```text
    /// θ ← θ − γλθ
    /// m ← β₁m + (1 − β₁)g        m̂ = m / (1 − β₁ᵗ)
    /// v ← β₂v + (1 − β₂)g²       v̂ = v / (1 − β₂ᵗ)
    /// θ ← θ − γ m̂ / (√v̂ + ε)
    /// ```
    #[serde(default)]
    pub struct AdamW {
        /// The learning rate at the schedule's peak.
        pub learning_rate: f64,
        /// Decay rates of the running averages of the gradient and of its square.
        pub betas: [f64; 2],
        /// Epsilon, added to the denominator.
        pub epsilon: f64,
        /// Decoupled weight decay: each step subtracts this share of a parameter, times the learning rate.
        pub weight_decay: f64,
        /// Which parameters weight decay applies to.
        pub decay: Decay,
    }
}

impl Default for AdamW {
    fn default() -> Self {
        Self { learning_rate: 2e-4, betas: [0.9, 0.999], epsilon: 1e-8, weight_decay: 0.0, decay: Decay::Matrices }
    }
}

impl Optimizer for AdamW {
    fn validate(&self) -> Result<()> {
        check::positive("learning_rate", self.learning_rate)?;
        check::below_one("betas", self.betas[0])?;
        check::below_one("betas", self.betas[1])?;
        check::positive("epsilon", self.epsilon)?;
        check::not_negative("weight_decay", self.weight_decay)
    }

    fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    fn state(&self, param: &Param) -> Vec<StateSpec> {
        vec![StateSpec::like("exp_avg", param), StateSpec::like("exp_avg_sq", param)]
    }

    fn update(&self, update: &Update, param: Tensor, grad: Tensor, state: Vec<Tensor>) -> (Tensor, Vec<Tensor>) {
        let ([beta1, beta2], lr) = (self.betas, update.learning_rate);
        let [m, v] = <[Tensor; 2]>::try_from(state).expect("the two states declared above");
        let param = self.decay.shrunk(param, lr * self.weight_decay, update.param);

        let v = v * beta2 + &grad * &grad * (1.0 - beta2);
        let m = m * beta1 + grad * (1.0 - beta1);
        let [correction1, correction2] = self.betas.map(|beta| 1.0 - beta.powf(update.step as f64));
        let denominator = v.clone().sqrt() * (1.0 / correction2.sqrt()) + self.epsilon;
        let param = param - m.clone() / denominator * (lr / correction1);
        (param, vec![m, v])
    }
}

register!(optimizer "adamw" => AdamW, example = r#"
learning_rate = 2e-4
weight_decay = 0.01
"#);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scalar::{assert_close, refused, steps};
    use framework_sdk::{Kind, test};

    const GRADS: [f64; 4] = [0.5, -1.25, 0.125, 2.0];

    fn options(decay: &str) -> Value {
        json!({"learning_rate": 0.1, "betas": [0.8, 0.95], "epsilon": 1e-3, "weight_decay": 0.25, "decay": decay})
    }

    #[test]
    fn gives_the_numbers_of_torch() {
        // torch.optim.AdamW(p, lr=0.1, betas=(0.8, 0.95), eps=1e-3, weight_decay=0.25) in float64
        let expected = [1.3626996007984031, 1.3777314537716077, 1.3724950199408834, 1.2954650795630407];
        assert_close(&steps("adamw", &options("all"), Role::Bias, &GRADS), &expected);
    }

    #[test]
    fn biases_do_not_decay_unless_asked_to() {
        let mut without = options("all");
        without["weight_decay"] = 0.into();
        let expected = steps("adamw", &without, Role::Bias, &GRADS);
        assert_close(&steps("adamw", &options("matrices"), Role::Bias, &GRADS), &expected);
    }

    #[test]
    fn keeps_shapes_and_shows_its_defaults() {
        test::optimizer("adamw", "").unwrap();
        let schema = test::declaration(Kind::Optimizer, "adamw").about.schema;
        let default = |option: &str| schema["properties"][option]["default"].clone();
        assert_eq!(default("learning_rate"), json!(2e-4));
        assert_eq!(default("betas"), json!([0.9, 0.999]));
        assert_eq!(default("decay"), json!("matrices"));
    }

    #[test]
    fn options_out_of_range_are_refused() {
        assert_eq!(refused("adamw", &json!({"learning_rate": 0.0})), "`learning_rate` must be positive, not 0");
        assert_eq!(
            refused("adamw", &json!({"betas": [0.9, 1.0]})),
            "`betas` must be at least 0 and less than 1, not 1"
        );
        assert_eq!(refused("adamw", &json!({"weight_decay": -0.1})), "`weight_decay` must be 0 or more, not -0.1");
    }
}
