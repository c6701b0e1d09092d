//! What each query sees, as spans of keys.

use super::Reach;
use crate::{Device, layout::Layout, precision::Half, transfer};
use burn::tensor::{Int, Tensor as Burn};
use framework_core::AttentionSpec;

/// For each query the span of keys of its sequence that it sees, and the first key of the prefix.
#[derive(Clone)]
pub(crate) struct Spans {
    /// `[rows or 1, 3, time]`: the first key of the prefix that is seen, the first key behind the prefix, and where those
    /// end; the latter two counted from the end of the prefix.
    pub(super) numbers: Burn<3, Int>,
    pub(super) reach: Reach,
    /// Of the device that they are on.
    pub(super) half: Half,
}

impl Spans {
    /// `first` says where each query's sequence begins `[rows, time]`; without it, all begin with the first key.
    pub fn new(layout: &Layout, first: Option<Burn<2, Int>>, how: &AttentionSpec, device: &Device) -> Self {
        let (causal, window) = (how.causal, how.window.map(|window| window as i64));
        let (prefix, offset, time) =
            (layout.prefix as i64, layout.all() as i64 - layout.time as i64, layout.time as i64);
        let at: Burn<2, Int> = Burn::<1, Int>::arange(offset..offset + time, &device.burn).reshape([1, layout.time]);
        let (first, at) = match first {
            Some(first) => {
                let dims = first.dims();
                (first, at.expand(dims))
            }
            None => (at.zeros_like(), at),
        };
        let end = match (causal, layout.ends().filter(|_| !causal)) {
            (true, _) => at.clone() + 1,
            (false, Some(ends)) => transfer::ints(ends, [layout.rows, layout.time], &device.burn),
            (false, None) => at.zeros_like() + layout.all() as i64,
        };
        let ([near, end], first, at) = match end.dims() == first.dims() {
            true => ([first.clone(), end], first, at),
            false => {
                let dims = end.dims();
                ([first.clone().expand(dims), end], first.expand(dims), at.expand(dims))
            }
        };
        let (of_prefix, near, end) = match window {
            None => (first.zeros_like(), near, end),
            Some(window) => {
                let back = at.clone() + (1 - window);
                let of_prefix = (back.clone() - first.clone() + prefix).clamp(0, prefix);
                let near = near.max_pair(back);
                let end = if causal { end } else { end.min_pair(at + window) };
                (of_prefix, near, end)
            }
        };
        let numbers = Burn::stack(vec![of_prefix, near, end], 1);
        let reach = Reach { prefix: prefix as usize, offset: offset as usize, causal, window: how.window };
        Self { numbers, reach, half: device.half }
    }

    /// Queries.
    pub(super) fn time(&self) -> usize {
        self.numbers.dims()[2]
    }
}
