//! Where the tokens of a pass stand, as tensors: made on the device from what little the host knows.

use super::{Device, layout::Layout, transfer};
use burn::tensor::{Int, Tensor as Burn};

/// What the layout of a pass is on its device.
pub(super) struct Places {
    device: Device,
    rows: usize,
    time: usize,
    /// Tokens per row in the cache before the pass.
    offset: usize,
    /// The first token of each token's sequence `[rows, time]`; none if that is the first of the row.
    firsts: Option<Burn<2, Int>>,
}

impl Places {
    pub fn new(layout: &Layout, device: &Device) -> Self {
        let Layout { rows, time, .. } = *layout;
        let firsts = layout.firsts().map(|data| transfer::ints(data, [rows, time], &device.burn));
        Self { device: device.clone(), rows, time, offset: layout.all() - time, firsts }
    }

    pub fn firsts(&self) -> Option<Burn<2, Int>> {
        self.firsts.clone()
    }

    /// Numbers of the tokens in their rows from `start` on, for all rows.
    fn numbers(&self, start: usize) -> Burn<2, Int> {
        let numbers = Burn::<1, Int>::arange(start as i64..(start + self.time) as i64, &self.device.burn);
        numbers.reshape([1, self.time]).expand([self.rows, self.time])
    }

    /// How many tokens of its sequence come before each token `[rows, time]`, and `more` in front of those.
    pub fn positions(&self, more: usize) -> Burn<2, Int> {
        match &self.firsts {
            None => self.numbers(self.offset + more),
            Some(firsts) => (self.numbers(self.offset) - firsts.clone()).clamp_min(0) + more as i64,
        }
    }

    /// What each token counts in a mean over all that are not padding `[rows, time]`, for rows with so many tokens
    /// ([`Layout::fillings`]).
    pub fn shares(&self, fillings: Option<Vec<i32>>) -> Burn<2> {
        let dims = [self.rows, self.time];
        let share = |tokens: usize| 1.0 / tokens as f64;
        let Some(fillings) = fillings else {
            return Burn::ones(dims, &self.device.burn).mul_scalar(share(self.rows * self.time));
        };
        let all = fillings.iter().map(|filled| *filled as usize).sum();
        let fillings: Burn<2, Int> = transfer::ints(fillings, [self.rows, 1], &self.device.burn);
        self.numbers(0).lower(fillings.expand(dims)).float().mul_scalar(share(all))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::Virtual;

    const NONE: Virtual = Virtual { prompt: 0, prefix: 0 };

    #[track_caller]
    fn positions(layout: &Layout, expected: &[i32]) {
        let found = Places::new(layout, &Device::cpu()).positions(layout.prefix);
        let found: Vec<i32> = found.into_data().convert::<i32>().try_into_vec().unwrap();
        assert_eq!(found, expected);
    }

    #[test]
    fn positions_count_from_the_beginning_of_each_sequence() {
        positions(&Layout::new(2, 3, vec![], NONE), &[0, 1, 2, 0, 1, 2]);
        positions(&Layout::new(2, 6, vec![vec![3, 2], vec![4]], NONE), &[0, 1, 2, 0, 1, 0, 0, 1, 2, 3, 0, 0]);
        positions(&Layout::cached(2, 2, 4, vec![0, 3], NONE), &[4, 5, 1, 2]);
    }

    #[test]
    fn virtual_tokens_move_positions() {
        let prompt = Virtual { prompt: 2, prefix: 0 };
        let packed = Layout::new(2, 4, vec![vec![2, 1], vec![4]], prompt);
        positions(&packed, &[0, 1, 2, 3, 0, 1, 2, 0, 1, 2, 3, 4, 5, 0]);
        positions(&Layout::cached(2, 3, 0, vec![0, 1], prompt), &[0, 1, 2, 3, 4, 0, 0, 1, 2, 3]);
        positions(&Layout::cached(2, 1, 5, vec![0, 1], prompt), &[5, 4]);
        let prefix = Virtual { prompt: 0, prefix: 3 };
        positions(&Layout::new(1, 5, vec![vec![2, 2]], prefix), &[3, 4, 3, 4, 3]);
        positions(&Layout::cached(1, 1, 4, vec![1], prefix), &[6]);
    }

    #[test]
    fn padding_has_no_share() {
        let shares = |segments| -> Vec<f32> {
            let layout = Layout::new(2, 3, segments, NONE);
            Places::new(&layout, &Device::cpu()).shares(layout.fillings()).into_data().try_into_vec().unwrap()
        };
        assert_eq!(shares(vec![vec![3], vec![1]]), [0.25, 0.25, 0.25, 0.25, 0.0, 0.0]);
        assert_eq!(shares(vec![]), [1.0 / 6.0; 6]);
    }
}
