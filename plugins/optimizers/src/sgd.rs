//! `sgd`: stochastic gradient descent.

use crate::check;
use framework_sdk::prelude::*;

options! {
    /// Stochastic gradient descent with momentum (Sutskever et al., 2013), as `torch.optim.SGD`.
    ///
    /// For the gradient g with learning rate γ, weight decay λ of every parameter and momentum μ:
    ///
    /// ```text
    /// g ← g + λθ
    /// b ← μb + g
    /// θ ← θ − γb              Nesterov: θ ← θ − γ(g + μb)
    /// ```
    #[serde(default)]
    pub struct Sgd {
        /// The learning rate at the schedule's peak.
        learning_rate: f64,
        /// Momentum: decay rate of the accumulated gradient; 0 turns it off.
        momentum: f64,
        /// Whether to use Nesterov momentum (Nesterov, 1983).
        nesterov: bool,
        /// Weight decay: this share of a parameter is added to its gradient.
        weight_decay: f64,
    }
}

impl Default for Sgd {
    fn default() -> Self {
        Self { learning_rate: 1e-2, momentum: 0.0, nesterov: false, weight_decay: 0.0 }
    }
}

impl Optimizer for Sgd {
    fn validate(&self) -> Result<()> {
        check::positive("learning_rate", self.learning_rate)?;
        check::below_one("momentum", self.momentum)?;
        check::not_negative("weight_decay", self.weight_decay)?;
        if self.nesterov && self.momentum == 0.0 {
            return Err(PluginError::option("nesterov", "needs a `momentum`, such as 0.9"));
        }
        Ok(())
    }

    fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    fn state(&self, param: &Param) -> Vec<StateSpec> {
        if self.momentum > 0.0 { vec![StateSpec::like("momentum_buffer", param)] } else { Vec::new() }
    }

    fn update(&self, update: &Update, param: Tensor, grad: Tensor, state: Vec<Tensor>) -> (Tensor, Vec<Tensor>) {
        let grad = if self.weight_decay > 0.0 { grad + &param * self.weight_decay } else { grad };
        let Some(buffer) = state.into_iter().next() else {
            return (param - grad * update.learning_rate, Vec::new());
        };
        let (buffer, direction) = if self.nesterov {
            let buffer = buffer * self.momentum + &grad;
            let direction = grad + &buffer * self.momentum;
            (buffer, direction)
        } else {
            let buffer = buffer * self.momentum + grad;
            (buffer.clone(), buffer)
        };
        (param - direction * update.learning_rate, vec![buffer])
    }
}

register!(optimizer "sgd" => Sgd, example = r#"
learning_rate = 0.01
momentum = 0.9
"#);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scalar::{assert_close, refused, steps};
    use framework_sdk::test;

    #[track_caller]
    fn gives(options: Value, expected: [f64; 4]) {
        assert_close(&steps("sgd", &options, Role::Linear, &[0.5, -1.25, 0.125, 2.0]), &expected);
    }

    #[test]
    fn gives_the_numbers_of_torch() {
        // torch.optim.SGD(p, lr=0.1, …) in float64
        gives(json!({"learning_rate": 0.1}), [1.45, 1.575, 1.5625, 1.3625]);
        gives(
            json!({"learning_rate": 0.1, "momentum": 0.9, "weight_decay": 0.25}),
            [1.4125, 1.4234375000000001, 1.3851953125, 1.1161474609375],
        );
        gives(
            json!({"learning_rate": 0.1, "momentum": 0.9, "nesterov": true, "weight_decay": 0.25}),
            [1.33375, 1.437021875, 1.3554673984374999, 0.8812666602929685],
        );
    }

    #[test]
    fn keeps_shapes() {
        test::optimizer("sgd", "").unwrap();
        test::optimizer("sgd", "momentum = 0.9").unwrap();
        test::optimizer("sgd", "momentum = 0.9\nnesterov = true").unwrap();
    }

    #[test]
    fn options_out_of_range_are_refused() {
        assert_eq!(refused("sgd", &json!({"nesterov": true})), "`nesterov` needs a `momentum`, such as 0.9");
        assert!(refused("sgd", &json!({"momentum": 1.5})).starts_with("`momentum` must be"));
    }
}
