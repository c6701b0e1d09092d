//! Where a run stands: everything beside tensors that going on exactly depends on.

use super::scale::LossScale;
use crate::objective::Rewards;
use framework_recipe::{EarlyStopping, Metric};
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
    /// Mean loss of the first step.
    #[serde(default)]
    pub first_loss: Option<f64>,
    /// The same of the last step.
    #[serde(default)]
    pub last_loss: Option<f64>,
    /// Summed loss since the last logged step, and what it is the sum of: supervised tokens, pairs or answers.
    pub pending_loss: f64,
    /// See [`State::pending_loss`].
    pub pending_count: f64,
    /// Rewards since then.
    #[serde(default)]
    pub(crate) pending_rewards: Rewards,
    /// The best value of `train.metric` and the step that it was found at.
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
    /// Notes what an evaluation gave; true if it is the best so far. NaN and infinity never are. What is not better by
    /// more than `min_delta` counts against the patience.
    pub fn evaluated(&mut self, value: f64, metric: Metric, early: Option<EarlyStopping>) -> bool {
        let gain = |best: f64| if metric.rises() { value - best } else { best - value };
        let gain = self.best.map_or(f64::INFINITY, |(best, _)| gain(best));
        let better = value.is_finite() && gain > 0.0;
        if better {
            self.best = Some((value, self.step));
        }
        if better && gain > early.map_or(0.0, |early| early.min_delta) {
            self.worse = 0;
        } else {
            self.worse += 1;
            self.stopped = early.is_some_and(|early| self.worse >= early.patience);
        }
        better
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patience(patience: u64, min_delta: f64) -> Option<EarlyStopping> {
        Some(EarlyStopping { patience, min_delta })
    }

    #[test]
    fn accuracy_is_better_when_it_rises() {
        let mut state = State::default();
        let seen = [0.2, 0.3, 0.25, 0.4].map(|value| state.evaluated(value, Metric::Accuracy, None));
        assert_eq!((seen, state.best.unwrap().0), ([true, true, false, true], 0.4));
    }

    /// As transformers' `early_stopping_threshold`: a small gain is the best, and counts against the patience.
    #[test]
    fn small_gains_use_up_patience() {
        let mut state = State::default();
        let seen =
            [3.0, 2.95, 2.9].map(|value| (state.evaluated(value, Metric::Loss, patience(2, 0.1)), state.stopped));
        assert_eq!(seen, [(true, false), (true, false), (true, true)]);
        assert_eq!(state.best.unwrap().0, 2.9);
    }

    #[test]
    fn patience_counts_evaluations_that_are_not_better() {
        let mut state = State::default();
        let seen: Vec<_> = [3.0, 2.0, 2.5, 2.0, 1.9, 2.0, 2.1]
            .into_iter()
            .map(|loss| (state.evaluated(loss, Metric::Loss, patience(2, 0.0)), state.stopped))
            .collect();
        assert_eq!(seen[..3], [(true, false), (true, false), (false, false)]);
        assert_eq!(seen[3], (false, true));
    }

    #[test]
    fn what_is_not_finite_is_never_the_best() {
        let mut state = State::default();
        let seen = [f64::NAN, f64::INFINITY, 2.0, f64::NAN].map(|loss| state.evaluated(loss, Metric::Loss, None));
        assert_eq!((seen, state.best.map(|(loss, _)| loss)), ([false, false, true, false], Some(2.0)));
    }
}
