//! Softmax of logits `[vocabulary, lanes]`, for all rows of a block at a time.

use super::{
    VECTOR,
    block::{MOST, Running},
};
use crate::kernels::{Loop, exp::exp, head::How, squash::slope_of_cap};

/// Makes products with rows of the weight what the gradient weighs these rows with. Gives what the gradient so far must be
/// multiplied with, unless it is 1 for all rows.
pub struct Take<'a, const V: usize> {
    pub tile: &'a mut [f32],
    pub bias: &'a [f32],
    pub targets: &'a [usize; MOST],
    /// The number of the first row of the weight.
    pub start: usize,
    pub running: &'a mut Running,
    pub how: How,
}

impl<const V: usize> Loop for Take<'_, V> {
    type Output = Option<[f32; MOST]>;

    #[inline(always)]
    fn run(self) -> Self::Output {
        let (lanes, Self { tile, bias, targets, start, running, how }) = (V * VECTOR, self);
        let rows = tile.len() / lanes;
        squashed(tile, lanes, bias, how);
        for (lane, target) in targets[..lanes].iter().enumerate() {
            if (start..start + rows).contains(target) {
                running.target[lane] = tile[(target - start) * lanes + lane];
            }
        }
        let mut most = running.most;
        for row in tile.chunks_exact(lanes) {
            for (most, x) in most[..lanes].iter_mut().zip(row) {
                *most = if *x > *most { *x } else { *most };
            }
        }
        let mut shrink = [1.0; MOST];
        for (shrink, (most, before)) in shrink[..lanes].iter_mut().zip(most.iter().zip(&running.most)) {
            *shrink = if most > before { exp(before - most) } else { 1.0 };
        }
        let mut sum = [0.0; MOST];
        for row in tile.chunks_exact_mut(lanes) {
            let numbers = row.iter_mut().zip(sum[..lanes].iter_mut().zip(&most[..lanes]));
            match how.squash.softcap {
                Some(cap) => numbers.for_each(|(x, (sum, most))| {
                    let (e, slope) = (exp(*x - most), slope_of_cap(cap as f32, *x));
                    (*sum, *x) = (*sum + e, e * slope);
                }),
                None => numbers.for_each(|(x, (sum, most))| {
                    *x = exp(*x - most);
                    *sum += *x;
                }),
            }
        }
        for (all, (sum, shrink)) in running.sum[..lanes].iter_mut().zip(sum.iter().zip(&shrink)) {
            *all = *all * shrink + sum;
        }
        running.most = most;
        shrink[..lanes].iter().any(|x| *x != 1.0).then_some(shrink)
    }
}

/// Makes products the logits.
#[inline(always)]
fn squashed(tile: &mut [f32], lanes: usize, bias: &[f32], how: How) {
    for (row, bias) in tile.chunks_exact_mut(lanes).zip(bias) {
        row.iter_mut().for_each(|x| *x += bias);
    }
    how.squash.row(tile);
}
