//! Losses of pairs of answers: DPO with its variants, ORPO and SimPO.

use super::{reference::log_likelihood, rewards::Rewards};
use framework_base::{Batch, Sequence};
use framework_core::{PluginError, Result};
use framework_executor::Likelihoods;
use framework_recipe::{Objective, ObjectiveName, PreferenceLoss};
use std::{
    iter::repeat_n,
    sync::{Mutex, PoisonError},
};

/// What a pair costs.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Cost {
    /// By `h`, how much more the chosen answer has gained on the reference than the rejected one.
    Dpo { loss: PreferenceLoss, beta: f64, smoothing: f64, mean: bool },
    /// `-β log σ(log odds(chosen) - log odds(rejected))`, of means over tokens; beside cross-entropy.
    Orpo { beta: f64 },
    /// `-log σ(β (chosen - rejected) - γ)`, of means over tokens.
    Simpo { beta: f64, gamma: f64, smoothing: f64 },
}

/// The loss of a step's pairs: their sum, and the cross-entropy of the chosen answers.
pub(super) struct Pairs<'a> {
    cost: Cost,
    /// Log-likelihoods of the reference, by number of the sequence.
    reference: Option<&'a [f32]>,
    /// What the cross-entropy of each label of a chosen sequence counts.
    nll: f64,
    /// The sequences as they are without their tasks' labels, if chosen ones have those too.
    sequences: Option<&'a [Sequence]>,
    seen: Mutex<Rewards>,
}

impl<'a> Pairs<'a> {
    /// Of a step with so many pairs, whose chosen sequences have so many labels.
    pub fn new(objective: &Objective, reference: Option<&'a [f32]>, pairs: f64, labels: usize) -> Self {
        let (beta, smoothing) = (objective.beta(), objective.label_smoothing.unwrap_or(0.0));
        let (cost, sft) = match objective.name {
            ObjectiveName::Orpo => (Cost::Orpo { beta }, 1.0),
            ObjectiveName::Simpo => (Cost::Simpo { beta, gamma: objective.gamma.unwrap_or(0.5), smoothing }, 0.0),
            _ => {
                let loss = objective.loss.unwrap_or_default();
                let mean = loss == PreferenceLoss::Ipo || objective.length_normalized.unwrap_or(false);
                (Cost::Dpo { loss, beta, smoothing, mean }, objective.sft_weight.unwrap_or(0.0))
            }
        };
        // A mean over the step's labels, beside means over its pairs.
        let nll = sft * pairs / labels.max(1) as f64;
        Self { cost, reference, nll, sequences: None, seen: Mutex::default() }
    }

    /// Chosen sequences have labels on their tasks, which count for cross-entropy alone.
    pub fn with_tasks(self, sequences: &'a [Sequence]) -> Self {
        Self { sequences: Some(sequences), ..self }
    }

    /// How many of a sequence's labels are the answer's.
    fn answer(&self, batch: &Batch, sequence: usize, labels: usize) -> usize {
        let known = self.sequences.zip(batch.numbers.get(sequence));
        known.and_then(|(all, number)| all.get(*number)).map_or(labels, Sequence::supervised)
    }

