//! How many labels of a batch are the likeliest tokens.

use super::{
    Network, Value,
    loss::LOGITS,
    network::Picked,
    pass::Setup,
    train::{placed, supervised},
};
use framework_base::Batch;
use framework_core::{Op, Result, ffi::HostTensor};
use std::sync::Arc;

impl Network {
    /// How many of a batch's labels have the highest logit.
    pub fn right(self: &Arc<Self>, batch: &Batch) -> Result<usize> {
        let (rows, targets) = supervised(batch);
        let ids = batch.ids.iter().map(|&id| id as i32).collect();
        let setup = Setup { segments: batch.segments.clone(), ..Setup::plain(batch.rows, batch.time) };
        let Picked { hidden, added, time } = self.hidden(ids, setup, |layout| placed(rows, layout))?;
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
            network.right(&Batch::new([&sequence], 0)).unwrap()
        };
        // A label is predicted one token before.
        assert_eq!(count([0, best(0), best(1), best(2)]), 3);
        assert_eq!(count([0, best(0), (best(1) + 1) % 6, best(2)]), 2);
        assert_eq!(count([0, -100, (best(1) + 1) % 6, -100]), 0);
    }
}
