//! Coded weights on a device: decoding, products, rows. Each backend may decode with code of its own; what the others
//! have is written in burn's operators.

use super::{Coding, Storage, block4, half, int8, scales};
use crate::{kernels::Integers, precision::product_on};
use burn::{
    backend::{
        Autodiff, AutodiffBackend, Backend, Dispatch, Flex, TensorMetadata,
        autodiff::{
            checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
            grads::Gradients,
            ops::{Backward, Ops, OpsKind},
        },
        backend_extension,
        ops::FloatTensorOps,
        tensor::{FloatTensor, IntTensor},
    },
    tensor::{FloatDType, Int, Shape, Slice, Tensor as Burn, TensorData},
};
use rayon::prelude::*;
use std::ops::Range;

/// Numbers that one task decodes, at least.
const CHUNK: usize = 1 << 15;

/// Numbers that are decoded at a time for a product: 16 MiB, however large the weight is.
const PANEL: usize = 1 << 22;

/// Operators on coded weights, which are constants.
#[backend_extension(Autodiff, Flex, Cube: cfg(any(feature = "wgpu", feature = "cuda")))]
trait OnCoded: Backend {
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

/// Some rows of a weight `[rows, width]`, decoded on all cores.
fn decoded_rows(
    words: &IntTensor<Flex>,
    scales: &FloatTensor<Flex>,
    coding: Coding,
    rows: Range<usize>,
) -> FloatTensor<Flex> {
    let (words, scales) = (words.to_contiguous(), scales.to_contiguous());
    let (words, scales) = (words.as_slice::<i32>().expect("words"), scales.as_slice::<f32>().expect("scales"));
    let (codec, width) = (coding.codec(), coding.shape.width);
    let mut out = vec![0.0; rows.len() * width];
    out.par_chunks_mut(CHUNK).enumerate().for_each(|(i, out)| {
        codec.decode(words, scales, coding.shape, rows.start * width + i * CHUNK, out);
    });
    Flex::float_from_data(TensorData::new(out, [rows.len(), width]), &Default::default())
}

/// The rows of a weight, as many at a time as are decoded for a product.
fn panels(coding: Coding) -> impl Iterator<Item = Range<usize>> {
    let (rows, step) = (coding.shape.rows, (PANEL / coding.shape.width.max(1)).max(1));
    (0..rows).step_by(step).map(move |start| start..(start + step).min(rows))
}

impl OnCoded for Flex {
    fn coded_dense(words: IntTensor<Self>, scales: FloatTensor<Self>, coding: Coding) -> FloatTensor<Self> {
        decoded_rows(&words, &scales, coding, 0..coding.shape.rows)
    }

