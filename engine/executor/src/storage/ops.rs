//! Coded weights on a device: decoding, products, rows. Each backend may decode with code of its own; what the others
//! have is written in burn's operators.

use super::{Coding, Matrix, portable::decoded};
use crate::{
    kernels::{
        Integers, contiguous,
        exact::OnExact,
        few::{FEW, Weight, native as few},
        matrix,
        multiply::Left,
    },
    precision::product_on,
};
use burn::{
    backend::{
        Autodiff, AutodiffBackend, Dispatch, Flex, TensorMetadata,
        autodiff::{
            checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
            grads::Gradients,
            ops::{Backward, Ops, OpsKind},
        },
        backend_extension,
        ops::FloatTensorOps,
        tensor::{FloatTensor, IntTensor},
    },
    tensor::{Int, Slice, Tensor as Burn, TensorData},
};
use rayon::prelude::*;
use std::ops::Range;

/// Numbers that are decoded at a time for a product: 16 MiB, however large the weight is.
const PANEL: usize = 1 << 22;

/// Operators on coded weights, which are constants.
#[backend_extension(Autodiff, Flex, Cube: cfg(any(feature = "wgpu", feature = "cuda")))]
trait OnCoded: OnExact {
    /// All numbers `[rows, width]`.
    fn coded_dense(words: IntTensor<Self>, scales: FloatTensor<Self>, coding: Coding) -> FloatTensor<Self> {
        decoded::<Self>(words, scales, coding)
    }

    /// `x · wᵀ` for `x` `[n, width]`.
    fn coded_linear(
        x: FloatTensor<Self>,
        words: IntTensor<Self>,
        scales: FloatTensor<Self>,
        coding: Coding,
    ) -> FloatTensor<Self> {
        product_on::<Self>(x, Self::float_transpose(Self::coded_dense(words, scales, coding)), coding.half)
    }

    /// `g · w` for `g` `[n, rows]`.
    fn coded_back(
        g: FloatTensor<Self>,
        words: IntTensor<Self>,
        scales: FloatTensor<Self>,
        coding: Coding,
    ) -> FloatTensor<Self> {
        product_on::<Self>(g, Self::coded_dense(words, scales, coding), coding.half)
    }

    /// Rows of a table by their numbers `[n]`.
    fn coded_rows(
        numbers: IntTensor<Self>,
        words: IntTensor<Self>,
        scales: FloatTensor<Self>,
        coding: Coding,
    ) -> FloatTensor<Self> {
        Self::float_select(Self::coded_dense(words, scales, coding), 0, numbers)
    }
}

pub(super) fn dense(words: Burn<1, Int>, scales: Burn<1>, coding: Coding) -> Burn<2> {
    Burn::from_dispatch(Dispatch::coded_dense(words.into_dispatch(), scales.into_dispatch(), coding))
}

pub(super) fn linear(x: Burn<2>, words: Burn<1, Int>, scales: Burn<1>, coding: Coding) -> Burn<2> {
    let (words, scales) = (words.into_dispatch(), scales.into_dispatch());
    Burn::from_dispatch(Dispatch::coded_linear(x.into_dispatch(), words, scales, coding))
}

pub(super) fn back(g: Burn<2>, words: Burn<1, Int>, scales: Burn<1>, coding: Coding) -> Burn<2> {
    let (words, scales) = (words.into_dispatch(), scales.into_dispatch());
    Burn::from_dispatch(Dispatch::coded_back(g.into_dispatch(), words, scales, coding))
}

pub(super) fn rows(numbers: Burn<1, Int>, words: Burn<1, Int>, scales: Burn<1>, coding: Coding) -> Burn<2> {
    let (words, scales) = (words.into_dispatch(), scales.into_dispatch());
    Burn::from_dispatch(Dispatch::coded_rows(numbers.into_dispatch(), words, scales, coding))
}

/// The rows of a weight, as many at a time as are decoded for a product.
fn panels(coding: Coding) -> impl Iterator<Item = Range<usize>> {
    let (rows, step) = (coding.shape.rows, (PANEL / coding.shape.width.max(1)).max(1));
    (0..rows).step_by(step).map(move |start| start..(start + step).min(rows))
}

/// Words and scales where they lie.
fn parts<'a>(words: &'a IntTensor<Flex>, scales: &'a FloatTensor<Flex>) -> (&'a [i32], &'a [f32]) {
    (words.as_slice::<i32>().expect("words"), scales.as_slice::<f32>().expect("scales"))
}

/// A coded weight for products with few rows.
struct Rows<'a> {
    words: &'a [i32],
    scales: &'a [f32],
    coding: Coding,
}

impl Weight for Rows<'_> {
    fn products(&self, first: usize, x: &[f32], sums: &mut [f32]) {
        self.coding.codec().products(self.words, self.scales, self.coding.shape, first, x, sums);
    }
}

fn tensor(data: Vec<f32>, dims: [usize; 2]) -> FloatTensor<Flex> {
    Flex::float_from_data(TensorData::new(data, dims), &Default::default())
}

impl OnCoded for Flex {
    fn coded_dense(words: IntTensor<Self>, scales: FloatTensor<Self>, coding: Coding) -> FloatTensor<Self> {
        let (words, scales) = (words.to_contiguous(), scales.to_contiguous());
        let ((words, scales), Matrix { rows, width }) = (parts(&words, &scales), coding.shape);
        tensor(coding.numbers(words, scales, 0..rows), [rows, width])
    }

