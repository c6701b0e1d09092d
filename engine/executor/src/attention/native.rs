//! What becomes of a tile of scores, on the processor: a row at a time, in place, on all cores.

use super::{Scores, Tile};
use crate::kernels::{contiguous, curves::tanh, each_row, exp::exp};
use burn::backend::{
    Flex, TensorMetadata,
    tensor::{FloatTensor, IntTensor},
};
use std::ops::Range;

fn numbers(x: &IntTensor<Flex>) -> Vec<usize> {
    let x = x.to_contiguous();
    match x.as_slice::<i32>() {
        Some(numbers) => numbers.iter().map(|n| (*n).max(0) as usize).collect(),
        None => x.as_slice::<i64>().expect("integers").iter().map(|n| (*n).max(0) as usize).collect(),
    }
}

/// Softmax over the keys that each query sees, for scores `[batch, kv heads, group · count, keys]`.
pub(super) fn weights(
    scores: FloatTensor<Flex>,
    spans: &IntTensor<Flex>,
    how: &Scores,
    tile: Tile,
) -> FloatTensor<Flex> {
    let (shape, rows) = (scores.shape(), spans.shape()[0]);
    let ((start, count), (from, keys)) = (tile.query, tile.key);
    let (spans, time) = (numbers(spans), tile.whole[0]);
    let heads = shape[1] * shape[2] / count.max(1);
    // In numbers of the tile's keys.
    let clip = |span: Range<usize>| {
        let [start, end] = [span.start, span.end].map(|key| key.saturating_sub(from).min(keys));
        start..end.max(start)
    };
    let prefix = how.reach.prefix;
    let seen = |row: usize| {
        let sequence = if rows == 1 { 0 } else { row / (heads * count) };
        let [of_prefix, first, end] = [0, 1, 2].map(|i| spans[(sequence * 3 + i) * time + start + row % count]);
        [clip(of_prefix..prefix), clip(prefix + first..prefix + end)]
    };
    let cap = how.softcap.map(|cap| cap as f32);
    let mut scores = contiguous(scores);
    each_row(scores.storage_mut::<f32>(), keys, |i, row| softmax(row, seen(i), cap));
    scores
}

/// Softmax of the spans of a row, zeros elsewhere.
#[inline(always)]
fn softmax(row: &mut [f32], [first, second]: [Range<usize>; 2], cap: Option<f32>) {
    row[..first.start].fill(0.0);
    row[first.end..second.start.max(first.end)].fill(0.0);
    row[second.end.max(first.end)..].fill(0.0);
    let spans = [first, second];
    let mut most = f32::NEG_INFINITY;
    for span in spans.clone() {
        let span = &mut row[span];
        if let Some(cap) = cap {
            span.iter_mut().for_each(|x| *x = cap * tanh(*x / cap));
        }
        most = most.max(maximum(span));
    }
    let mut sum = 0.0;
    for span in spans.clone() {
        sum += exponentials(&mut row[span], most);
    }
    // Nothing is seen, or a score is no number: the latter must show.
    let share = if sum == 0.0 { 0.0 } else { 1.0 / sum };
    for span in spans {
        row[span].iter_mut().for_each(|x| *x *= share);
    }
}

/// Numbers that are kept side by side, which the compiler makes vectors of.
const LANES: usize = 16;

#[inline(always)]
fn maximum(span: &[f32]) -> f32 {
    let (parts, rest) = span.as_chunks::<LANES>();
    let mut most = [f32::NEG_INFINITY; LANES];
    for part in parts {
        for (most, x) in most.iter_mut().zip(part) {
            *most = if *x > *most { *x } else { *most };
        }
    }
    rest.iter().chain(&most).copied().fold(f32::NEG_INFINITY, f32::max)
}

#[inline(always)]
fn exponentials(span: &mut [f32], most: f32) -> f32 {
    let (parts, rest) = span.as_chunks_mut::<LANES>();
    let mut sums = [0.0; LANES];
    for part in parts {
        for (sum, x) in sums.iter_mut().zip(part) {
            *x = exp(*x - most);
            *sum += *x;
        }
    }
    for x in rest {
        *x = exp(*x - most);
        sums[0] += *x;
    }
    sums.iter().sum()
}

#[inline(always)]
fn products(a: &[f32], b: &[f32]) -> f32 {
    let ((parts, rest), (others, other)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    let mut sums = [0.0; LANES];
    for (a, b) in parts.iter().zip(others) {
        for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum += a * b;
        }
    }
    sums.iter().sum::<f32>() + rest.iter().zip(other).map(|(a, b)| a * b).sum::<f32>()
}

/// `p · (dp - Σ p·dp) · cap'(s)`, in the place of `dp`.
pub(super) fn slopes(
    weights: FloatTensor<Flex>,
    slopes: FloatTensor<Flex>,
    scores: FloatTensor<Flex>,
    how: &Scores,
) -> FloatTensor<Flex> {
    let keys = slopes.shape()[3].max(1);
    let (weights, mut slopes) = (contiguous(weights), contiguous(slopes));
    let p = weights.storage::<f32>();
    let scores = contiguous(scores);
    let s = how.softcap.map(|cap| (scores.storage::<f32>(), cap as f32));
    each_row(slopes.storage_mut::<f32>(), keys, |i, row| {
        let p = &p[i * keys..][..keys];
        let sum = products(p, row);
        row.iter_mut().zip(p).for_each(|(x, p)| *x = p * (*x - sum));
        if let Some((s, cap)) = s {
            let s = &s[i * keys..][..keys];
            row.iter_mut().zip(s).for_each(|(x, s)| {
                let tanh = tanh(s / cap);
                *x *= 1.0 - tanh * tanh;
            });
        }
    });
    slopes
}
