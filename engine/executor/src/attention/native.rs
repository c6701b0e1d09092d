//! What becomes of a tile of scores, on the processor: a row at a time, in place, on all cores.

use super::{Scores, Tile};
use crate::kernels::{
    Integers, contiguous,
    curves::tanh,
    each_row,
    rows::{exponentials, maximum, summed},
};
use burn::backend::{
    Flex, TensorMetadata,
    tensor::{FloatTensor, IntTensor},
};
use std::ops::Range;

/// Softmax over the keys that each query sees, for scores `[batch, kv heads, group · count, keys]`.
pub(super) fn weights(
    scores: FloatTensor<Flex>,
    spans: &IntTensor<Flex>,
    how: &Scores,
    tile: Tile,
) -> FloatTensor<Flex> {
    let (shape, rows) = (scores.shape(), spans.shape()[0]);
    let ((start, count), (from, keys)) = (tile.query, tile.key);
    let (spans, time) = (spans.to_contiguous(), tile.whole[0]);
    let spans = Integers::of(&spans);
    let heads = shape[1] * shape[2] / count.max(1);
    // In numbers of the tile's keys.
    let clip = |span: Range<usize>| {
        let [start, end] = [span.start, span.end].map(|key| key.saturating_sub(from).min(keys));
        start..end.max(start)
    };
    let prefix = how.reach.prefix;
    let seen = |row: usize| {
        let sequence = if rows == 1 { 0 } else { row / (heads * count) };
        let [of_prefix, first, end] = [0, 1, 2].map(|i| spans.at((sequence * 3 + i) * time + start + row % count));
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
        let sum = summed(p, row, |p, x| p * x);
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