    fn coded_linear(
        x: FloatTensor<Self>,
        words: IntTensor<Self>,
        scales: FloatTensor<Self>,
        coding: Coding,
    ) -> FloatTensor<Self> {
        let (words, scales) = (words.to_contiguous(), scales.to_contiguous());
        let ((words, scales), n) = (parts(&words, &scales), x.shape()[0]);
        let Matrix { rows, width } = coding.shape;
        if n <= FEW {
            return few(x, rows, &Rows { words, scales, coding });
        }
        let x = contiguous(x);
        let left = Left::new(matrix::Matrix::new(x.as_slice::<f32>().expect("32-bit numbers"), n, width), coding.half);
        let part = |rows: Range<usize>| {
            let count = rows.len();
            tensor(left.times(coding.panel(words, scales, rows).matrix(width).transposed()), [n, count])
        };
        let mut parts: Vec<_> = panels(coding).map(part).collect();
        if parts.len() == 1 { parts.remove(0) } else { Self::float_cat(parts, 1) }
    }

    fn coded_back(
        g: FloatTensor<Self>,
        words: IntTensor<Self>,
        scales: FloatTensor<Self>,
        coding: Coding,
    ) -> FloatTensor<Self> {
        let (words, scales, n) = (words.to_contiguous(), scales.to_contiguous(), g.shape()[0]);
        let ((words, scales), width) = (parts(&words, &scales), coding.shape.width);
        let mut sum: Option<Vec<f32>> = None;
        for rows in panels(coding) {
            let g = Self::float_slice(g.clone(), &[Slice::from(0..n), Slice::from(rows.clone())]).to_contiguous();
            let g = matrix::Matrix::new(g.as_slice::<f32>().expect("32-bit numbers"), n, rows.len());
            let (left, panel) = (Left::new(g, coding.half), coding.panel(words, scales, rows));
            match &mut sum {
                Some(sum) => left.times_added(panel.matrix(width), sum),
                None => sum = Some(left.times(panel.matrix(width))),
            }
        }
        tensor(sum.expect("a weight has rows"), [n, width])
    }

    fn coded_rows(
        numbers: IntTensor<Self>,
        words: IntTensor<Self>,
        scales: FloatTensor<Self>,
        coding: Coding,
    ) -> FloatTensor<Self> {
        let (words, scales, numbers) = (words.to_contiguous(), scales.to_contiguous(), numbers.to_contiguous());
        let (words, scales) = (words.as_slice::<i32>().expect("words"), scales.as_slice::<f32>().expect("scales"));
        let (codec, width, count) = (coding.codec(), coding.shape.width, numbers.shape()[0]);
        let numbers = Integers::of(&numbers);
        let mut out = vec![0.0; count * width];
        out.par_chunks_mut(width.max(1)).enumerate().for_each(|(i, out)| {
            codec.decode(words, scales, coding.shape, numbers.at(i) * width, out);
        });
        Self::float_from_data(TensorData::new(out, [count, width]), &Default::default())
    }
}

// Both are names of the one backend of all GPUs.
#[cfg(feature = "wgpu")]
impl OnCoded for burn::backend::Wgpu {}
#[cfg(all(feature = "cuda", not(feature = "wgpu")))]
impl OnCoded for burn::backend::Cuda {}

impl<B: OnCoded, C: CheckpointStrategy> OnCoded for Autodiff<B, C> {
    fn coded_dense(words: IntTensor<Self>, scales: FloatTensor<Self>, coding: Coding) -> FloatTensor<Self> {
        Self::from_inner(B::coded_dense(words, Self::inner(scales), coding))
    }

    fn coded_linear(
        x: FloatTensor<Self>,
        words: IntTensor<Self>,
        scales: FloatTensor<Self>,
        coding: Coding,
    ) -> FloatTensor<Self> {
        let scales = Self::inner(scales);
        let (x, node) = x.into_parts();
        let y = B::coded_linear(x, words.clone(), scales.clone(), coding);
        match Product.prepare::<C>([node]).compute_bound().stateful() {
            OpsKind::Tracked(step) => step.finish((words, scales, coding), y),
            OpsKind::UnTracked(step) => step.finish(y),
        }
    }

    // What is not recorded: the loss computes its gradients itself.
    fn coded_back(
        g: FloatTensor<Self>,
        words: IntTensor<Self>,
        scales: FloatTensor<Self>,
        coding: Coding,
    ) -> FloatTensor<Self> {
        Self::from_inner(B::coded_back(Self::inner(g), words, Self::inner(scales), coding))
    }

    fn coded_rows(
        numbers: IntTensor<Self>,
        words: IntTensor<Self>,
        scales: FloatTensor<Self>,
        coding: Coding,
    ) -> FloatTensor<Self> {
        Self::from_inner(B::coded_rows(numbers, words, Self::inner(scales), coding))
    }
}

/// The way back through [`OnCoded::coded_linear`]: the gradient of `x` is `g · w`, for which `w` is decoded again.
#[derive(Debug)]
struct Product;

impl<B: OnCoded> Backward<B, 1> for Product {
    type State = (IntTensor<B>, FloatTensor<B>, Coding);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let (words, scales, coding) = ops.state;
        let grad = grads.consume::<B>(&ops.node);
        let [parent] = ops.parents;
        if let Some(parent) = parent {
            grads.register::<B>(parent.id, B::coded_back(grad, words, scales, coding));
        }
    }
}
