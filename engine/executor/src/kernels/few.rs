//! Products of a few rows with a weight, as when tokens are generated one at a time: what takes the time is to read the
//! weight, so that it is read once, in order, on all cores.

use super::{Loop, contiguous, vectorised};
use burn::{
    backend::{
        Autodiff, Backend, Dispatch, Flex, TensorMetadata,
        autodiff::{
            checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
            grads::Gradients,
            ops::{Backward, Ops, OpsKind},
        },
        backend_extension,
        ops::FloatTensorOps,
        tensor::FloatTensor,
    },
    tensor::{Tensor as Burn, TensorData},
};
use rayon::prelude::*;
use std::ops::Range;

/// Rows up to which a product is one of few.
pub(in super::super) const FEW: usize = 8;
/// Numbers of a weight that one task reads, at least.
const TASK: usize = 1 << 15;
/// Numbers of a weight that are taken at a time: they stay near.
const NEAR: usize = 1 << 11;

#[backend_extension(Autodiff, Flex, Cube: cfg(any(feature = "wgpu", feature = "cuda")))]
pub(in super::super) trait OnFew: Backend {
    /// `x · wᵀ` for `x` `[n, width]` and `w` `[rows, width]`.
    fn few(x: FloatTensor<Self>, weight: FloatTensor<Self>) -> FloatTensor<Self> {
        Self::float_matmul(x, Self::float_transpose(weight))
    }
}

pub(in super::super) fn few(x: Burn<2>, weight: Burn<2>) -> Burn<2> {
    Burn::from_dispatch(Dispatch::few(x.into_dispatch(), weight.into_dispatch()))
}

impl OnFew for Flex {
    fn few(x: FloatTensor<Self>, weight: FloatTensor<Self>) -> FloatTensor<Self> {
        let weight = contiguous(weight);
        let numbers = weight.as_slice::<f32>().expect("32-bit numbers");
        native(x, weight.shape()[0], Weights::There(numbers))
    }
}

/// Where the numbers of a weight's rows come from.
#[derive(Clone, Copy)]
pub(in super::super) enum Weights<'a> {
    There(&'a [f32]),
    /// They are decoded into a buffer.
    Coded(&'a (dyn Fn(Range<usize>, &mut [f32]) + Sync)),
}

impl Weights<'_> {
    fn rows<'b>(&'b self, rows: Range<usize>, width: usize, buffer: &'b mut Vec<f32>) -> &'b [f32] {
        match self {
            Self::There(numbers) => &numbers[rows.start * width..rows.end * width],
            Self::Coded(decode) => {
                buffer.resize(rows.len() * width, 0.0);
                decode(rows, buffer);
                buffer
            }
        }
    }
}

/// [`OnFew::few`] with the rows of a weight.
pub(in super::super) fn native(x: FloatTensor<Flex>, rows: usize, weights: Weights) -> FloatTensor<Flex> {
    let ([n, width], x) = ([x.shape()[0], x.shape()[1]], contiguous(x));
    let x = x.as_slice::<f32>().expect("32-bit numbers");
    let (task, near) = ((TASK / width.max(1)).max(1), (NEAR / width.max(1)).max(1));
    // [rows, n]
    let mut sums = vec![0.0; rows * n];
    sums.par_chunks_mut(task * n.max(1)).enumerate().for_each(|(i, sums)| {
        let mut buffer = Vec::new();
        for (j, sums) in sums.chunks_mut(near * n.max(1)).enumerate() {
            let start = i * task + j * near;
            let weights = weights.rows(start..start + sums.len() / n, width, &mut buffer);
            vectorised(Products { weights, x, width, sums });
        }
    });
    let mut out = vec![0.0; n * rows];
    for (i, row) in out.chunks_mut(rows.max(1)).enumerate() {
        row.iter_mut().zip(sums[i..].iter().step_by(n)).for_each(|(out, sum)| *out = *sum);
    }
    Flex::float_from_data(TensorData::new(out, [n, rows]), &Default::default())
}

