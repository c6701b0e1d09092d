//! No n-gram twice (Paulus et al., 2017, arXiv:1705.04304).

use super::Processor;

/// Excludes every token that would complete a sequence of so many tokens that has occurred.
pub(super) struct NoRepeatNgram(pub usize);

impl Processor for NoRepeatNgram {
    fn apply(&self, history: &[u32], _prompt: usize, scores: &mut [f32]) {
        let Some(start) = (history.len() + 1).checked_sub(self.0) else { return };
        let prefix = &history[start..];
        for ngram in history.windows(self.0).filter(|ngram| ngram[..self.0 - 1] == *prefix) {
            if let Some(score) = scores.get_mut(ngram[self.0 - 1] as usize) {
                *score = f32::NEG_INFINITY;
            }
        }
    }
}
