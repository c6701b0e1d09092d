//! Top-p, nucleus sampling (Holtzman et al., 2020, arXiv:1904.09751).

use super::{
    Processor,
    min_p::{descending, probabilities},
};

/// Excludes the least likely tokens that together have at most the probability `1 - p`, but never the `keep` likeliest.
pub(super) struct TopP {
    pub p: f64,
    pub keep: usize,
}

impl Processor for TopP {
    fn apply(&self, _history: &[u32], _prompt: usize, scores: &mut [f32]) {
        let probabilities = probabilities(scores);
        let rest = (1.0 - self.p) as f32;
        let mut below = 0.0;
        for &i in descending(scores).iter().skip(self.keep).rev() {
            // Summed up in f64 and compared in f32, as torch does.
            below += f64::from(probabilities[i]);
            if below as f32 > rest {
                break;
            }
            scores[i] = f32::NEG_INFINITY;
        }
    }
}
