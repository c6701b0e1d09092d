//! Lion: an optimizer that moves every number by the same amount.

use framework_sdk::prelude::*;

options! {
    /// Lion (Chen et al., 2023, arXiv:2302.06675): the sign of an average of gradient and momentum, with decay apart from
    /// the gradient.
    pub struct Lion {
        /// The learning rate; a third to a tenth of what AdamW takes.
        #[serde(default = "learning_rate")]
        #[schemars(extend("exclusiveMinimum" = 0))]
        learning_rate: f64,
        /// Share of the momentum in the step and in the next momentum.
        #[serde(default = "betas")]
        betas: [f64; 2],
        /// Share of the learning rate by which weights shrink.
        #[serde(default)]
        #[schemars(range(min = 0))]
        weight_decay: f64,
    }
}

fn learning_rate() -> f64 {
    1e-4
}
fn betas() -> [f64; 2] {
    [0.9, 0.99]
}

impl Optimizer for Lion {
    fn validate(&self) -> Result<()> {
        match self.betas.iter().find(|beta| !(0.0..1.0).contains(*beta)) {
            Some(beta) => Err(PluginError::option("betas", format!("must be at least 0 and less than 1, not {beta}"))),
            None => Ok(()),
        }
    }

    fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    fn state(&self, param: &Param) -> Vec<StateSpec> {
        vec![StateSpec::like("momentum", param)]
    }

    fn update(&self, update: &Update, param: Tensor, grad: Tensor, mut state: Vec<Tensor>) -> (Tensor, Vec<Tensor>) {
        let momentum = state.pop().unwrap_or_else(|| grad.clone() * 0.0);
        let average = |beta: f64| &momentum * beta + &grad * (1.0 - beta);
        let [step, keep] = self.betas;
        let rate = update.learning_rate;
        let shrunk = if self.weight_decay == 0.0 { param } else { param * (1.0 - rate * self.weight_decay) };
        (shrunk - average(step).sign() * rate, vec![average(keep)])
    }
}

register!(optimizer "acme-lion" => Lion, example = "learning_rate = 1e-4\nweight_decay = 0.1");

#[cfg(test)]
mod tests {
    use framework_sdk::test;

    #[test]
    fn keeps_shapes() {
        test::optimizer("acme-lion", "betas = [0.95, 0.98]").unwrap();
        assert!(
            test::optimizer("acme-lion", "betas = [1.0, 0.98]").unwrap_err().message.contains("less than 1, not 1")
        );
    }

    #[test]
    fn conforms() {
        test::all_plugins();
    }
}
