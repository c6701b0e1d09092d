//! The loss of a network on sequences.

use framework_base::Result;
use framework_executor::Network;
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
    /// Predicted tokens.
    pub tokens: usize,
}

/// Mean loss over sequences, `batch` at a time; none if they predict nothing.
pub fn evaluate<'s>(
    network: &Arc<Network>,
    sequences: impl IntoIterator<Item = &'s Sequence>,
    batch: usize,
    pad: u32,
) -> Result<Option<Evaluation>> {
    let all: Vec<_> = sequences.into_iter().collect();
    let (mut sum, mut tokens) = (0.0, 0);
    for rows in all.chunks(batch.max(1)) {
        let (loss, n) = network.evaluate(&Batch::new(rows.iter().copied(), pad))?;
        sum += loss;
        tokens += n;
    }
    let loss = sum / tokens as f64;
    Ok((tokens > 0).then(|| Evaluation { loss, perplexity: loss.exp(), tokens }))
}
