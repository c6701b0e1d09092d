//! Softmax and cross-entropy of rows of logits, and the gradient of the logits, in one pass.

use super::{
    Integers, Loop, contiguous,
    exact::OnExact,
    rows::{exponentials, maximum},
    vectorised,
};
use burn::{
    backend::{
        Autodiff, AutodiffBackend, Dispatch, Flex, TensorMetadata,
        autodiff::checkpoint::strategy::CheckpointStrategy,
        backend_extension,
        ops::FloatTensorOps,
        tensor::{FloatTensor, IntTensor},
    },
    tensor::{IndexingUpdateOp, Int, Shape, Tensor as Burn, TensorData},
};
use rayon::prelude::*;

#[backend_extension(Autodiff, Flex, Cube: cfg(any(feature = "wgpu", feature = "cuda")))]
pub(in super::super) trait OnCrossEntropy: OnExact {
    /// `-log softmax(logits)[target]` of each row, and `factor` times its gradient.
    ///
    /// Logits `[rows, vocab]` and targets `[rows, 1]` to losses `[rows, 1]` and gradients `[rows, vocab]`.
    fn cross_entropy(
        logits: FloatTensor<Self>,
        targets: IntTensor<Self>,
        factor: f64,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        let rows = logits.shape()[0];
        let (device, dtype) = (logits.device(), logits.dtype().into());
        let shifted = Self::float_sub(logits.clone(), Self::float_max_dim(logits, 1));
        let chosen = Self::float_gather(1, shifted.clone(), targets.clone());
        let exp = Self::float_exp(shifted);
        let total = Self::float_sum_dim(exp.clone(), 1);
        let losses = Self::float_sub(Self::float_log(total.clone()), chosen);
        let scale = Self::float_mul_scalar(Self::float_recip(total), factor.into());
        let minus_one = Self::float_full(Shape::from([rows, 1]), (-factor).into(), &device, dtype);
        let slopes = Self::float_mul(exp, scale);
        (losses, Self::float_scatter(1, slopes, targets, minus_one, IndexingUpdateOp::Add))
    }
}

pub(in super::super) fn cross_entropy(logits: Burn<2>, targets: Burn<2, Int>, factor: f64) -> (Burn<2>, Burn<2>) {
    let (losses, slopes) = Dispatch::cross_entropy(logits.into_dispatch(), targets.into_dispatch(), factor);
    (Burn::from_dispatch(losses), Burn::from_dispatch(slopes))
}

impl OnCrossEntropy for Flex {
    fn cross_entropy(
        logits: FloatTensor<Self>,
        targets: IntTensor<Self>,
        factor: f64,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        let (rows, vocab) = (logits.shape()[0], logits.shape()[1]);
        let targets = targets.to_contiguous();
        let targets = Integers::of(&targets);
        let mut logits = contiguous(logits);
        let data = logits.storage_mut::<f32>();
        let of_row =
            |(i, row): (usize, &mut [f32])| vectorised(OfRow { row, target: targets.at(i), factor: factor as f32 });
        let losses: Vec<f32> = data.par_chunks_mut(vocab.max(1)).enumerate().map(of_row).collect();
        (Self::float_from_data(TensorData::new(losses, [rows, 1]), &Default::default()), logits)
    }
}

/// Makes a row of logits the gradient, and returns the loss.
struct OfRow<'a> {
    row: &'a mut [f32],
    target: usize,
    factor: f32,
}

impl Loop for OfRow<'_> {
    type Output = f32;

    #[inline(always)]
    fn run(self) -> f32 {
        let Self { row, target, factor } = self;
        let (most, chosen) = (maximum(row), row[target]);
        let sum = exponentials(row, most);
        let scale = factor / sum;
        row.iter_mut().for_each(|x| *x *= scale);
        row[target] -= factor;
        sum.ln() + most - chosen
    }
}

#[cfg(feature = "wgpu")]
impl OnCrossEntropy for burn::backend::Wgpu {}
#[cfg(all(feature = "cuda", not(feature = "wgpu")))]
impl OnCrossEntropy for burn::backend::Cuda {}

/// The loss is not recorded: it computes its gradients itself.
impl<B: OnCrossEntropy, C: CheckpointStrategy> OnCrossEntropy for Autodiff<B, C> {
    fn cross_entropy(
        logits: FloatTensor<Self>,
        targets: IntTensor<Self>,
        factor: f64,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        let (losses, slopes) = B::cross_entropy(Self::inner(logits), targets, factor);
        (Self::from_inner(losses), Self::from_inner(slopes))
    }
}
