//! Noise on embeddings in training: NEFTune (Jain et al., 2023, arXiv:2310.05914), as transformers has it.

use super::{Network, pass::Pass};
use framework_core::{Result, Tensor, ffi};
use std::sync::Arc;

impl Network {
    /// Adds to embeddings, in training, uniform random numbers of at most `alpha / √(time · hidden)`, for rows of `time`
    /// tokens, padding included. They are a function of the pass's seed. 0 adds nothing.
    pub fn set_noise(&mut self, alpha: f64) {
        self.noise = alpha;
    }

    /// Embeddings `[rows, time, hidden]` with their noise.
    pub(super) fn noised(&self, pass: &Arc<Pass>, embedded: Tensor) -> Result<Tensor> {
        if self.noise == 0.0 {
            return Ok(embedded);
        }
        let shape = embedded.shape();
        let most = self.noise / ((shape[1] * shape[2]) as f64).sqrt();
        Ok(match pass.uniform(&shape, most)? {
            Some(noise) => embedded + ffi::wrap(noise),
            None => embedded,
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        Value,
        pass::{Mode, Pass, Setup, Stage},
        test::probe,
    };
    use framework_base::{Batch, Sequence};
    use framework_core::ffi::HostTensor;
    use framework_sdk::prelude::json;
    use std::sync::Arc;

    fn network(alpha: f64) -> Arc<crate::Network> {
        let network = probe::network(json!({}), json!({ "trained": ["embed.weight", "blocks.1.scale"] }));
        let mut network = Arc::into_inner(network).unwrap();
        network.set_noise(alpha);
        Arc::new(network)
    }

    fn embedded(alpha: f64, mode: Mode) -> Vec<f32> {
        let (network, rows, time) = (network(alpha), 50, 10);
        let pass = Pass::new(&network, Setup { mode, ..Setup::plain(rows, time) });
        let ids = Value::from_ints(vec![3; rows * time], &[rows, time], network.device()).unwrap();
        let embedded = network.stage(&pass, Stage::Embed, ids).unwrap();
        assert_eq!(embedded.shape(), [rows, time, 4]);
        embedded.to_f32().unwrap()
    }

    #[test]
    fn is_uniform_within_the_bound_of_the_paper_and_in_training_alone() {
        let plain = embedded(5.0, Mode::Evaluate);
        assert_eq!(plain, embedded(0.0, Mode::Train { seed: 1 }));
        let first = embedded(5.0, Mode::Train { seed: 1 });
        assert_eq!(first, embedded(5.0, Mode::Train { seed: 1 }));
        assert_ne!(first, embedded(5.0, Mode::Train { seed: 2 }));
        let noise: Vec<f64> = first.iter().zip(&plain).map(|(a, b)| f64::from(a - b)).collect();
        let bound = 5.0 / f64::sqrt(10.0 * 4.0);
        let largest = noise.iter().fold(0f64, |most, x| most.max(x.abs()));
        assert!(largest <= bound * 1.000_01 && largest > bound * 0.99, "{largest}, {bound}");
        let (count, mean) = (noise.len() as f64, noise.iter().sum::<f64>() / noise.len() as f64);
        let variance = noise.iter().map(|x| x * x).sum::<f64>() / count;
        // Four deviations of the mean of 2000 numbers.
        assert!(mean.abs() < 4.0 * bound / f64::sqrt(3.0 * count), "{mean}");
        assert!((variance / (bound * bound / 3.0) - 1.0).abs() < 0.08, "{variance}");
    }

    #[test]
    fn is_the_same_when_activations_are_computed_again() {
        let ids = [1, 5, 2, 3];
        let sequence = Sequence { ids: ids.to_vec(), labels: ids.map(|id| id as i32).to_vec() };
        let step = |alpha, checkpointing| {
            let (loss, grads) = network(alpha).gradients(&Batch::new([&sequence], 0), 1.0, 7, checkpointing).unwrap();
            let grads: Vec<_> = grads.0.into_iter().map(|(name, grad)| (name, grad.to_f32().unwrap())).collect();
            (loss, grads)
        };
        assert_eq!(step(2.0, false), step(2.0, true));
        assert_ne!(step(2.0, false).0, step(0.0, false).0);
    }
}
