//! The loss of a network on sequences.

use framework_base::Result;
use framework_executor::Network;
use framework_recipe::Metric;
use framework_text::data::{Batch, Sequence};
use serde::Serialize;
use std::sync::Arc;

/// The outcome.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Evaluation {
    /// Mean cross-entropy per predicted token, in nats.
    #[serde(serialize_with = "crate::run::number::serialize")]
    pub loss: f64,
    /// e to the power of the loss.
    #[serde(serialize_with = "crate::run::number::serialize")]
    pub perplexity: f64,
    /// Share of the predicted tokens that are the likeliest, if it was asked for.
    #[serde(skip_serializing_if = "Option::is_none", with = "crate::run::number::maybe")]
    pub accuracy: Option<f64>,
    /// Predicted tokens.
    pub tokens: usize,
}

impl Evaluation {
    /// What a metric comes to.
    pub fn value(&self, metric: Metric) -> f64 {
        match metric {
            Metric::Loss => self.loss,
            Metric::Perplexity => self.perplexity,
            Metric::Accuracy => self.accuracy.unwrap_or(f64::NAN),
        }
    }
}

/// Mean loss over sequences, `batch` at a time, and `metric` if it is more than that; none if they predict nothing.
pub fn evaluate<'s>(
    network: &Arc<Network>,
    sequences: impl IntoIterator<Item = &'s Sequence>,
    batch: usize,
    pad: u32,
    metric: Metric,
) -> Result<Option<Evaluation>> {
    let all: Vec<_> = sequences.into_iter().collect();
    let counts = metric == Metric::Accuracy;
    let (mut sum, mut tokens, mut right) = (0.0, 0, 0);
    for rows in all.chunks(batch.max(1)) {
        let batch = Batch::new(rows.iter().copied(), pad);
        let (loss, n) = network.evaluate(&batch)?;
        sum += loss;
        tokens += n;
        right += if counts { network.right(&batch)? } else { 0 };
    }
    let mean = |sum: f64| sum / tokens as f64;
    let (loss, accuracy) = (mean(sum), counts.then(|| mean(right as f64)));
    Ok((tokens > 0).then(|| Evaluation { loss, perplexity: loss.exp(), accuracy, tokens }))
}