/// Products of each row of the weights with each of `x`.
struct Products<'a> {
    weights: &'a [f32],
    x: &'a [f32],
    width: usize,
    sums: &'a mut [f32],
}

impl Loop for Products<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let n = self.x.len() / self.width.max(1);
        for (weights, sums) in self.weights.chunks_exact(self.width).zip(self.sums.chunks_exact_mut(n)) {
            for (sum, x) in sums.iter_mut().zip(self.x.chunks_exact(self.width)) {
                *sum = dot(weights, x);
            }
        }
    }
}

/// Numbers added up side by side: what one of them waits for, others use.
const WIDE: usize = 64;

/// `Σ a · b`.
#[inline(always)]
pub(in super::super) fn dot(a: &[f32], b: &[f32]) -> f32 {
    let ((parts, rest), (others, other)) = (a.as_chunks::<WIDE>(), b.as_chunks::<WIDE>());
    let mut sums = [0.0; WIDE];
    for (a, b) in parts.iter().zip(others) {
        for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum += a * b;
        }
    }
    for (sum, (a, b)) in sums.iter_mut().zip(rest.iter().zip(other)) {
        *sum += a * b;
    }
    // Halves onto each other: sums one after the other would take longer than all the rest.
    for half in [32, 16, 8, 4, 2, 1] {
        for i in 0..half {
            sums[i] += sums[i + half];
        }
    }
    sums[0]
}

#[cfg(feature = "wgpu")]
impl OnFew for burn::backend::Wgpu {}
#[cfg(all(feature = "cuda", not(feature = "wgpu")))]
impl OnFew for burn::backend::Cuda {}

impl<B: OnFew, C: CheckpointStrategy> OnFew for Autodiff<B, C> {
    fn few(x: FloatTensor<Self>, weight: FloatTensor<Self>) -> FloatTensor<Self> {
        let ((x, of_x), (weight, of_weight)) = (x.into_parts(), weight.into_parts());
        let y = B::few(x.clone(), weight.clone());
        match Product.prepare::<C>([of_x, of_weight]).compute_bound().stateful() {
            OpsKind::Tracked(step) => step.finish((x, weight), y),
            OpsKind::UnTracked(step) => step.finish(y),
        }
    }
}

/// `dx = g · w`, `dw = gᵀ · x`.
#[derive(Debug)]
struct Product;

impl<B: OnFew> Backward<B, 2> for Product {
    type State = (FloatTensor<B>, FloatTensor<B>);

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let (x, weight) = ops.state;
        let grad = grads.consume::<B>(&ops.node);
        let [of_x, of_weight] = ops.parents;
        if let Some(parent) = of_x {
            grads.register::<B>(parent.id, B::float_matmul(grad.clone(), weight));
        }
        if let Some(parent) = of_weight {
            grads.register::<B>(parent.id, B::float_matmul(B::float_transpose(grad), x));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Device,
        test::{close, random},
    };

    #[test]
    fn products_are_those_of_64_bits() {
        for (n, rows, width) in [(1, 1, 1), (1, 700, 100), (3, 33, 65), (8, 5, 64), (2, 40, 2100)] {
            let (x, w) = (random(n * width, 1), random(rows * width, 2));
            let at = |i: usize, j: usize| {
                (0..width).map(|k| f64::from(x[i * width + k]) * f64::from(w[j * width + k])).sum::<f64>() as f32
            };
            let expected: Vec<f32> = (0..n * rows).map(|i| at(i / rows, i % rows)).collect();
            let tensor = |data: &[f32], rows| {
                Burn::<2>::from_data(TensorData::new(data.to_vec(), [rows, width]), &Device::cpu().burn)
            };
            let found = few(tensor(&x, n), tensor(&w, rows));
            close(&found.into_data().try_into_vec::<f32>().unwrap(), &expected, 1e-5 * (width as f32).sqrt());
        }
    }
}
