//! Attention a tile at a time, forward and back, in a backend's operators.

use super::{Reach, Scores, Tile, ops::OnAttention};
use crate::{
    precision::{Half, product_on},
    random::Place,
};
use burn::{
    backend::{
        TensorMetadata,
        tensor::{FloatTensor, IntTensor},
    },
    tensor::{Shape, Slice},
};
use std::ops::Range;

/// Scores that are held at a time where nobody says how many: 16 MiB.
const WHOLE: usize = 1 << 22;

/// Sizes of an attention.
#[derive(Clone, Copy)]
struct Sizes {
    batch: usize,
    heads: usize,
    kv_heads: usize,
    time: usize,
    keys: usize,
}

impl Sizes {
    fn of(q: &Shape, k: &Shape) -> Self {
        Self { batch: q[0], heads: q[1], kv_heads: k[1], time: q[2], keys: k[2] }
    }

    fn group(self) -> usize {
        self.heads / self.kv_heads
    }

    /// Tiles, in the order of their queries.
    fn tiles(self, how: &Scores) -> Vec<Tile> {
        let Self { batch, heads, time, keys, .. } = self;
        let step = (how.budget.unwrap_or(WHOLE) / (batch * heads * keys).max(1)).clamp(1, time.max(1));
        let tile = |start: usize| {
            let count = step.min(time - start);
            let seen = how.reach.keys(start, count, keys);
            Tile { query: (start, count), key: (seen.start, seen.len()), whole: [time, keys] }
        };
        (0..time).step_by(step).map(tile).collect()
    }
}

impl Reach {
    /// The keys that some of these queries may see.
    pub(super) fn keys(self, start: usize, count: usize, all: usize) -> Range<usize> {
        let Self { prefix, offset, causal, window } = self;
        let end = if causal { (prefix + offset + start + count).min(all) } else { all };
        let first = match window {
            Some(window) if prefix == 0 => (offset + start + 1).saturating_sub(window).min(end),
            _ => 0,
        };
        first..end
    }
}

/// Some of the queries or keys of a tensor `[batch, heads, n, size]`.
fn slices(shape: &Shape, (start, count): (usize, usize)) -> [Slice; 4] {
    [(0..shape[0]).into(), (0..shape[1]).into(), (start..start + count).into(), (0..shape[3]).into()]
}

fn part<B: OnAttention>(x: &FloatTensor<B>, which: (usize, usize)) -> FloatTensor<B> {
    let shape = x.shape();
    if which == (0, shape[2]) {
        return x.clone();
    }
    B::float_slice(x.clone(), &slices(&shape, which))
}

/// Queries of a tile, those of heads that share a key one after the other: `[batch, kv heads, group · count, size]`.
fn grouped<B: OnAttention>(x: &FloatTensor<B>, tile: Tile, sizes: Sizes) -> FloatTensor<B> {
    let width = x.shape()[3];
    let rows = sizes.group() * tile.query.1;
    B::float_reshape(part::<B>(x, tile.query), Shape::from([sizes.batch, sizes.kv_heads, rows, width]))
}

fn ungrouped<B: OnAttention>(x: FloatTensor<B>, tile: Tile, sizes: Sizes) -> FloatTensor<B> {
    let width = x.shape()[3];
    B::float_reshape(x, Shape::from([sizes.batch, sizes.heads, tile.query.1, width]))
}

fn joined<B: OnAttention>(mut parts: Vec<FloatTensor<B>>) -> FloatTensor<B> {
    if parts.len() == 1 { parts.remove(0) } else { B::float_cat(parts, 2) }
}

fn times_transposed<B: OnAttention>(a: FloatTensor<B>, b: FloatTensor<B>, half: Half) -> FloatTensor<B> {
    product_on::<B>(a, B::float_swap_dims(b, 2, 3), half)
}

fn transposed_times<B: OnAttention>(a: FloatTensor<B>, b: FloatTensor<B>, half: Half) -> FloatTensor<B> {
    product_on::<B>(B::float_swap_dims(a, 2, 3), b, half)
}

/// The weights with their random factors.
fn dropped<B: OnAttention>(x: FloatTensor<B>, how: &Scores, tile: Tile) -> FloatTensor<B> {
    let Some(draw) = how.drop else { return x };
    let (rows, columns) = (tile.query, tile.key);
    let place = Place { tile: [rows.1, columns.1], whole: tile.whole, first: [rows.0, columns.0] };
    B::multiplied(x, draw, place)
}

/// Without the first dimension, which is 1.
fn flat<B: OnAttention>(x: FloatTensor<B>) -> FloatTensor<B> {
    let shape = x.shape();
    B::float_reshape(x, Shape::from([shape[1], shape[2], shape[3], shape[4]]))
}

