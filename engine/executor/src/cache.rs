//! What a generation keeps of the tokens that it has already seen: keys and values, and the states of recurrent layers.

use super::value::{R, Value};
use burn::tensor::{Int, Tensor as Burn, TensorData};
use framework_core::{Result, ffi::HostTensor};

/// One entry for each attention that the model declares.
#[derive(Default)]
pub struct Cache {
    entries: Vec<Option<(Value, Value)>>,
    /// One for each state that the model declares.
    pub(super) states: Vec<Option<Value>>,
    /// Tokens per row, padding included.
    pub(super) length: usize,
    /// Padding in front of each row.
    pub(super) starts: Vec<usize>,
}

impl Cache {
    /// An empty cache for rows with this much padding in front.
    pub(super) fn new(starts: Vec<usize>) -> Self {
        Self { starts, ..Self::default() }
    }

    /// Whether an entry holds nothing yet.
    pub(super) fn is_empty(&self, entry: usize) -> bool {
        self.entries.get(entry).is_none_or(Option::is_none)
    }

    /// Appends keys and values `[rows, heads, time, size]` to an entry and returns all of it.
    pub(super) fn extend(&mut self, entry: usize, k: Value, v: Value) -> Result<(Value, Value)> {
        if self.entries.len() <= entry {
            self.entries.resize(entry + 1, None);
        }
        let join = |a: Value, b: Value| Value::execute(framework_core::Op::Concat { dim: 2 }, vec![a, b]);
        let all = match self.entries[entry].take() {
            Some((old_k, old_v)) => (join(old_k, k)?, join(old_v, v)?),
            None => (k, v),
        };
        Ok(self.entries[entry].insert(all).clone())
    }

    /// Makes row `parents[i]` the new row `i`.
    pub fn reorder(&mut self, parents: &[u32]) -> Result<()> {
        let same = parents.len() == self.starts.len() && parents.iter().enumerate().all(|(i, &p)| i == p as usize);
        if same {
            return Ok(());
        }
        self.starts = parents.iter().map(|&p| self.starts[p as usize]).collect();
        let kept = self.entries.iter_mut().flatten().flat_map(|(k, v)| [k, v]);
        for t in kept.chain(self.states.iter_mut().flatten()) {
            let (float, rank) = (t.clone().into_float()?, t.rank);
            let rows = TensorData::new(parents.iter().map(|&p| p as i32).collect::<Vec<_>>(), [parents.len()]);
            let rows = Burn::<1, Int>::from_data(rows, &float.device());
            *t = Value::float(float.select(R - rank, rows), rank);
        }
        Ok(())
    }
}
