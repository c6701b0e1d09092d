//! What a batch's labels come to: their loss, and how many are the likeliest tokens.

use super::{
    Network,
    loss::{Cost, Want, projected_loss},
    train::supervised,
};
use framework_base::Batch;
use framework_core::{PluginError, Result};
use std::sync::Arc;

/// What a batch's labels come to.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Evaluated {
    /// Their summed cross-entropy, in nats.
    pub loss: f64,
    /// How many they are.
    pub tokens: usize,
    /// How many of them have the highest logit.
    pub right: usize,
}

impl Network {
    /// The summed cross-entropy of a batch's labels, and how many they are.
    pub fn evaluate(self: &Arc<Self>, batch: &Batch) -> Result<(f64, usize)> {
        let Evaluated { loss, tokens, .. } = self.evaluate_tokens(batch)?;
        Ok((loss, tokens))
    }

    /// The loss of a batch's labels and how many are right.
    pub fn evaluate_tokens(self: &Arc<Self>, batch: &Batch) -> Result<Evaluated> {
        let targets = supervised(batch).1;
        if targets.is_empty() {
            return Ok(Evaluated::default());
        }
        let picked = self.predicting(batch, false)?;
        let head = self.head_with(picked.added.clone())?;
        let want = Want { below: true, ..Want::default() };
        let loss = projected_loss(picked.hidden, head, &Cost::plain(&targets, 1.0), want)?;
        let below = loss.below.ok_or_else(|| PluginError::new("nothing was compared"))?.to_f32()?;
        let right = below.iter().filter(|below| **below <= 0.0).count();
        Ok(Evaluated { loss: f64::from(loss.sum.scalar()?), tokens: targets.len(), right })
    }
}

#[cfg(test)]
mod tests {
    use super::Evaluated;
    use crate::test::probe::network;
    use framework_base::{Batch, Sequence};
    use framework_sdk::prelude::json;

    #[test]
    fn counts_the_labels_that_logits_are_highest_at() {
        let network = network(json!({}), json!({}));
        let ids = [1u32, 5, 2, 3];
        let logits = network.logits(ids.map(|id| id as i32).to_vec(), 1).unwrap();
        let best =
            |row: usize| (0..6).max_by(|a, b| logits[6 * row + a].total_cmp(&logits[6 * row + b])).unwrap() as i32;
        let count = |labels: [i32; 4]| {
            let sequence = Sequence { ids: ids.to_vec(), labels: labels.to_vec() };
            let batch = Batch::new([&sequence], 0);
            let Evaluated { loss, tokens, right } = network.evaluate_tokens(&batch).unwrap();
            assert_eq!((loss, tokens), network.evaluate(&batch).unwrap());
            right
        };
        // A label is predicted one token before.
        assert_eq!(count([0, best(0), best(1), best(2)]), 3);
        assert_eq!(count([0, best(0), (best(1) + 1) % 6, best(2)]), 2);
        assert_eq!(count([0, -100, (best(1) + 1) % 6, -100]), 0);
    }
}