/// With such a dimension.
fn deep<B: OnAttention>(x: FloatTensor<B>) -> FloatTensor<B> {
    let shape = x.shape();
    B::float_reshape(x, Shape::from([1, shape[0], shape[1], shape[2], shape[3]]))
}

/// See [`super::attention`].
pub(super) fn attend<B: OnAttention>(
    q: FloatTensor<B>,
    k: FloatTensor<B>,
    v: FloatTensor<B>,
    spans: IntTensor<B>,
    how: Scores,
) -> FloatTensor<B> {
    let [q, k, v] = [q, k, v].map(flat::<B>);
    let sizes = Sizes::of(&q.shape(), &k.shape());
    let of_tile = |tile: Tile| {
        let queries = B::float_mul_scalar(grouped::<B>(&q, tile, sizes), how.scale.into());
        let scores = times_transposed::<B>(queries, part::<B>(&k, tile.key), how.half);
        let weights = dropped::<B>(B::tile_weights(scores, spans.clone(), how, tile), &how, tile);
        ungrouped::<B>(product_on::<B>(weights, part::<B>(&v, tile.key), how.half), tile, sizes)
    };
    deep::<B>(joined::<B>(sizes.tiles(&how).into_iter().map(of_tile).collect()))
}

/// The gradients of queries, keys and values, for that of the result.
///
/// With weights `p`, factors `m` on them and scores `s`: `dv = (p·m)ᵀ·g`, `dp = m·(g·vᵀ)`,
/// `ds = p·(dp - Σ p·dp)·cap'(s)`, `dq = ds·k·scale`, `dk = dsᵀ·q·scale`.
pub(super) fn back<B: OnAttention>(
    [q, k, v]: [FloatTensor<B>; 3],
    spans: IntTensor<B>,
    how: Scores,
    grad: FloatTensor<B>,
) -> [FloatTensor<B>; 3] {
    let ([q, k, v], grad) = ([q, k, v].map(flat::<B>), flat::<B>(grad));
    let sizes = Sizes::of(&q.shape(), &k.shape());
    let (mut dq, mut dk, mut dv) = (Vec::new(), None, None);
    for tile in sizes.tiles(&how) {
        let queries = B::float_mul_scalar(grouped::<B>(&q, tile, sizes), how.scale.into());
        let (keys, values) = (part::<B>(&k, tile.key), part::<B>(&v, tile.key));
        let scores = times_transposed::<B>(queries.clone(), keys.clone(), how.half);
        // Kept only where they are needed: weights are made in their place otherwise.
        let raw = how.softcap.map(|_| scores.clone());
        let weights = B::tile_weights(scores, spans.clone(), how, tile);
        let raw = raw.unwrap_or_else(|| weights.clone());
        let grad = grouped::<B>(&grad, tile, sizes);
        let slopes = dropped::<B>(times_transposed::<B>(grad.clone(), values, how.half), &how, tile);
        let slopes = B::tile_slopes(weights.clone(), slopes, raw, how);
        add::<B>(&mut dv, transposed_times::<B>(dropped::<B>(weights, &how, tile), grad, how.half), tile);
        add::<B>(&mut dk, transposed_times::<B>(slopes.clone(), queries, how.half), tile);
        let of_tile = B::float_mul_scalar(product_on::<B>(slopes, keys, how.half), how.scale.into());
        dq.push(ungrouped::<B>(of_tile, tile, sizes));
    }
    let whole = |sum: Option<FloatTensor<B>>, x: FloatTensor<B>| {
        sum.unwrap_or_else(|| B::float_zeros(x.shape(), &x.device(), x.dtype().into()))
    };
    [joined::<B>(dq), whole(dk, k), whole(dv, v)].map(deep::<B>)
}

/// Adds what a tile gives to the gradient of all keys or values.
fn add<B: OnAttention>(sum: &mut Option<FloatTensor<B>>, of_tile: FloatTensor<B>, tile: Tile) {
    let mut shape = of_tile.shape();
    *sum = Some(match sum.take() {
        None if tile.key.1 == tile.whole[1] => of_tile,
        before => {
            shape[2] = tile.whole[1];
            let zeros = || B::float_zeros(shape.clone(), &of_tile.device(), of_tile.dtype().into());
            let before = before.unwrap_or_else(zeros);
            let slices = slices(&shape, tile.key);
            let present = B::float_slice(before.clone(), &slices);
            B::float_slice_assign(before, &slices, B::float_add(present, of_tile))
        }
    });
}
