//! What a batch's labels come to: their loss, and how many are the likeliest tokens.

use super::{
    Network, Value,
    loss::{Cost, LOGITS, Want, projected_loss},
    network::Picked,
    train::supervised,
};
use framework_base::Batch;
use framework_core::{Op, Result, ffi::HostTensor};
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
        Ok(self.summed_loss(batch)?.map_or((0.0, 0), |(loss, _, targets)| (loss, targets.len())))
    }

    /// The loss of a batch's labels and how many are right, in one pass; only the vocabulary projection is computed twice.
    pub fn evaluate_tokens(self: &Arc<Self>, batch: &Batch) -> Result<Evaluated> {
        let Some((loss, picked, targets)) = self.summed_loss(batch)? else { return Ok(Evaluated::default()) };
        Ok(Evaluated { loss, tokens: targets.len(), right: self.right(picked, &targets)? })
    }

    /// The loss of a batch's labels, the hidden states that they are predicted from, and the labels; none without labels.
    fn summed_loss(self: &Arc<Self>, batch: &Batch) -> Result<Option<(f64, Picked, Vec<i32>)>> {
        let targets = supervised(batch).1;
        if targets.is_empty() {
            return Ok(None);
        }
        let picked = self.predicting(batch, false)?;
        let head = self.head_with(picked.added.clone())?;
        let loss = projected_loss(picked.hidden.clone(), head, &Cost::plain(&targets, 1.0), Want::default())?;
        Ok(Some((f64::from(loss.sum.scalar()?), picked, targets)))
    }

    /// How many targets have the highest logit.
    fn right(&self, Picked { hidden, added, time }: Picked, targets: &[i32]) -> Result<usize> {
        // Some rows at a time, so that the logits of all of them never exist.
        let step = (LOGITS / self.spec().vocab_size).max(1);
        let mut right = 0;
        for (i, targets) in targets.chunks(step).enumerate() {
            let (start, end) = ((i * step) as i64, (i * step + targets.len()) as i64);
            let part = |value: &Value| Value::execute(Op::Slice { dim: 0, start, end }, vec![value.clone()]);
            let added = match &added {
                Some((features, weight)) => Some((part(features)?, weight.clone())),
                None => None,
            };
            let logits = self.project(Picked { hidden: part(&hidden)?, added, time })?;
            let found = Value::execute(Op::ArgMax { dim: -1 }, vec![logits])?.to_f32()?;
            right += found.iter().zip(targets).filter(|(found, target)| **found as i32 == **target).count();
        }
        Ok(right)
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
