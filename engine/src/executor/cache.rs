//! Keys and values of the tokens that a generation has already seen.

use super::value::{R, Value};
use burn::tensor::{Int, Tensor as Burn, TensorData};
use framework_core::{Result, ffi::HostTensor};

/// One entry for each attention of the model, in the order in which they are called.
#[derive(Default)]
pub struct Cache {
    entries: Vec<(Value, Value)>,
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

    /// Appends keys and values `[rows, heads, time, size]` to an entry and returns all of it.
    pub(super) fn extend(&mut self, entry: usize, k: Value, v: Value) -> Result<(Value, Value)> {
        if let Some((old_k, old_v)) = self.entries.get(entry).cloned() {
            let join = |a: Value, b: Value| Value::execute(framework_core::Op::Concat { dim: 2 }, vec![a, b]);
            self.entries[entry] = (join(old_k, k)?, join(old_v, v)?);
        } else {
            self.entries.push((k, v));
        }
        Ok(self.entries[entry].clone())
    }

    /// Makes row `parents[i]` the new row `i`.
    pub fn reorder(&mut self, parents: &[u32]) -> Result<()> {
        let same = parents.len() == self.starts.len() && parents.iter().enumerate().all(|(i, &p)| i == p as usize);
        if same {
            return Ok(());
        }
        self.starts = parents.iter().map(|&p| self.starts[p as usize]).collect();
        for (k, v) in &mut self.entries {
            for t in [k, v] {
                let float = t.clone().into_float()?;
                let rows = TensorData::new(parents.iter().map(|&p| p as i32).collect::<Vec<_>>(), [parents.len()]);
                let rows = Burn::<1, Int>::from_data(rows, &float.device());
                *t = Value::float(float.select(R - 4, rows), 4);
            }
        }
        Ok(())
    }
}
