//! Min-p (Nguyen et al., 2024, arXiv:2407.01082).

use super::Processor;

/// Excludes tokens less likely than the share `p` of the likeliest one's probability, but never the `keep` likeliest.
pub(super) struct MinP {
    pub p: f32,
    pub keep: usize,
}

impl Processor for MinP {
    fn apply(&self, _history: &[u32], _prompt: usize, scores: &mut [f32]) {
        let probabilities = probabilities(scores);
        let most = probabilities.iter().copied().fold(0.0, f32::max);
        for i in descending(scores).into_iter().skip(self.keep) {
            if probabilities[i] < self.p * most {
                scores[i] = f32::NEG_INFINITY;
            }
        }
    }
}

/// Tokens, the one with the highest score first.
pub(super) fn descending(scores: &[f32]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
    order
}

/// Softmax of a row.
pub(super) fn probabilities(scores: &[f32]) -> Vec<f32> {
    let most = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let exp: Vec<f32> = scores.iter().map(|x| (x - most).exp()).collect();
    let total: f32 = exp.iter().sum();
    exp.into_iter().map(|x| x / total).collect()
}
