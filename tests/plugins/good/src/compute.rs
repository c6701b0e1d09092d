//! An adapter and an optimizer.

use framework_sdk::prelude::*;

options! {
    /// Trains the biases that the model has and adds nothing (BitFit; Zaken et al., 2022, arXiv:2106.10199).
    pub struct BitFit {}
}

impl Adapter for BitFit {
    type Net = Nothing;

    fn build(&self, model: &ModelSpec, a: &Attach) -> Result<Nothing> {
        let biases: Vec<_> = model.params.iter().filter(|p| p.role == Role::Bias).collect();
        if biases.is_empty() {
            return Err(PluginError::new("the model has no biases to train; choose another adapter"));
        }
        biases.into_iter().for_each(|bias| a.train(bias));
        Ok(Nothing)
    }
}

register!(adapter "bitfit" => BitFit, example = "");

options! {
    /// Moves every parameter by the learning rate, against the sign of its momentum.
    pub struct SignSgd {
        /// The learning rate.
        #[serde(default = "rate")]
        learning_rate: f64,
        /// How much of the past the momentum keeps; 0 is none.
        #[serde(default)]
        momentum: f64,
    }
}

fn rate() -> f64 {
    1e-3
}

impl Optimizer for SignSgd {
    fn validate(&self) -> Result<()> {
        match self.momentum {
            m if (0.0..1.0).contains(&m) => Ok(()),
            m => Err(PluginError::new(format!("momentum = {m} is not in [0, 1)"))),
        }
    }

    fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    fn state(&self, param: &Param) -> Vec<StateSpec> {
        vec![StateSpec::like("momentum", param)]
    }

    fn update(&self, update: &Update, param: Tensor, grad: Tensor, mut state: Vec<Tensor>) -> (Tensor, Vec<Tensor>) {
        let momentum = match state.pop() {
            Some(old) => old * self.momentum + grad * (1.0 - self.momentum),
            None => grad,
        };
        (param - momentum.clone().sign() * update.learning_rate, vec![momentum])
    }
}

register!(optimizer "sign-sgd" => SignSgd, example = "learning_rate = 1e-3\nmomentum = 0.9");
