//! Answers that are wanted or not: KTO (Ethayarajh et al., 2024, arXiv:2402.01306).

use super::{pairs::sigmoid, reference::log_likelihood, rewards::Rewards};
use framework_base::{Batch, IGNORE, Sequence};
use framework_core::{PluginError, Result};
use framework_executor::Likelihoods;
use framework_recipe::Objective;
use std::sync::{Mutex, PoisonError};

/// The loss of a step's answers: the sum of `λ (1 - σ(r - z))` over those that are wanted and of `λ (1 - σ(z - r))` over the
/// others, with the reward `r` and what rewards come to on average, `z`, for answers to other tasks.
pub(super) struct Judged<'a> {
    beta: f64,
    /// `λ` of answers that are wanted, and of the others.
    weights: [f64; 2],
    /// Log-likelihoods of the reference, by number of the sequence.
    reference: &'a [f32],
    /// `z`.
    baseline: f64,
    seen: Mutex<Rewards>,
}

impl<'a> Judged<'a> {
    /// `apart`: how far the model is from the reference on average, estimated from answers to other tasks.
    pub fn new(objective: &Objective, reference: &'a [f32], apart: f64) -> Self {
        let (beta, weight) = (objective.beta(), |given: Option<f64>| given.unwrap_or(1.0));
        let weights = [weight(objective.desirable_weight), weight(objective.undesirable_weight)];
        Self { beta, weights, reference, baseline: beta * apart.max(0.0), seen: Mutex::default() }
    }

    pub fn rewards(&self) -> Rewards {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Likelihoods for Judged<'_> {
    fn loss(&self, batch: &Batch, losses: &[f32]) -> Result<(f64, Vec<f32>)> {
        let (mut sum, mut weights, mut seen) = (0.0, Vec::with_capacity(losses.len()), Rewards::default());
        for (i, own) in batch.by_sequence(losses).into_iter().enumerate() {
            let log = log_likelihood(own);
            let known = batch.numbers.get(i).and_then(|number| self.reference.get(*number));
            let known = known.ok_or_else(|| PluginError::new("a sequence has no reference"))?;
            let wanted = batch.weights.get(i).is_none_or(|weight| *weight > 0.0);
            let reward = self.beta * (log - f64::from(*known));
            let sign = if wanted { 1.0 } else { -1.0 };
            let value = sigmoid(sign * (reward - self.baseline));
            let weight = self.weights[usize::from(!wanted)];
            sum += weight * (1.0 - value);
            seen.one(wanted, reward);
            // By each token's loss, which is its log-probability's negative.
            let slope = weight * sign * self.beta * value * (1.0 - value);
            weights.extend(std::iter::repeat_n(slope as f32, own.len()));
        }
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).add(&seen);
        Ok((sum, weights))
    }
}

/// Each sequence's task with the answer of the one before, of those that a step takes together in the order of the data,
/// as TRL has them; cut off at `longest` tokens.
pub(super) fn mismatched(sequences: &[Sequence], together: usize, longest: usize) -> Vec<Sequence> {
    let task =
        |sequence: &Sequence| sequence.labels.iter().position(|label| *label != IGNORE).unwrap_or(sequence.len());
    let mut all = Vec::with_capacity(sequences.len());
    for chunk in sequences.chunks(together.max(1)) {
        for (i, sequence) in chunk.iter().enumerate() {
            let other = &chunk[(i + chunk.len() - 1) % chunk.len()];
            let (own, answer) = (task(sequence), &other.ids[task(other)..]);
            let mut ids = sequence.ids[..own].to_vec();
            ids.extend(answer);
            let mut labels = vec![IGNORE; own];
            labels.extend(answer.iter().map(|id| *id as i32));
            ids.truncate(longest);
            labels.truncate(longest);
            all.push(Sequence { ids, labels });
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_go_round_within_what_is_taken_together() {
        let sequence = |task: u32, answer: &[u32]| Sequence {
            ids: [&[task][..], answer].concat(),
            labels: std::iter::once(IGNORE).chain(answer.iter().map(|id| *id as i32)).collect(),
        };
        let all = [sequence(1, &[11]), sequence(2, &[12, 13]), sequence(3, &[14]), sequence(4, &[15, 16])];
        let ids: Vec<_> = mismatched(&all, 3, 3).into_iter().map(|s| s.ids).collect();
        assert_eq!(ids, [vec![1, 14], vec![2, 11], vec![3, 12, 13], vec![4, 15, 16]]);
        assert_eq!(mismatched(&all, 2, 2)[0], Sequence { ids: vec![1, 12], labels: vec![IGNORE, 12] });
    }

    /// By finite differences.
    #[test]
    fn weights_are_derivatives() {
        let objective = Objective { desirable_weight: Some(1.3), beta: Some(0.4), ..Objective::default() };
        let sequences = [3, 2].map(|n| Sequence { ids: vec![1; n + 1], labels: vec![1; n + 1] });
        let mut batch = Batch::new(&sequences, 0);
        (batch.numbers, batch.weights) = (vec![0, 1], vec![1.0, -1.0]);
        let of = |losses: &[f32]| Judged::new(&objective, &[-2.0, -3.0], 0.5).loss(&batch, losses).unwrap();
        let losses = [0.5f32, 1.0, 0.25, 1.5, 2.0];
        let (_, weights) = of(&losses);
        for i in 0..losses.len() {
            let moved = |by: f32| {
                let mut losses = losses;
                losses[i] += by;
                of(&losses).0
            };
            let slope = (moved(1e-2) - moved(-1e-2)) / 2e-2;
            assert!((slope - f64::from(weights[i])).abs() < 1e-4, "{slope} and {}", weights[i]);
        }
    }
}
