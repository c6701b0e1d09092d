//! Attention of whole sequences on the processor: each core takes a head of keys, and some queries at a time, so that their
//! scores stay in its cache. Operands are read and results written where they lie, transposed or not.

use super::{
    Scores, Tile,
    native::{Seen, slope, softmax},
};
use crate::{
    kernels::{Integers, Loop, float32::Target, matrix::Matrix, vectorised},
    random,
};
use burn::{
    backend::{
        Flex, TensorMetadata,
        ops::FloatTensorOps,
        tensor::{FloatTensor, IntTensor},
    },
    tensor::TensorData,
};
use rayon::prelude::*;
use std::ops::Range;

/// Queries that a core takes at a time.
pub(super) const BLOCK: usize = 64;

/// A tensor `[batch, heads, n, size]` where it lies.
struct View<'a> {
    numbers: &'a [f32],
    dims: [usize; 4],
    strides: [usize; 4],
}

/// The tensor, if its numbers do not lie backwards, or a copy.
fn forwards(x: FloatTensor<Flex>) -> FloatTensor<Flex> {
    if x.layout().strides().iter().all(|stride| *stride >= 0) { x } else { x.to_contiguous() }
}

impl<'a> View<'a> {
    fn of(x: &'a FloatTensor<Flex>) -> Self {
        let (shape, strides) = (x.shape(), x.layout().strides());
        // The first dimension is 1.
        let [dims, strides] = [0, 1].map(|kind| [1, 2, 3, 4].map(|i| [shape[i], strides[i] as usize][kind]));
        Self { numbers: &x.storage::<f32>()[x.layout().start_offset()..], dims, strides }
    }

    /// Some rows of a head.
    fn rows(&self, batch: usize, head: usize, rows: Range<usize>) -> Matrix<'a> {
        let [of_batch, of_head, row, column] = self.strides;
        let start = batch * of_batch + head * of_head + rows.start * row;
        Matrix::strided(&self.numbers[start..], [rows.len(), self.dims[3]], [row, column])
    }
}

/// What is computed `[batch, heads, n, size]`, in memory as `[batch, n, heads, size]`: so heads are merged without a copy.
struct Merged {
    target: Target,
    dims: [usize; 4],
}

impl Merged {
    fn new(numbers: &mut Vec<f32>, dims: [usize; 4]) -> Self {
        numbers.resize(dims.iter().product(), 0.0);
        Self { target: Target::new(numbers), dims }
    }

    /// Adds a product to some rows of a head.
    fn add(&self, batch: usize, head: usize, first: usize, a: Matrix, b: Matrix) {
        let [_, heads, n, size] = self.dims;
        let start = ((batch * n + first) * heads + head) * size;
        // SAFETY: a head is written by the one task that has it.
        #[expect(unsafe_code, reason = "rows of a head are no slice of their own")]
        unsafe {
            self.target.add(start, heads * size, a, b);
        }
    }
}

fn tensor(numbers: Vec<f32>, [batch, heads, n, size]: [usize; 4]) -> FloatTensor<Flex> {
    let data = TensorData::new(numbers, [1, batch, n, heads, size]);
    Flex::float_swap_dims(Flex::float_from_data(data, &Default::default()), 2, 3)
}

/// Sizes, and what each query sees.
struct Frame<'a> {
    seen: Seen<'a>,
    how: Scores,
    group: usize,
    kv_heads: usize,
    time: usize,
    keys: usize,
}

impl<'a> Frame<'a> {
    fn new(q: &View, k: &View, spans: &'a IntTensor<Flex>, how: Scores) -> Self {
        let ([_, heads, time, _], [_, kv_heads, keys, _]) = (q.dims, k.dims);
        let tile = Tile { query: (0, time), key: (0, keys), whole: [time, keys] };
        let seen = Seen { spans: Integers::of(spans), rows: spans.shape()[0], heads, prefix: how.reach.prefix, tile };
        Self { seen, how, group: heads / kv_heads.max(1), kv_heads, time, keys }
    }

    /// Calls `f` for each head of keys, on all cores.
    fn each_head(&self, batch: usize, f: impl Fn(usize, usize) + Sync) {
        (0..batch * self.kv_heads).into_par_iter().for_each(|i| f(i / self.kv_heads, i % self.kv_heads));
    }

    /// The blocks of a head's queries: the head, its queries, and the keys that some of them see.
    fn blocks(&self, kv_head: usize) -> impl Iterator<Item = (usize, Range<usize>, Range<usize>)> {
        let heads = kv_head * self.group..(kv_head + 1) * self.group;
        heads.flat_map(move |head| {
            (0..self.time).step_by(BLOCK).map(move |start| {
                let count = BLOCK.min(self.time - start);
                (head, start..start + count, self.how.reach.keys(start, count, self.keys))
            })
        })
    }

    /// Makes scores the weights of the values, and keeps what they were in `raw` if there is a cap.
    fn weigh(&self, scores: &mut [f32], raw: &mut [f32], batch: usize, queries: &Range<usize>, keys: &Range<usize>) {
        let tile = Tile { query: (queries.start, queries.len()), key: (keys.start, keys.len()), ..self.seen.tile };
        let (scale, cap) = (self.how.scale as f32, self.how.softcap.map(|cap| cap as f32));
        let first = batch * self.seen.heads * queries.len();
        vectorised(Weigh { scores, raw, seen: Seen { tile, ..self.seen }, first, scale, cap });
    }