    fn coded_linear(
        x: FloatTensor<Self>,
        words: IntTensor<Self>,
        scales: FloatTensor<Self>,
        coding: Coding,
    ) -> FloatTensor<Self> {
        let part = |rows| {
            let weight = decoded_rows(&words, &scales, coding, rows);
            Self::float_matmul(x.clone(), Self::float_transpose(weight))
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
        let n = g.shape()[0];
        let part = |rows: Range<usize>| {
            let g = Self::float_slice(g.clone(), &[Slice::from(0..n), Slice::from(rows.clone())]);
            Self::float_matmul(g, decoded_rows(&words, &scales, coding, rows))
        };
        panels(coding).map(part).reduce(Self::float_add).expect("a weight has rows")
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

/// [`super::Codec::decode`] in a backend's operators: words are shifted and masked, codes are looked up in tables.
fn decoded<B: Backend>(words: IntTensor<B>, scales: FloatTensor<B>, coding: Coding) -> FloatTensor<B> {
    let Coding { storage, shape, .. } = coding;
    let numbers = match storage {
        Storage::F32 => unreachable!("32-bit numbers are not coded"),
        Storage::Bf16 => halves::<B>(words, &half::BF16),
        Storage::F16 => halves::<B>(words, &half::F16),
        Storage::Int8 => {
            let codes = parts::<B>(words, &[0, 8, 16, 24], 255);
            let numbers = first::<B>(looked_up::<B>(int8::table(), codes), shape.len());
            let numbers = B::float_reshape(numbers, Shape::from([shape.rows, shape.width]));
            let scales = B::float_reshape(scales, Shape::from([shape.rows, 1]));
            return B::float_mul(numbers, B::float_expand(scales, Shape::from([shape.rows, shape.width])));
        }
        Storage::Nf4 { .. } => blocks::<B>(words, scales, coding, &block4::NF4),
        Storage::Fp4 { .. } => blocks::<B>(words, scales, coding, &block4::FP4),
    };
    B::float_reshape(first::<B>(numbers, shape.len()), Shape::from([shape.rows, shape.width]))
}

/// The parts of each word that begin at these bits, one after the other.
fn parts<B: Backend>(words: IntTensor<B>, shifts: &[i32], mask: i64) -> IntTensor<B> {
    let (n, k) = (words.shape().num_elements(), shifts.len());
    let device = words.device();
    let shifts = B::int_from_data(TensorData::new(shifts.to_vec(), [1, k]).convert_dtype(words.dtype()), &device);
    let words = B::int_expand(B::int_reshape(words, Shape::from([n, 1])), Shape::from([n, k]));
    let shifted = B::bitwise_right_shift(words, B::int_expand(shifts, Shape::from([n, k])));
    B::int_reshape(B::bitwise_and_scalar(shifted, mask.into()), Shape::from([n * k]))
}

fn looked_up<B: Backend>(table: Vec<f32>, codes: IntTensor<B>) -> FloatTensor<B> {
    let device = codes.device();
    let count = table.len();
    B::float_select(B::float_from_data(TensorData::new(table, [count]), &device), 0, codes)
}

fn first<B: Backend>(numbers: FloatTensor<B>, count: usize) -> FloatTensor<B> {
    match numbers.shape().num_elements() == count {
        true => numbers,
        false => B::float_slice(numbers, &[Slice::from(0..count)]),
    }
}

fn halves<B: Backend>(words: IntTensor<B>, format: &half::Half) -> FloatTensor<B> {
    let (bases, steps) = format.tables();
    let bits = parts::<B>(words, &[0, 16], 0xffff);
    let exponents = B::bitwise_right_shift_scalar(bits.clone(), i64::from(format.fraction).into());
    let fraction = B::bitwise_and_scalar(bits, ((1i64 << format.fraction) - 1).into());
    let fraction = B::int_into_float(fraction, FloatDType::F32);
    let steps = B::float_mul(fraction, looked_up::<B>(steps, exponents.clone()));
    B::float_add(looked_up::<B>(bases, exponents), steps)
}

fn blocks<B: Backend>(
    words: IntTensor<B>,
    scales: FloatTensor<B>,
    coding: Coding,
    format: &block4::Block4,
) -> FloatTensor<B> {
    let count = coding.shape.len().div_ceil(block4::BLOCK);
    let (codes, of_scales) = (count * block4::WORDS, words.shape().num_elements());
    let double = of_scales > codes;
    let numbers = B::int_slice(words.clone(), &[Slice::from(0..codes)]);
    let numbers = looked_up::<B>(format.table.to_vec(), parts::<B>(numbers, &[4, 0, 12, 8, 20, 16, 28, 24], 15));
    let scales = match double {
        false => scales,
        true => {
            let groups = count.div_ceil(scales::BLOCK);
            let codes = parts::<B>(B::int_slice(words, &[Slice::from(codes..of_scales)]), &[0, 8, 16, 24], 255);
            let unit = first::<B>(looked_up::<B>(scales::CODE.to_vec(), codes), count);
            let absmax = B::float_slice(scales.clone(), &[Slice::from(0..groups)]);
            let absmax = B::float_expand(
                B::float_reshape(absmax, Shape::from([groups, 1])),
                Shape::from([groups, scales::BLOCK]),
            );
            let absmax = first::<B>(B::float_reshape(absmax, Shape::from([groups * scales::BLOCK])), count);
            let offset = B::float_slice(scales, &[Slice::from(groups..groups + 1)]);
            B::float_add(B::float_mul(unit, absmax), B::float_expand(offset, Shape::from([count])))
        }
    };
    let whole = Shape::from([count, block4::BLOCK]);
    let scales = B::float_expand(B::float_reshape(scales, Shape::from([count, 1])), whole.clone());
    let numbers = B::float_mul(B::float_reshape(numbers, whole), scales);
    B::float_reshape(numbers, Shape::from([count * block4::BLOCK]))
}
