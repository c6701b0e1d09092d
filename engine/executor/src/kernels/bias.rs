//! A bias on all rows of a matrix, in place; on the way back its gradient is the sum of the rows.

use super::{Loop, Row, contiguous, each_row, rows_of_a_task, vectorised};
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

#[backend_extension(Autodiff, Flex, Cube: cfg(any(feature = "wgpu", feature = "cuda")))]
pub(in super::super) trait OnBias: Backend {
    /// `x + b` for `x` `[n, width]` and `b` `[1, width]`.
    fn biased(x: FloatTensor<Self>, b: FloatTensor<Self>) -> FloatTensor<Self> {
        Self::float_add(x, b)
    }

    /// The sum of all rows, `[1, width]`.
    fn sum_of_rows(x: FloatTensor<Self>) -> FloatTensor<Self> {
        Self::float_sum_dim(x, 0)
    }
}

/// `x + b` for `x` `[n, width]` and `b` `[1, width]`.
pub(in super::super) fn biased(x: Burn<2>, b: Burn<2>) -> Burn<2> {
    Burn::from_dispatch(Dispatch::biased(x.into_dispatch(), b.into_dispatch()))
}

struct Plus<'a>(&'a [f32]);

impl Row for Plus<'_> {
    #[inline(always)]
    fn run(&self, _: usize, row: &mut [f32]) {
        for (x, b) in row.iter_mut().zip(self.0) {
            *x += b;
        }
    }
}

/// Adds rows to a sum, one after the other.
struct Sum<'a> {
    rows: &'a [f32],
    sum: &'a mut [f32],
}

impl Loop for Sum<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for row in self.rows.chunks_exact(self.sum.len()) {
            for (sum, x) in self.sum.iter_mut().zip(row) {
                *sum += x;
            }
        }
    }
}

impl OnBias for Flex {
    fn biased(x: FloatTensor<Self>, b: FloatTensor<Self>) -> FloatTensor<Self> {
        let (mut x, b) = (contiguous(x), contiguous(b));
        let b = b.as_slice::<f32>().expect("32-bit numbers");
        each_row(x.storage_mut::<f32>(), b.len(), &Plus(b));
        x
    }

    /// Rows of a task are summed one after the other, and then the tasks' sums: the order does not depend on the cores.
    fn sum_of_rows(x: FloatTensor<Self>) -> FloatTensor<Self> {
        let width = x.shape()[1];
        let x = contiguous(x);
        let rows = x.as_slice::<f32>().expect("32-bit numbers").par_chunks((width * rows_of_a_task(width)).max(1));
        let parts: Vec<Vec<f32>> = rows
            .map(|rows| {
                let mut sum = vec![0.0; width];
                if width > 0 {
                    vectorised(Sum { rows, sum: &mut sum });
                }
                sum
            })
            .collect();
        let mut sum = vec![0.0; width];
        parts.iter().for_each(|rows| vectorised(Sum { rows, sum: &mut sum }));
        Self::float_from_data(TensorData::new(sum, [1, width]), &Default::default())
    }
}

#[cfg(feature = "wgpu")]
impl OnBias for burn::backend::Wgpu {}
#[cfg(all(feature = "cuda", not(feature = "wgpu")))]
impl OnBias for burn::backend::Cuda {}

impl<B: OnBias, C: CheckpointStrategy> OnBias for Autodiff<B, C> {
    fn biased(x: FloatTensor<Self>, b: FloatTensor<Self>) -> FloatTensor<Self> {
        let ((x, of_x), (b, of_b)) = (x.into_parts(), b.into_parts());
        let y = B::biased(x, b);
        match Biased.prepare::<C>([of_x, of_b]).compute_bound().stateful() {
            OpsKind::Tracked(step) => step.finish((), y),
            OpsKind::UnTracked(step) => step.finish(y),
        }
    }
}

#[derive(Debug)]
struct Biased;

impl<B: OnBias> Backward<B, 2> for Biased {
    type State = ();

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = grads.consume::<B>(&ops.node);
        let [of_x, of_b] = ops.parents;
        if let Some(parent) = of_b {
            grads.register::<B>(parent.id, B::sum_of_rows(grad.clone()));
        }
        if let Some(parent) = of_x {
            grads.register::<B>(parent.id, grad);
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

    /// Against 64 bits, over several tasks.
    #[test]
    fn biases_and_their_gradients_are_those_of_64_bits() {
        for [n, width] in [[1, 1], [700, 67], [3, 20_000]] {
            let (xs, bs) = (random(n * width, 1), random(width, 2));
            let of = |data: &[f32], rows| {
                let data = TensorData::new(data.to_vec(), [rows, width]);
                Burn::<2>::from_data(data, &Device::cpu().burn).autodiff().require_grad()
            };
            let (x, b) = (of(&xs, n), of(&bs, 1));
            let y = biased(x.clone(), b.clone());
            let mut grads = (y.clone() * y.clone()).sum().backward();
            let numbers = |x: Burn<2>| x.into_data().try_into_vec::<f32>().unwrap();
            let expected: Vec<f32> = xs.iter().enumerate().map(|(i, x)| x + bs[i % width]).collect();
            close(&numbers(y), &expected, 1e-6);
            let mut sums = vec![0.0; width];
            expected.iter().enumerate().for_each(|(i, y)| sums[i % width] += 2.0 * f64::from(*y));
            let sums: Vec<f32> = sums.into_iter().map(|sum| sum as f32).collect();
            close(&numbers(b.grad_remove(&mut grads).unwrap()), &sums, 1e-3);
            let of_x: Vec<f32> = expected.iter().map(|y| 2.0 * y).collect();
            close(&numbers(x.grad_remove(&mut grads).unwrap()), &of_x, 1e-6);
            assert_eq!(numbers(x), xs, "the operand stays as it is");
        }
    }
}
