//! Layers with a state by their definitions.

use super::{
    Array, Dual, Reference,
    host::{Kept, lock},
    layout::Slot,
};
use crate::{DType, Result};

impl Reference {
    /// A convolution of `a` with the weight `b`, or a recurrence of the decay `a` and the input `b`.
    pub(super) fn recur(&self, id: u64, a: Array, b: Array, conv: bool) -> Result<Array> {
        let kept = Kept::State(self.spec.index(id, self.spec.states.len())?);
        let (prefix, run) = (self.virtual_tokens().1, &mut *lock(&self.run));
        let layout = run.layout.clone();
        let width = a.shape[2..].iter().product::<usize>();
        let mut out = vec![Dual::default(); a.data.len()];
        for (index, slot) in layout.slots.iter().enumerate() {
            let Some(Slot { sequence, position }) = *slot else { continue };
            let part = |x: &Array| x.data[index * width..(index + 1) * width].to_vec();
            let before = |distance: usize| {
                let position = position.checked_sub(distance).filter(|position| *position >= prefix)?;
                run.memory.get(&(kept, sequence, position))
            };
            let (result, state) = match conv {
                true => {
                    let kernel = b.shape[1];
                    let input = part(&a);
                    let channel = |c: usize| {
                        (0..kernel).fold(Dual::default(), |sum, distance| {
                            let x = if distance == 0 { Some(&input) } else { before(distance) };
                            sum + x.map_or(Dual::default(), |x| x[c] * b.data[(c + 1) * kernel - 1 - distance])
                        })
                    };
                    ((0..width).map(channel).collect::<Vec<_>>(), input.clone())
                }
                false => {
                    let last = before(1).cloned().unwrap_or_else(|| vec![Dual::default(); width]);
                    let steps = part(&a).into_iter().zip(last).zip(part(&b));
                    let state: Vec<_> = steps.map(|((decay, last), input)| decay * last + input).collect();
                    (state.clone(), state)
                }
            };
            out[index * width..(index + 1) * width].copy_from_slice(&result);
            run.memory.insert((kept, sequence, position), state);
        }
        Ok(Array::new(&a.shape, out, DType::F32))
    }
}
