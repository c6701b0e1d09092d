//! What becomes of a tile of scores, on the processor: a row at a time, in place, on all cores.

use super::{Scores, Tile};
use crate::kernels::{
    Integers, Row, contiguous,
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
    let (shape, spans) = (scores.shape(), spans.to_contiguous());
    let heads = shape[1] * shape[2] / tile.query.1.max(1);
    let seen = Seen { spans: Integers::of(&spans), rows: spans.shape()[0], heads, prefix: how.reach.prefix, tile };
    let cap = how.softcap.map(|cap| cap as f32);
    let mut scores = contiguous(scores);
    each_row(scores.storage_mut::<f32>(), tile.key.1, &Softmax { seen, cap });
    scores
}

/// Which keys of a tile each row of its scores sees.
#[derive(Clone, Copy)]
pub(super) struct Seen<'a> {
    /// `[rows, 3, time]`.
    pub spans: Integers<'a>,
    pub rows: usize,
    /// Of the queries.
    pub heads: usize,
    pub prefix: usize,
    pub tile: Tile,
}

impl Seen<'_> {
    /// Spans of the tile's keys: of those of the prefix, and of the others.
    pub fn of(&self, row: usize) -> [Range<usize>; 2] {
        let Self { rows, heads, prefix, tile: Tile { query: (start, count), key: (from, keys), whole }, .. } = *self;
        let clip = |span: Range<usize>| {
            let [start, end] = [span.start, span.end].map(|key| key.saturating_sub(from).min(keys));
            start..end.max(start)
        };
        let sequence = if rows == 1 { 0 } else { row / (heads * count) };
        let number = |i| self.spans.at((sequence * 3 + i) * whole[0] + start + row % count);
        [clip(number(0)..prefix), clip(prefix + number(1)..prefix + number(2))]
    }
}

/// Softmax of the spans of a row, zeros elsewhere.
struct Softmax<'a> {
    seen: Seen<'a>,
    cap: Option<f32>,
}

impl Row for Softmax<'_> {
    #[inline(always)]
    fn run(&self, i: usize, row: &mut [f32]) {
        softmax(row, self.seen.of(i), self.cap);
    }
}

#[inline(always)]
pub(super) fn softmax(row: &mut [f32], [first, second]: [Range<usize>; 2], cap: Option<f32>) {
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
    each_row(slopes.storage_mut::<f32>(), keys, &Slopes { weights: p, scores: s });
    slopes
}

struct Slopes<'a> {
    weights: &'a [f32],
    /// With their cap.
    scores: Option<(&'a [f32], f32)>,
}

impl Row for Slopes<'_> {
    #[inline(always)]
    fn run(&self, i: usize, row: &mut [f32]) {
        let beside = i * row.len()..(i + 1) * row.len();
        slope(row, &self.weights[beside.clone()], self.scores.map(|(s, cap)| (&s[beside], cap)), 1.0);
    }
}

/// `p · (dp - Σ p·dp) · scale · cap'(s)`, in the place of `dp`, for weights `p` and scores `s` with their cap.
#[inline(always)]
pub(super) fn slope(row: &mut [f32], p: &[f32], scores: Option<(&[f32], f32)>, scale: f32) {
    let sum = summed(p, row, |p, x| p * x);
    row.iter_mut().zip(p).for_each(|(x, p)| *x = p * (*x - sum) * scale);
    if let Some((s, cap)) = scores {
        row.iter_mut().zip(s).for_each(|(x, s)| {
            let tanh = tanh(s / cap);
            *x *= 1.0 - tanh * tanh;
        });
    }
}
