//! A least length.

use super::Processor;

/// Excludes the end tokens until enough tokens are new.
pub(super) struct MinNewTokens {
    pub least: usize,
    pub eos: Vec<u32>,
}

impl Processor for MinNewTokens {
    fn apply(&self, history: &[u32], prompt: usize, scores: &mut [f32]) {
        if history.len() - prompt < self.least {
            for &token in &self.eos {
                if let Some(score) = scores.get_mut(token as usize) {
                    *score = f32::NEG_INFINITY;
                }
            }
        }
    }
}
