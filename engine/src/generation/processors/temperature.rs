//! Temperature.

use super::Processor;

/// Divides all scores.
pub(super) struct Temperature(pub f32);

impl Processor for Temperature {
    fn apply(&self, _history: &[u32], _prompt: usize, scores: &mut [f32]) {
        scores.iter_mut().for_each(|score| *score /= self.0);
    }
}
