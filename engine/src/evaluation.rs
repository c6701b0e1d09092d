//! The loss of a network on sequences.

use framework_base::Result;
use framework_executor::{Evaluated, Network};
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
    /// Share of the predicted tokens that the model finds most likely, from 0 to 1.
    pub accuracy: f64,
    /// Predicted tokens.
    pub tokens: usize,
}

impl Evaluation {
    /// What a metric comes to.
    pub fn value(&self, metric: Metric) -> f64 {
        match metric {
            Metric::Loss => self.loss,
            Metric::Perplexity => self.perplexity,
            Metric::Accuracy => self.accuracy,
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
    let (loss, accuracy) = (loss / tokens as f64, right as f64 / tokens as f64);
    Ok((tokens > 0).then(|| Evaluation { loss, perplexity: loss.exp(), accuracy, tokens }))
}
