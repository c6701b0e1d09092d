//! Products of a few rows with a weight, as when tokens are generated one at a time: what takes the time is to read the
//! weight, so that it is read once, in order, on all cores.

use super::{
    contiguous,
    dot::{Numbers, dots},
};
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

/// Rows up to which a product is one of few.
pub(in super::super) const FEW: usize = 8;
/// Numbers of a weight that one task reads, at least.
const TASK: usize = 1 << 15;

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
        native(x, weight.shape()[0], &There { numbers, width: weight.shape()[1] })
    }
}

/// Rows of a weight as they lie in memory.
pub(in super::super) trait Weight: Sync {
    /// Writes the products of rows from `first` on with each row of `x` to `sums`, `[rows, n]`.
    fn products(&self, first: usize, x: &[f32], sums: &mut [f32]);
}

/// Rows of 32-bit numbers.
struct There<'a> {
    numbers: &'a [f32],
    width: usize,
}

impl Weight for There<'_> {
    fn products(&self, first: usize, x: &[f32], sums: &mut [f32]) {
        dots(Numbers::F32(&self.numbers[first * self.width..]), x, self.width, sums);
    }
}

/// [`OnFew::few`] with a weight of so many rows.
pub(in super::super) fn native(x: FloatTensor<Flex>, rows: usize, weight: &dyn Weight) -> FloatTensor<Flex> {
    let ([n, width], x) = ([x.shape()[0], x.shape()[1]], contiguous(x));
    let x = x.as_slice::<f32>().expect("32-bit numbers");
    let task = (TASK / width.max(1)).max(1);
    // [rows, n]
    let mut sums = vec![0.0; rows * n];
    sums.par_chunks_mut(task * n.max(1)).enumerate().for_each(|(i, sums)| weight.products(i * task, x, sums));
    let out = match n {
        1 => sums,
        _ => (0..n).flat_map(|i| sums[i..].iter().step_by(n).copied()).collect(),
    };
    Flex::float_from_data(TensorData::new(out, [n, rows]), &Default::default())
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
