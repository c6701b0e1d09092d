//! Top-k (Fan et al., 2018, arXiv:1805.04833).

use super::Processor;

/// Excludes what scores below the k-th highest.
pub(super) struct TopK(pub usize);

impl Processor for TopK {
    fn apply(&self, _history: &[u32], _prompt: usize, scores: &mut [f32]) {
        if self.0 >= scores.len() {
            return;
        }
        let mut sorted = scores.to_vec();
        let (_, &mut least, _) = sorted.select_nth_unstable_by(self.0 - 1, |a, b| b.total_cmp(a));
        scores.iter_mut().filter(|score| **score < least).for_each(|score| *score = f32::NEG_INFINITY);
    }
}
