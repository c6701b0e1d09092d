//! Attention by its definition.

use super::{
    Array, Dual, Reference,
    host::{Kept, lock},
    lanes::{dot, softmax},
    layout::{Layout, Slot},
};
use crate::{DType, PluginError, Result, ffi};

impl Reference {
    /// Softmax over what each token sees of its own sequence, prefix included.
    pub(super) fn attend(&self, id: u64, [q, k, v]: [Array; 3]) -> Result<Array> {
        let entry = self.spec.index(id, self.spec.attentions.len())?;
        let how = &self.spec.attentions[entry];
        let (group, size) = (how.queries / how.keys, how.size);
        let scale = how.scale.unwrap_or_else(|| (size as f64).sqrt().recip());
        let layout = self.remember(entry, &k, &v)?;
        let prefix = match self.adapter.as_ref().filter(|adapter| adapter.plan().prefix > 0) {
            Some(adapter) => {
                let (keys, values) = adapter.prefix(&self.context()?, entry)?;
                Some([ffi::unwrap::<Array>(keys)?, ffi::unwrap(values)?])
            }
            None => None,
        };
        let run = lock(&self.run);
        let (heads, width) = (how.queries, v.shape[3]);
        let mut out = vec![Dual::default(); layout.rows * heads * layout.time * width];
        for (index, slot) in layout.slots.iter().enumerate() {
            let Some(slot) = slot else { continue };
            let (row, at) = (index / layout.time, index % layout.time);
            let reach = how.window.unwrap_or(usize::MAX);
            let sees = |position: usize| {
                (!how.causal || position <= slot.position) && position.abs_diff(slot.position) < reach
            };
            let tokens = prefix.as_ref().map_or(0, |[keys, _]| keys.shape[1]);
            for head in 0..heads {
                let group = head / group;
                // Keys or values that the token sees. Those of the prefix stand at the first positions of each
                // sequence.
                let visible = |which: usize, size: usize| -> Vec<Vec<Dual>> {
                    let rows = |both: &[Array; 2]| both[which].data[group * tokens * size..].to_vec();
                    let before = prefix.as_ref().map(rows).unwrap_or_default();
                    let before = before.chunks_exact(size).take(tokens).map(<[Dual]>::to_vec).enumerate();
                    let kept = if which == 0 { Kept::Keys(entry) } else { Kept::Values(entry) };
                    let own = run.memory.range((kept, slot.sequence, 0)..=(kept, slot.sequence, usize::MAX));
                    let own = own.map(|((_, _, at), vector)| (*at, vector[group * size..(group + 1) * size].to_vec()));
                    before.chain(own).filter(|(position, _)| sees(*position)).map(|(_, vector)| vector).collect()
                };
                let place = (row * heads + head) * layout.time + at;
                let query = &q.data[place * size..(place + 1) * size];
                let score = |key: &Vec<Dual>| {
                    let score = dot(query, key) * Dual::from(scale);
                    match how.softcap {
                        Some(limit) => (score * Dual::from(1.0 / limit)).tanh() * Dual::from(limit),
                        None => score,
                    }
                };
                let weights = softmax(&visible(0, size).iter().map(score).collect::<Vec<_>>(), false);
                for (weight, value) in weights.into_iter().zip(visible(1, width)) {
                    for (sum, number) in out[place * width..(place + 1) * width].iter_mut().zip(value) {
                        *sum = *sum + weight * number;
                    }
                }
            }
        }
        Ok(Array::new(&[layout.rows, heads, layout.time, width], out, DType::F32))
    }

    /// Keeps the keys and values of this pass.
    fn remember(&self, entry: usize, k: &Array, v: &Array) -> Result<Layout> {
        let how = &self.spec.attentions[entry];
        let mut run = lock(&self.run);
        let layout = run.layout.clone();
        for (kept, x) in [(Kept::Keys(entry), k), (Kept::Values(entry), v)] {
            let [rows, heads, time, size] = x.shape[..] else {
                return Err(PluginError::new(format!(
                    "attention over {:?}: expected [batch, heads, time, size]",
                    x.shape
                )));
            };
            if (rows, heads, time) != (layout.rows, how.keys, layout.time) {
                let message = format!("attention over {:?} in a pass of [{}, {}]", x.shape, layout.rows, layout.time);
                return Err(PluginError::new(message));
            }
            for (index, slot) in layout.slots.iter().enumerate() {
                let Some(Slot { sequence, position }) = *slot else { continue };
                let head = |head: usize| {
                    let from = ((index / time * heads + head) * time + index % time) * size;
                    x.data[from..from + size].iter().copied()
                };
                run.memory.insert((kept, sequence, position), (0..heads).flat_map(head).collect());
            }
        }
        Ok(layout)
    }
}
