//! The vocabulary projection with its loss in 32 bits and AVX-512: rows of hidden states lie side by side in the lanes of
//! vectors, up to 48 of them. So logits, their softmax and both products with the weight need no other order of its numbers
//! than the one that they have, and a tile of logits stays in the cache of a core.

mod block;
mod multiply;
mod softmax;

use super::{
    Integers,
    head::{DECODED, How},
    matrix::{Matrix, Number, Panel},
    multiply::split,
};
use crate::precision::Half;
use block::Block;
use multiply::{Before, Lines, LinesMut, VECTOR, multiply};
use rayon::prelude::*;
use std::{borrow::Cow, ops::Range};

/// Numbers of the weight that stay near a core, and the rows that they are, at least and at most.
const NEAR: usize = 1 << 16;
const ROWS: Range<usize> = 32..128;

/// Whether products of this format are computed in 32 bits, by a processor that has the instructions.
pub fn serve(half: Half) -> bool {
    split(half).is_none() && super::has_avx512()
}

/// Rows of hidden states `[n, width]`, and what they are to become.
#[derive(Clone, Copy)]
pub struct Rows<'a> {
    pub states: &'a [f32],
    pub width: usize,
    pub targets: Integers<'a>,
    /// One for each row of the weight, or none.
    pub bias: &'a [f32],
    pub how: How,
}

impl Rows<'_> {
    fn count(&self) -> usize {
        self.states.len() / self.width.max(1)
    }

    /// Vectors side by side: as many as give all cores something to do. What a row is summed of does not depend on it.
    fn vectors(&self) -> usize {
        let cores = rayon::current_num_threads();
        let time = |vectors: usize| self.count().div_ceil(vectors * VECTOR).div_ceil(cores) * (vectors + 1);
        (1..=3).rev().min_by_key(|vectors| time(*vectors)).unwrap_or(1)
    }

    /// Rows of the weight that stay near a core.
    fn near(&self) -> usize {
        (NEAR / self.width.max(1)).clamp(ROWS.start, ROWS.end)
    }
}

/// What [`OnHead::head`](super::head::OnHead::head) gives, with rows of the weight as `numbers` gives them.
pub fn head<'a>(rows: Rows, vocab: usize, numbers: impl Fn(Range<usize>) -> Panel<'a> + Sync) -> (Vec<f32>, Vec<f32>) {
    match rows.vectors() {
        1 => in_blocks::<1>(rows, vocab, numbers),
        2 => in_blocks::<2>(rows, vocab, numbers),
        _ => in_blocks::<3>(rows, vocab, numbers),
    }
}

fn in_blocks<'a, const V: usize>(
    rows: Rows,
    vocab: usize,
    numbers: impl Fn(Range<usize>) -> Panel<'a> + Sync,
) -> (Vec<f32>, Vec<f32>) {
    let (mut blocks, width) = (Block::<V>::all(&rows), rows.width);
    let step = (DECODED / width.max(1)).max(1);
    for start in (0..vocab).step_by(step) {
        let panel = start..(start + step).min(vocab);
        let weight = numbers_of(numbers(panel.clone()));
        blocks.par_iter_mut().for_each(|block| block.take(&rows, &weight, start));
    }
    let losses = blocks.iter().flat_map(Block::losses).collect();
    if rows.how.factor.is_none() {
        return (losses, blocks.iter().flat_map(Block::below).collect());
    }
    let mut grad = vec![0.0; rows.states.len()];
    let parts = grad.par_chunks_mut((V * VECTOR * width).max(1)).zip(&blocks);
    parts.for_each(|(grad, block)| block.finish(&rows, grad, |target| numbers_of(numbers(target..target + 1))));
    (losses, grad)
}

fn numbers_of(panel: Panel) -> Cow<[f32]> {
    match panel {
        Panel::Numbers(numbers) => numbers,
        Panel::Halves(halves) => halves.iter().map(|bits| bits.to_f32()).collect(),
    }
}

#[cfg(test)]
mod tests;