    pub fn rewards(&self) -> Rewards {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The log-likelihood that a sequence has for the reference.
    fn known(&self, batch: &Batch, sequence: usize) -> Result<f64> {
        let Some(reference) = self.reference else { return Ok(0.0) };
        let known = batch.numbers.get(sequence).and_then(|number| reference.get(*number));
        known.map(|known| f64::from(*known)).ok_or_else(|| PluginError::new("a sequence has no reference"))
    }
}

/// An answer: its log-likelihood, its number of tokens, and the same of the reference.
#[derive(Debug, Clone, Copy)]
struct Answer {
    log: f64,
    tokens: f64,
    known: f64,
}

impl Answer {
    fn mean(&self) -> f64 {
        self.log / self.tokens
    }
}

impl Cost {
    /// The loss, its derivatives by the log-likelihoods of both answers, and their rewards.
    fn of(self, chosen: Answer, rejected: Answer) -> (f64, [f64; 2], [f64; 2]) {
        let both = [chosen, rejected];
        match self {
            Self::Dpo { loss, beta, smoothing, mean } => {
                let scale = both.map(|answer| if mean { 1.0 / answer.tokens } else { 1.0 });
                let gain = |i: usize| scale[i] * (both[i].log - both[i].known);
                let h = gain(0) - gain(1);
                let (value, slope) = match loss {
                    PreferenceLoss::Sigmoid => smoothed(beta * h, smoothing, beta),
                    PreferenceLoss::Robust => {
                        let ((right, a), (wrong, b)) = (smoothed(beta * h, 0.0, beta), smoothed(-beta * h, 0.0, -beta));
                        let mixed = |right: f64, wrong: f64| {
                            ((1.0 - smoothing) * right - smoothing * wrong) / (1.0 - 2.0 * smoothing)
                        };
                        (mixed(right, wrong), mixed(a, b))
                    }
                    PreferenceLoss::Ipo => ((h - 0.5 / beta).powi(2), 2.0 * (h - 0.5 / beta)),
                    PreferenceLoss::Hinge => ((1.0 - beta * h).max(0.0), if beta * h < 1.0 { -beta } else { 0.0 }),
                };
                (value, [slope * scale[0], -slope * scale[1]], [beta * gain(0), beta * gain(1)])
            }
            Self::Orpo { beta } => {
                // log(1 - e^x) for x < 0, and its derivative times -1.
                let rest = |x: f64| (-x.exp_m1()).ln();
                let odds = |answer: &Answer| answer.mean() - rest(answer.mean());
                let x = odds(&chosen) - odds(&rejected);
                let slope = -beta * sigmoid(-x);
                let by = |answer: &Answer| slope / (-answer.mean().exp_m1() * answer.tokens);
                (-beta * log_sigmoid(x), [by(&chosen), -by(&rejected)], both.map(|answer| beta * answer.mean()))
            }
            Self::Simpo { beta, gamma, smoothing } => {
                let x = beta * (chosen.mean() - rejected.mean()) - gamma;
                let (value, slope) = smoothed(x, smoothing, beta);
                let slopes = [slope / chosen.tokens, -slope / rejected.tokens];
                (value, slopes, both.map(|answer| beta * answer.mean()))
            }
        }
    }
}

/// `-(1 - s) log σ(x) - s log σ(-x)`, and its derivative by `x`, times `inner`.
fn smoothed(x: f64, s: f64, inner: f64) -> (f64, f64) {
    let value = -(1.0 - s) * log_sigmoid(x) - s * log_sigmoid(-x);
    (value, inner * (s * sigmoid(x) - (1.0 - s) * sigmoid(-x)))
}

pub(super) fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

fn log_sigmoid(x: f64) -> f64 {
    x.min(0.0) - (-x.abs()).exp().ln_1p()
}

impl Likelihoods for Pairs<'_> {
    fn loss(&self, batch: &Batch, losses: &[f32]) -> Result<(f64, Vec<f32>)> {
        let (mut sum, mut weights, mut seen) = (0.0, Vec::with_capacity(losses.len()), Rewards::default());
        for (pair, both) in batch.by_sequence(losses).as_chunks::<2>().0.iter().enumerate() {
            let side = |i: usize| {
                let (own, sequence) = (both[i], 2 * pair + i);
                let tokens = self.answer(batch, sequence, own.len());
                let (task, known) = (own.len() - tokens, self.known(batch, sequence)?);
                let answer = Answer { log: log_likelihood(&own[task..]), tokens: tokens as f64, known };
                Ok::<_, PluginError>((answer, task, -log_likelihood(own)))
            };
            let ((chosen, task, nll), (rejected, ..)) = (side(0)?, side(1)?);
            let (value, slopes, rewards) = self.cost.of(chosen, rejected);
            sum += value + self.nll * nll;
            seen.pair(rewards[0], rewards[1]);
            // The losses are the log-probabilities' negatives.
            weights.extend(repeat_n(self.nll as f32, task));
            weights.extend(repeat_n((self.nll - slopes[0]) as f32, both[0].len() - task));
            weights.extend(repeat_n(-slopes[1] as f32, both[1].len()));
        }
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).add(&seen);
        Ok((sum, weights))
    }
}

#[cfg(test)]
#[path = "pairs_tests.rs"]
mod tests;
