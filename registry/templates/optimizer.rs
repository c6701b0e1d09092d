//! The optimizer `__name__`.

use framework_sdk::prelude::*;

options! {
    /// Lion (Chen et al., 2023, arXiv:2302.06675): steps of one size, by the sign of an interpolated momentum.
    pub struct __Type__ {
        /// The learning rate.
        learning_rate: f64,
        /// How much of the momentum enters a step.
        #[serde(default = "beta1")]
        beta1: f64,
        /// How much of the momentum is kept.
        #[serde(default = "beta2")]
        beta2: f64,
        /// Pulls parameters towards zero.
        #[serde(default)]
        weight_decay: f64,
    }
}

fn beta1() -> f64 {
    0.9
}

fn beta2() -> f64 {
    0.99
}

impl Optimizer for __Type__ {
    fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    fn state(&self, param: &Param) -> Vec<StateSpec> {
        vec![StateSpec::like("exp_avg", param)]
    }

    fn update(&self, update: &Update, param: Tensor, grad: Tensor, state: Vec<Tensor>) -> (Tensor, Vec<Tensor>) {
        let [momentum] = <[Tensor; 1]>::try_from(state).expect("the state that was asked for");
        let step = (&momentum * self.beta1 + &grad * (1.0 - self.beta1)).sign();
        let kept = momentum * self.beta2 + grad * (1.0 - self.beta2);
        let decayed = param * (1.0 - update.learning_rate * self.weight_decay);
        (decayed - step * update.learning_rate, vec![kept])
    }
}

register!(optimizer "__name__" => __Type__, example = "learning_rate = 1e-4");

#[cfg(test)]
mod tests {
    use framework_sdk::test;

    #[test]
    fn updates_keep_shapes() {
        test::optimizer("__name__", "learning_rate = 0.01\nweight_decay = 0.1").unwrap();
    }

    #[test]
    fn conforms() {
        test::all_plugins();
    }
}
