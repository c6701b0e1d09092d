//! Repetition penalty (Keskar et al., 2019, arXiv:1909.05858).

use super::Processor;
use std::collections::BTreeSet;

/// Divides positive scores of tokens that have occurred by the penalty and multiplies negative ones with it.
pub(super) struct RepetitionPenalty(pub f32);

impl Processor for RepetitionPenalty {
    fn apply(&self, history: &[u32], _prompt: usize, scores: &mut [f32]) {
        for token in history.iter().copied().collect::<BTreeSet<_>>() {
            if let Some(score) = scores.get_mut(token as usize) {
                *score = if *score < 0.0 { *score * self.0 } else { *score / self.0 };
            }
        }
    }
}
