//! What a generation keeps of the tokens that it has already seen: keys and values, and the states of recurrent layers.

use super::{
    highest::Wanted,
    transfer,
    value::{R, Value},
};
use burn::tensor::{Int, Tensor as Burn};
use framework_core::Result;

/// Tokens that a slot has room for at first.
const ROOM: usize = 64;

/// One entry for each attention that the model declares.
#[derive(Default)]
pub struct Cache {
    slots: Vec<Option<Slot>>,
    /// One for each state that the model declares.
    pub(super) states: Vec<Option<Value>>,
    /// Tokens per row, padding included.
    pub(super) length: usize,
    /// Padding in front of each row.
    pub(super) starts: Vec<usize>,
    /// What is read of the scores of next tokens.
    pub(super) wanted: Wanted,
}

/// Keys and values `[rows, heads, room, size]` of an attention, of which the first `length` are filled.
struct Slot {
    keys: Burn<R>,
    values: Burn<R>,
    length: usize,
}

impl Slot {
    fn new(keys: &Burn<R>, values: &Burn<R>) -> Self {
        let zeros = |like: &Burn<R>| {
            let mut dims = like.dims();
            dims[3] = dims[3].next_power_of_two().max(ROOM);
            Burn::zeros(dims, (&like.device(), like.dtype()))
        };
        Self { keys: zeros(keys), values: zeros(values), length: 0 }
    }

    /// Puts keys and values behind the others, in place if there is room.
    fn append(&mut self, keys: Burn<R>, values: Burn<R>) {
        let (start, end) = (self.length, self.length + keys.dims()[3]);
        for (all, new) in [(&mut self.keys, keys), (&mut self.values, values)] {
            let mut held = std::mem::replace(all, Burn::empty([1; R], &new.device()));
            let [.., room, _] = held.dims();
            if end > room {
                let mut dims = held.dims();
                dims[3] = end.next_power_of_two() - room;
                held = Burn::cat(vec![held, Burn::zeros(dims, (&new.device(), new.dtype()))], 3);
            }
            let [a, b, c, _, e] = held.dims();
            *all = held.slice_assign([0..a, 0..b, 0..c, start..end, 0..e], new);
        }
        self.length = end;
    }
}

impl Cache {
    /// An empty cache for rows with this much padding in front.
    pub(super) fn new(starts: Vec<usize>) -> Self {
        Self { starts, ..Self::default() }
    }

    /// Whether an entry holds nothing yet.
    pub(super) fn is_empty(&self, entry: usize) -> bool {
        self.slots.get(entry).is_none_or(Option::is_none)
    }

    /// Appends keys and values `[rows, heads, time, size]` to an entry and returns all of it, perhaps with room behind.
    pub(super) fn extend(&mut self, entry: usize, k: Value, v: Value) -> Result<(Value, Value)> {
        let (rank, k, v) = (k.rank, k.into_float()?, v.into_float()?);
        if self.slots.len() <= entry {
            self.slots.resize_with(entry + 1, || None);
        }
        let slot = self.slots[entry].get_or_insert_with(|| Slot::new(&k, &v));
        slot.append(k, v);
        // With the room behind: attention looks at no key behind its spans.
        Ok((Value::float(slot.keys.clone(), rank), Value::float(slot.values.clone(), rank)))
    }

    /// Makes row `parents[i]` the new row `i`.
    pub fn reorder(&mut self, parents: &[u32]) -> Result<()> {
        let same = parents.len() == self.starts.len() && parents.iter().enumerate().all(|(i, &p)| i == p as usize);
        if same {
            return Ok(());
        }
        self.starts = parents.iter().map(|&p| self.starts[p as usize]).collect();
        let numbers: Vec<_> = parents.iter().map(|&p| p as i32).collect();
        let mut rows: Option<Burn<1, Int>> = None;
        let mut chosen = |x: &Burn<R>, rank: usize| {
            let count = numbers.len();
            let rows = rows.get_or_insert_with(|| transfer::ints(numbers.clone(), [count], &x.device()));
            x.clone().select(R - rank, rows.clone())
        };
        for slot in self.slots.iter_mut().flatten() {
            (slot.keys, slot.values) = (chosen(&slot.keys, 4), chosen(&slot.values, 4));
        }
        for state in self.states.iter_mut().flatten() {
            let rank = state.rank;
            *state = Value::float(chosen(&state.clone().into_float()?, rank), rank);
        }
        Ok(())
    }
}
