//! `adamw-8bit`: AdamW that keeps its averages in 8 bits.

use crate::{adamw::AdamW, decay::Decay};
use framework_sdk::prelude::*;

options! {
    /// AdamW that keeps its running averages in 8 bits between steps (Dettmers et al., 2022, arXiv:2110.02861), as
    /// `bitsandbytes.optim.AdamW8bit`.
    ///
    /// A step is computed as in `adamw`, in 32 bits. Then both averages are quantized in blocks of 256 numbers with a
    /// scale each, to the nearest of 256 values that are denser near zero. They take about a quarter of the memory.
    /// Averages of small parameters keep 32 bits.
    #[serde(default)]
    pub struct AdamW8bit {
        /// The learning rate at the schedule's peak.
        learning_rate: f64,
        /// Decay rates of the running averages of the gradient and of its square.
        betas: [f64; 2],
        /// Epsilon, added to the denominator.
        epsilon: f64,
        /// Decoupled weight decay: each step subtracts this share of a parameter, times the learning rate.
        weight_decay: f64,
        /// Which parameters weight decay applies to.
        decay: Decay,
        /// Minimum number of elements of a parameter for its averages to be kept in 8 bits.
        min_size: usize,
    }
}

impl Default for AdamW8bit {
    fn default() -> Self {
        let AdamW { learning_rate, betas, epsilon, weight_decay, decay } = AdamW::default();
        Self { learning_rate, betas, epsilon, weight_decay, decay, min_size: 4096 }
    }
}

impl AdamW8bit {
    /// What computes the steps.
    fn adamw(&self) -> AdamW {
        let &Self { learning_rate, betas, epsilon, weight_decay, decay, .. } = self;
        AdamW { learning_rate, betas, epsilon, weight_decay, decay }
    }
}

impl Optimizer for AdamW8bit {
    fn validate(&self) -> Result<()> {
        self.adamw().validate()
    }

    fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    fn state(&self, param: &Param) -> Vec<StateSpec> {
        let formats = ["dynamic8", "dynamic8-unsigned"];
        let states = self.adamw().state(param).into_iter().zip(formats);
        states.map(|(state, format)| if param.len() < self.min_size { state } else { state.stored(format) }).collect()
    }

    fn update(&self, update: &Update, param: Tensor, grad: Tensor, state: Vec<Tensor>) -> (Tensor, Vec<Tensor>) {
        self.adamw().update(update, param, grad, state)
    }
}

register!(optimizer "adamw-8bit" => AdamW8bit, example = r#"
learning_rate = 2e-4
weight_decay = 0.01
"#);

#[cfg(test)]
mod tests {
    use super::*;
    use framework_sdk::test;

    #[test]
    fn large_parameters_alone_have_8_bits() {
        test::optimizer("adamw-8bit", "min_size = 1").unwrap();
        let formats = |shape: &[usize]| {
            let param = Param::new("w", shape, Init::Zeros, Role::Linear);
            let states = AdamW8bit::default().state(&param);
            states.into_iter().map(|state| state.storage.unwrap_or_default()).collect::<Vec<_>>()
        };
        assert_eq!(formats(&[64, 64]), ["dynamic8", "dynamic8-unsigned"]);
        assert_eq!(formats(&[4095]), ["", ""]);
    }
}
