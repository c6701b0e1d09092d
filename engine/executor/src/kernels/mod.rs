//! Operators that the processor computes in one pass over memory, each with its own way back.
//!
//! A kernel is a trait of burn's backend extension: written in burn's operators for every backend, and natively for the
//! processor. Native code is plain loops over slices, compiled for each level of vector instructions and chosen when the
//! program runs; what a loop computes does not depend on how many threads share the rows.

pub(super) mod activation;
pub(super) mod cross_entropy;
pub(super) mod curves;
pub(super) mod exp;
pub(super) mod norm;

use burn::backend::{Flex, tensor::FloatTensor};
use rayon::prelude::*;

/// Elements that one task works on, at least.
const ELEMENTS: usize = 1 << 14;

/// Calls `f` with the widest vector instructions that this processor has.
#[inline(always)]
pub(super) fn vectorised<R>(f: impl FnOnce() -> R) -> R {
    pulp::Arch::new().dispatch(f)
}

pub(super) fn contiguous(x: FloatTensor<Flex>) -> FloatTensor<Flex> {
    if x.is_contiguous() { x } else { x.to_contiguous() }
}

/// Rows of a task, for rows of this width.
pub(super) fn rows_of_a_task(width: usize) -> usize {
    (ELEMENTS / width.max(1)).max(1)
}

/// Calls `f` with the number of each row and the row, on all cores.
pub(super) fn each_row(data: &mut [f32], width: usize, f: impl Fn(usize, &mut [f32]) + Sync) {
    let task = rows_of_a_task(width);
    data.par_chunks_mut(width.max(1) * task).enumerate().for_each(|(i, rows)| {
        vectorised(|| {
            for (j, row) in rows.chunks_mut(width.max(1)).enumerate() {
                f(i * task + j, row);
            }
        });
    });
}
