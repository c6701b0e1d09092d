//! Top-p, nucleus sampling (Holtzman et al., 2020, arXiv:1904.09751).

use super::{Processor, min_p::probabilities};

/// Excludes the least likely tokens that together have at most the probability `1 - p`; the likeliest always stays.
pub(super) struct TopP(pub f32);

impl Processor for TopP {
    fn apply(&self, _history: &[u32], _prompt: usize, scores: &mut [f32]) {
        let probabilities = probabilities(scores);
        let mut order: Vec<usize> = (0..scores.len()).collect();
        order.sort_by(|&a, &b| scores[a].total_cmp(&scores[b]));
        order.pop();
        let mut below = 0.0;
        for i in order {
            below += probabilities[i];
            if below > 1.0 - self.0 {
                break;
            }
            scores[i] = f32::NEG_INFINITY;
        }
    }
}
