//! The loss with a coded vocabulary projection: its rows are decoded a panel at a time.

use super::{Coding, portable::decoded};
use crate::kernels::head::{How, OnHead, native};
use burn::{
    backend::{
        Autodiff, AutodiffBackend, Dispatch, Flex,
        autodiff::checkpoint::strategy::CheckpointStrategy,
        backend_extension,
        tensor::{FloatTensor, IntTensor},
    },
    tensor::{Int, Tensor as Burn},
};

#[backend_extension(Autodiff, Flex, Cube: cfg(any(feature = "wgpu", feature = "cuda")))]
trait OnCodedHead: OnHead {
    /// [`OnHead::head`] with a coded weight.
    fn coded_head(
        hidden: FloatTensor<Self>,
        words: IntTensor<Self>,
        scales: FloatTensor<Self>,
        coding: Coding,
        bias: FloatTensor<Self>,
        targets: IntTensor<Self>,
        how: How,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        Self::head(hidden, decoded::<Self>(words, scales, coding), bias, targets, how)
    }
}

pub(super) fn head(
    hidden: Burn<2>,
    (words, scales, coding): (Burn<1, Int>, Burn<1>, Coding),
    bias: Option<Burn<2>>,
    targets: Burn<2, Int>,
    how: How,
) -> (Burn<2>, Burn<2>) {
    let bias = bias.unwrap_or_else(|| Burn::zeros([1, 1], &hidden.device()));
    let (words, scales) = (words.into_dispatch(), scales.into_dispatch());
    let (hidden, bias, targets) = (hidden.into_dispatch(), bias.into_dispatch(), targets.into_dispatch());
    let (losses, other) = Dispatch::coded_head(hidden, words, scales, coding, bias, targets, how);
    (Burn::from_dispatch(losses), Burn::from_dispatch(other))
}

impl OnCodedHead for Flex {
    fn coded_head(
        hidden: FloatTensor<Self>,
        words: IntTensor<Self>,
        scales: FloatTensor<Self>,
        coding: Coding,
        bias: FloatTensor<Self>,
        targets: IntTensor<Self>,
        how: How,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        let (words, scales) = (words.to_contiguous(), scales.to_contiguous());
        let (words, scales) = (words.as_slice::<i32>().expect("words"), scales.as_slice::<f32>().expect("scales"));
        let rows = coding.shape.rows;
        native(hidden, bias, targets, how, rows, |rows| coding.panel(words, scales, rows))
    }
}

#[cfg(feature = "wgpu")]
impl OnCodedHead for burn::backend::Wgpu {}
#[cfg(all(feature = "cuda", not(feature = "wgpu")))]
impl OnCodedHead for burn::backend::Cuda {}

/// The loss is not recorded: it computes its gradients itself.
impl<B: OnCodedHead, C: CheckpointStrategy> OnCodedHead for Autodiff<B, C> {
    fn coded_head(
        hidden: FloatTensor<Self>,
        words: IntTensor<Self>,
        scales: FloatTensor<Self>,
        coding: Coding,
        bias: FloatTensor<Self>,
        targets: IntTensor<Self>,
        how: How,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        let [hidden, scales, bias] = [hidden, scales, bias].map(Self::inner);
        let (losses, grad) = B::coded_head(hidden, words, scales, coding, bias, targets, how);
        (Self::from_inner(losses), Self::from_inner(grad))
    }
}
