//! Min-p (Nguyen et al., 2024, arXiv:2407.01082).

use super::Processor;

/// Excludes tokens less likely than this share of the likeliest one's probability.
pub(super) struct MinP(pub f32);

impl Processor for MinP {
    fn apply(&self, _history: &[u32], _prompt: usize, scores: &mut [f32]) {
        let probabilities = probabilities(scores);
        let most = probabilities.iter().copied().fold(0.0, f32::max);
        for (score, p) in scores.iter_mut().zip(probabilities) {
            if p < self.0 * most {
                *score = f32::NEG_INFINITY;
            }
        }
    }
}

/// Softmax of a row.
pub(super) fn probabilities(scores: &[f32]) -> Vec<f32> {
    let most = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let exp: Vec<f32> = scores.iter().map(|x| (x - most).exp()).collect();
    let total: f32 = exp.iter().sum();
    exp.into_iter().map(|x| x / total).collect()
}
