//! The loss of a network on sequences.

use crate::objective::{Objective, Rewards};
use framework_base::Result;
use framework_executor::{Evaluated, Network};
use framework_recipe::{Metric, Rows, Split};
use framework_text::data::{Batch, Sequence};
use serde::Serialize;
use std::{collections::BTreeMap, sync::Arc};

/// The outcome.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Evaluation {
    /// Mean cross-entropy per predicted token, in nats; of objectives that compare answers, the objective's mean.
    #[serde(serialize_with = "crate::run::number::serialize")]
    pub loss: f64,
    /// e to the power of a cross-entropy.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "crate::run::number::maybe::serialize")]
    pub perplexity: Option<f64>,
    /// Share of the predicted tokens that the model finds most likely, from 0 to 1; of pairs, the share of those whose
    /// chosen answer has the higher reward.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accuracy: Option<f64>,
    /// Predicted tokens.
    pub tokens: usize,
    /// What the answers of an objective that compares them are rewarded with, on average, by name.
    #[serde(flatten)]
    pub rewards: BTreeMap<String, f64>,
}

impl Evaluation {
    /// What a metric comes to.
    pub fn value(&self, metric: Metric) -> f64 {
        match metric {
            Metric::Loss => self.loss,
            Metric::Perplexity => self.perplexity.unwrap_or(f64::NAN),
            Metric::Accuracy => self.accuracy.unwrap_or(f64::NAN),
        }
    }
}

/// Mean loss over sequences, `batch` at a time; none if they predict nothing.
pub fn evaluate<'s>(
    network: &Arc<Network>,
    sequences: impl IntoIterator<Item = &'s Sequence>,
    batch: usize,
    pad: u32,
) -> Result<Option<Evaluation>> {
    let all: Vec<_> = sequences.into_iter().collect();
    let mut sum = Evaluated::default();
    for rows in all.chunks(batch.max(1)) {
        let part = network.evaluate_tokens(&Batch::new(rows.iter().copied(), pad))?;
        sum.loss += part.loss;
        sum.tokens += part.tokens;
        sum.right += part.right;
    }
    let Evaluated { loss, tokens, right } = sum;
    let (loss, accuracy) = (loss / tokens as f64, Some(right as f64 / tokens as f64));
    let perplexity = Some(loss.exp());
    Ok((tokens > 0).then(|| Evaluation { loss, perplexity, accuracy, tokens, rewards: BTreeMap::new() }))
}

/// Evaluates an objective's network on its validation data: by cross-entropy, or by the objective if that compares
/// answers. None if there is nothing to evaluate on.
pub(crate) fn evaluate_under(objective: &Objective, size: usize) -> Result<Option<Evaluation>> {
    let (network, sequences, pad) = objective.evaluated();
    let of_row = match objective.rows() {
        Rows::Answers => return evaluate(network, sequences, size, pad),
        Rows::Pairs => 2,
        Rows::Judged => 1,
    };
    let (mut sum, mut count, mut tokens, mut rewards) = (0.0, 0.0, 0, Rewards::default());
    for start in (0..sequences.len()).step_by(of_row * size.max(1)) {
        let mut batch = objective.validation_batch(start, of_row * size.max(1));
        let step = objective.step(Split::Validation, std::slice::from_mut(&mut batch))?;
        sum += step.of(&batch, |objective| Ok(network.loss(&batch, objective)?))?;
        (count, tokens) = (count + step.total(), tokens + batch.supervised());
        rewards.add(&step.rewards());
    }
    let (accuracy, rewards) = (rewards.accuracy(), rewards.metrics());
    Ok((count > 0.0).then(|| Evaluation { loss: sum / count, perplexity: None, accuracy, tokens, rewards }))
}
