//! [`super::Codec::decode`] in a backend's operators: words are shifted and masked, codes are looked up in tables.

use super::{Coding, Storage, block4, dynamic8, half, int8, scales, tables};
use burn::{
    backend::{
        Backend, TensorMetadata,
        tensor::{FloatTensor, IntTensor},
    },
    tensor::{FloatDType, Shape, Slice},
};

/// All numbers `[rows, width]`.
pub(super) fn decoded<B: Backend>(words: IntTensor<B>, scales: FloatTensor<B>, coding: Coding) -> FloatTensor<B> {
    let Coding { storage, shape, .. } = coding;
    let numbers = match storage {
        Storage::F32 => unreachable!("32-bit numbers are not coded"),
        Storage::Bf16 => halves::<B>(words, &half::BF16),
        Storage::F16 => halves::<B>(words, &half::F16),
        Storage::Int8 => {
            let codes = parts::<B>(words, &[0, 8, 16, 24], 255);
            let numbers = first::<B>(looked_up::<B>(&int8::table(), codes), shape.len());
            let numbers = B::float_reshape(numbers, Shape::from([shape.rows, shape.width]));
            let scales = B::float_reshape(scales, Shape::from([shape.rows, 1]));
            return B::float_mul(numbers, B::float_expand(scales, Shape::from([shape.rows, shape.width])));
        }
        Storage::Dynamic8 { signed } => {
            let numbers = &if signed { &dynamic8::SIGNED } else { &dynamic8::UNSIGNED }.numbers;
            let codes = parts::<B>(words, &[0, 8, 16, 24], 255);
            scaled::<B>(looked_up::<B>(numbers, codes), scales, dynamic8::BLOCK)
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
    let shifts = tables::ints::<B>(shifts, words.dtype(), &device);
    let words = B::int_expand(B::int_reshape(words, Shape::from([n, 1])), Shape::from([n, k]));
    let shifted = B::bitwise_right_shift(words, B::int_expand(shifts, Shape::from([n, k])));
    B::int_reshape(B::bitwise_and_scalar(shifted, mask.into()), Shape::from([n * k]))
}

fn looked_up<B: Backend>(table: &[f32], codes: IntTensor<B>) -> FloatTensor<B> {
    let device = codes.device();
    B::float_select(tables::floats::<B>(table, &device), 0, codes)
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
    let steps = B::float_mul(fraction, looked_up::<B>(&steps, exponents.clone()));
    B::float_add(looked_up::<B>(&bases, exponents), steps)
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
    let numbers = looked_up::<B>(&format.table, parts::<B>(numbers, &[4, 0, 12, 8, 20, 16, 28, 24], 15));
    let scales = match double {
        false => scales,
        true => {
            let groups = count.div_ceil(scales::BLOCK);
            let codes = parts::<B>(B::int_slice(words, &[Slice::from(codes..of_scales)]), &[0, 8, 16, 24], 255);
            let unit = first::<B>(looked_up::<B>(&dynamic8::SIGNED.numbers, codes), count);
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
    scaled::<B>(numbers, scales, block4::BLOCK)
}

/// Blocks of so many numbers, times their scales.
fn scaled<B: Backend>(numbers: FloatTensor<B>, scales: FloatTensor<B>, block: usize) -> FloatTensor<B> {
    let count = scales.shape().num_elements();
    let whole = Shape::from([count, block]);
    let scales = B::float_expand(B::float_reshape(scales, Shape::from([count, 1])), whole.clone());
    let numbers = B::float_mul(B::float_reshape(numbers, whole), scales);
    B::float_reshape(numbers, Shape::from([count * block]))
}
