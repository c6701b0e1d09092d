//! Where a run stands: everything beside tensors that going on exactly depends on.

use super::scale::LossScale;
use serde::{Deserialize, Serialize};

/// Where a run stands after an optimizer step.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// Optimizer steps done.
    pub step: u64,
    /// Supervised tokens trained on.
    pub tokens: u64,
    /// Tokens trained on, without padding, since the run was begun.
    #[serde(default)]
    pub seen: u64,
    /// Seconds of training steps since the run was begun.
    #[serde(default)]
    pub seconds: f64,
    /// Mean loss per supervised token of the first step.
    #[serde(default)]
    pub first_loss: Option<f64>,
    /// The same of the last step.
    #[serde(default)]
    pub last_loss: Option<f64>,
    /// Summed loss and supervised tokens since the last logged step.
    pub pending_loss: f64,
    /// See [`State::pending_loss`].
    pub pending_tokens: u64,
    /// The lowest validation loss and the step that it was found at.
    pub best: Option<(f64, u64)>,
    /// Evaluations since then.
    pub worse: u64,
    /// The scale of the loss, where gradients have 16 bits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale: Option<LossScale>,
    /// Whether early stopping has ended the run.
    pub stopped: bool,
    /// Fingerprint of what the run is made of; a checkpoint of another run is refused.
    pub fingerprint: String,
}

impl State {
    /// Notes a validation loss; true if it is the lowest so far. NaN and infinity never are.
    pub fn evaluated(&mut self, loss: f64, patience: Option<u64>) -> bool {
        let better = loss.is_finite() && self.best.is_none_or(|(best, _)| loss < best);
        if better {
            (self.best, self.worse) = (Some((loss, self.step)), 0);
        } else {
            self.worse += 1;
            self.stopped = patience.is_some_and(|patience| self.worse >= patience);
        }
        better
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_counts_evaluations_that_are_not_better() {
        let mut state = State::default();
        let seen: Vec<_> = [3.0, 2.0, 2.5, 2.0, 1.9, 2.0, 2.1]
            .into_iter()
            .map(|loss| (state.evaluated(loss, Some(2)), state.stopped))
            .collect();
        assert_eq!(seen[..3], [(true, false), (true, false), (false, false)]);
        assert_eq!(seen[3], (false, true));
    }

    #[test]
    fn what_is_not_finite_is_never_the_best() {
        let mut state = State::default();
        let seen = [f64::NAN, f64::INFINITY, 2.0, f64::NAN].map(|loss| state.evaluated(loss, None));
        assert_eq!((seen, state.best.map(|(loss, _)| loss)), ([false, false, true, false], Some(2.0)));
    }
}
