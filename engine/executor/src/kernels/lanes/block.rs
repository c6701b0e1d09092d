//! Rows of hidden states side by side, and what is known of them after some of the vocabulary.

use super::{Before, Lines, LinesMut, Matrix, Rows, VECTOR, multiply, softmax::Take};
use crate::kernels::vectorised;

/// Lanes of the largest block.
pub const MOST: usize = 3 * VECTOR;

/// Numbers of the states of all lanes that are multiplied at a time: they stay in the nearest cache of a core.
const NEAREST: usize = 128;

/// What is known of each row.
pub struct Running {
    /// The largest logits.
    pub most: [f32; MOST],
    /// Of the exponentials of what the logits are below them.
    pub sum: [f32; MOST],
    /// The targets' logits.
    pub target: [f32; MOST],
}

/// Up to `V` vectors of rows.
pub struct Block<const V: usize> {
    /// The first row's number.
    first: usize,
    count: usize,
    /// `[width, lanes]`.
    states: Vec<f32>,
    grad: Vec<f32>,
    targets: [usize; MOST],
    running: Running,
}

impl<const V: usize> Block<V> {
    const LANES: usize = V * VECTOR;

    /// All rows, in blocks; lanes beyond the last row hold zeros.
    pub fn all(rows: &Rows) -> Vec<Self> {
        let block = |(i, part): (usize, &[f32])| {
            let (first, count) = (i * Self::LANES, part.len() / rows.width);
            let mut states = vec![0.0; rows.width * Self::LANES];
            for (lane, row) in part.chunks_exact(rows.width).enumerate() {
                for (line, x) in states.chunks_exact_mut(Self::LANES).zip(row) {
                    line[lane] = *x;
                }
            }
            let target = |lane: usize| if lane < count { rows.targets.at(first + lane) } else { usize::MAX };
            let running = Running { most: [f32::NEG_INFINITY; MOST], sum: [0.0; MOST], target: [0.0; MOST] };
            let grad = vec![0.0; if rows.how.factor.is_some() { states.len() } else { 0 }];
            Self { first, count, states, grad, targets: std::array::from_fn(target), running }
        };
        rows.states.chunks(Self::LANES * rows.width.max(1)).enumerate().map(block).collect()
    }

    /// Goes through rows of the weight, of which the first has this number.
    pub fn take(&mut self, rows: &Rows, weight: &[f32], first: usize) {
        let (width, near) = (rows.width, rows.near());
        let mut tile = vec![0.0; near * Self::LANES];
        for (i, part) in weight.chunks(near * width).enumerate() {
            let (start, count) = (first + i * near, part.len() / width);
            let tile = &mut tile[..count * Self::LANES];
            for from in (0..width).step_by(NEAREST) {
                let weight = Matrix::strided(&part[from..], [count, NEAREST.min(width - from)], [width, 1]);
                let states = Lines { numbers: &self.states[from * Self::LANES..], stride: Self::LANES };
                let logits = LinesMut { numbers: tile, stride: Self::LANES };
                let before = if from == 0 { Before::Overwritten } else { Before::Added };
                multiply::<V>(weight, states, logits, Self::LANES, before);
            }
            let bias = if rows.bias.is_empty() { &[] } else { &rows.bias[start..start + count] };
            let (targets, running) = (&self.targets, &mut self.running);
            let shrink = vectorised(Take::<V> { tile, bias, targets, start, running, how: rows.how });
            if rows.how.factor.is_none() {
                continue;
            }
            if let Some(shrink) = shrink {
                for line in self.grad.chunks_exact_mut(Self::LANES) {
                    line.iter_mut().zip(&shrink).for_each(|(x, shrink)| *x *= shrink);
                }
            }
            let tile = Lines { numbers: tile, stride: Self::LANES };
            let grad = LinesMut { numbers: &mut self.grad, stride: Self::LANES };
            let weight = Matrix::new(part, count, width);
            multiply::<V>(weight.transposed(), tile, grad, Self::LANES, Before::Added);
        }
    }

    pub fn losses(&self) -> impl Iterator<Item = f32> {
        let Running { most, sum, target } = &self.running;
        (0..self.count).map(|lane| sum[lane].ln() + most[lane] - target[lane])
    }

    /// How far targets are below the largest logits.
    pub fn below(&self) -> impl Iterator<Item = f32> {
        (0..self.count).map(|lane| self.running.most[lane] - self.running.target[lane])
    }

    /// The gradient of the block's rows, given rows of the weight by their number.
    pub fn finish<N: AsRef<[f32]>>(&self, rows: &Rows, grad: &mut [f32], row: impl Fn(usize) -> N) {
        let factor = rows.how.factor.unwrap_or(1.0) as f32 * rows.how.squash.factor();
        for (lane, out) in grad.chunks_exact_mut(rows.width).enumerate() {
            let weight = row(rows.targets.at(self.first + lane));
            let scale = factor / self.running.sum[lane];
            let of_target = factor * rows.how.squash.slope(self.running.target[lane]);
            let lines = self.grad.chunks_exact(Self::LANES).zip(weight.as_ref());
            out.iter_mut().zip(lines).for_each(|(out, (line, w))| *out = line[lane] * scale - of_target * w);
        }
    }
}