    /// Multiplies weights, or their slopes, with their random factors.
    fn drop(&self, x: &mut [f32], batch: usize, head: usize, queries: &Range<usize>, keys: &Range<usize>) {
        let Some(draw) = self.how.drop else { return };
        let matrix = batch * self.seen.heads + head;
        for (query, row) in queries.clone().zip(x.chunks_mut(keys.len().max(1))) {
            random::scale(row, draw, (matrix * self.time + query) * self.keys + keys.start);
        }
    }
}

struct Weigh<'a> {
    scores: &'a mut [f32],
    raw: &'a mut [f32],
    seen: Seen<'a>,
    first: usize,
    scale: f32,
    cap: Option<f32>,
}

impl Loop for Weigh<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let keys = self.seen.tile.key.1.max(1);
        self.scores.iter_mut().for_each(|x| *x *= self.scale);
        if self.cap.is_some() {
            self.raw.copy_from_slice(self.scores);
        }
        for (i, row) in self.scores.chunks_mut(keys).enumerate() {
            softmax(row, self.seen.of(self.first + i), self.cap);
        }
    }
}

/// [`slope`] of each row.
struct Slopes<'a> {
    weights: &'a [f32],
    slopes: &'a mut [f32],
    raw: &'a [f32],
    keys: usize,
    scale: f32,
    cap: Option<f32>,
}

impl Loop for Slopes<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let rows = self.weights.chunks(self.keys).zip(self.raw.chunks(self.keys));
        for ((p, raw), row) in rows.zip(self.slopes.chunks_mut(self.keys)) {
            slope(row, p, self.cap.map(|cap| (raw, cap)), self.scale);
        }
    }
}

/// See [`super::attention`].
pub(super) fn attend(
    q: FloatTensor<Flex>,
    k: FloatTensor<Flex>,
    v: FloatTensor<Flex>,
    spans: IntTensor<Flex>,
    how: Scores,
) -> FloatTensor<Flex> {
    let ([q, k, v], spans) = ([q, k, v].map(forwards), spans.to_contiguous());
    let [q, k, v] = [&q, &k, &v].map(View::of);
    let frame = Frame::new(&q, &k, &spans, how);
    let ([batch, heads, time, _], mut numbers) = (q.dims, Vec::new());
    let dims = [batch, heads, time, v.dims[3]];
    let out = Merged::new(&mut numbers, dims);
    frame.each_head(batch, |b, kv_head| {
        let mut room = [(); 2].map(|()| vec![0.0; BLOCK.min(time) * frame.keys]);
        for (head, queries, keys) in frame.blocks(kv_head) {
            let size = queries.len() * keys.len();
            let [scores, raw] = room.each_mut().map(|room| &mut room[..size]);
            let near = k.rows(b, kv_head, keys.clone());
            Matrix::times_alone(q.rows(b, head, queries.clone()), near.transposed(), scores);
            frame.weigh(scores, raw, b, &queries, &keys);
            frame.drop(scores, b, head, &queries, &keys);
            let weights = Matrix::new(scores, queries.len(), keys.len());
            out.add(b, head, queries.start, weights, v.rows(b, kv_head, keys));
        }
    });
    tensor(numbers, dims)
}

/// The gradients of queries, keys and values, as [`super::tiles::back`] gives them.
pub(super) fn back(
    inputs: [FloatTensor<Flex>; 3],
    spans: IntTensor<Flex>,
    how: Scores,
    grad: FloatTensor<Flex>,
) -> [FloatTensor<Flex>; 3] {
    let ([q, k, v], grad, spans) = (inputs.map(forwards), forwards(grad), spans.to_contiguous());
    let [q, k, v, grad] = [&q, &k, &v, &grad].map(View::of);
    let frame = Frame::new(&q, &k, &spans, how);
    let (batch, time) = (q.dims[0], frame.time);
    let mut numbers = [Vec::new(), Vec::new(), Vec::new()];
    let [of_q, of_k, of_v] = &mut numbers;
    let [dq, dk, dv] = [(of_q, &q), (of_k, &k), (of_v, &v)].map(|(numbers, x)| Merged::new(numbers, x.dims));
    let (scale, cap) = (how.scale as f32, how.softcap.map(|cap| cap as f32));
    frame.each_head(batch, |b, kv_head| {
        let mut room = [(); 3].map(|()| vec![0.0; BLOCK.min(time) * frame.keys]);
        for (head, queries, keys) in frame.blocks(kv_head) {
            let (count, seen) = (queries.len(), keys.len());
            let [weights, raw, slopes] = room.each_mut().map(|room| &mut room[..count * seen]);
            let (q, grad) = (q.rows(b, head, queries.clone()), grad.rows(b, head, queries.clone()));
            let (k, v) = (k.rows(b, kv_head, keys.clone()), v.rows(b, kv_head, keys.clone()));
            Matrix::times_alone(q, k.transposed(), weights);
            frame.weigh(weights, raw, b, &queries, &keys);
            Matrix::times_alone(grad, v.transposed(), slopes);
            frame.drop(slopes, b, head, &queries, &keys);
            vectorised(Slopes { weights, slopes, raw, keys: seen.max(1), scale, cap });
            frame.drop(weights, b, head, &queries, &keys);
            let (weights, slopes) = (Matrix::new(weights, count, seen), Matrix::new(slopes, count, seen));
            dv.add(b, kv_head, keys.start, weights.transposed(), grad);
            dk.add(b, kv_head, keys.start, slopes.transposed(), q);
            dq.add(b, head, queries.start, slopes, k);
        }
    });
    let [of_q, of_k, of_v] = numbers;
    [tensor(of_q, q.dims), tensor(of_k, k.dims), tensor(of_v, v.dims)]
}
