//! 8-bit numbers in blocks of 256, four in a word, each block with a scale: the largest magnitude in it. The states of
//! optimizers (Dettmers et al., 2022, arXiv:2110.02861), in the code of Dettmers, 2016 (arXiv:1511.04561).

use super::{
    Codec, Coded, Matrix,
    int8::{byte, packed},
    tables,
};
use burn::tensor::{DType, Int, Tensor as Burn};
use framework_core::Result;
use rayon::prelude::*;
use std::sync::LazyLock;

/// Numbers that share a scale.
pub(super) const BLOCK: usize = 256;
/// Blocks that one task encodes, at least.
const MANY: usize = 64;
/// Bits of the code that may be the exponent.
const EXPONENT: i32 = 7;
/// What a block of zeros is divided by.
const LEAST: f32 = 1e-38;

/// The 256 numbers that a code stands for, and the bounds between them: of equally near numbers, the lower is taken.
pub(super) struct Dynamic8 {
    pub numbers: [f32; 256],
    bounds: [f32; 255],
}

/// Numbers of both signs.
pub(super) static SIGNED: LazyLock<Dynamic8> = LazyLock::new(|| Dynamic8::new(true));
/// Numbers that are not negative, twice as dense.
pub(super) static UNSIGNED: LazyLock<Dynamic8> = LazyLock::new(|| Dynamic8::new(false));

impl Dynamic8 {
    /// For each power of ten, fractions from 0.1 to 1, more of them where the exponent is shorter; ascending.
    fn new(signed: bool) -> Self {
        let mut all = vec![0.0, 1.0];
        for i in 0..EXPONENT {
            let count = if signed { 1usize << i } else { 2 << i };
            // As PyTorch's `linspace` has them, to the last bit: from both ends, rounded once.
            let step = (1.0f32 - 0.1) / count as f32;
            let boundary = |k: usize| match k < count.div_ceil(2) {
                true => step.mul_add(k as f32, 0.1),
                false => (-step).mul_add((count - k) as f32, 1.0),
            };
            for k in 0..count {
                let mean = (boundary(k) + boundary(k + 1)) / 2.0;
                let number = (10f64.powi(i - EXPONENT + 1) as f32) * mean;
                all.push(number);
                all.extend(signed.then_some(-number));
            }
        }
        all.sort_by(f32::total_cmp);
        let numbers: [f32; 256] = all.try_into().expect("256 codes");
        let bounds = std::array::from_fn(|i| (numbers[i] + numbers[i + 1]) / 2.0);
        Self { numbers, bounds }
    }

    /// The nearest code of a number from -1 to 1.
    fn code(&self, x: f32) -> u8 {
        self.bounds.partition_point(|bound| *bound < x) as u8
    }

    /// [`Codec::encode`] in a device's operators, for numbers that lie on it: words and scales.
    pub fn encode_there(&self, numbers: Burn<1>) -> (Burn<1, Int>, Burn<1>) {
        let (device, count) = (numbers.device(), numbers.dims()[0].div_ceil(BLOCK));
        let missing = count * BLOCK - numbers.dims()[0];
        let whole = match missing {
            0 => numbers,
            _ => Burn::cat(vec![numbers, Burn::zeros([missing], &device)], 0),
        };
        let blocks: Burn<2> = whole.reshape([count, BLOCK]);
        let absmax = blocks.clone().max_abs_dim(1);
        let scaled = blocks * absmax.clone().clamp_min(LEAST).recip();
        let scaled: Burn<1> = scaled.clamp(-1.0, 1.0).reshape([count * BLOCK]);
        let bounds = tables::of_device(&self.bounds, &device);
        // Each round decides one bit, from the highest on.
        let mut codes: Burn<1, Int> = Burn::zeros([count * BLOCK], (&device, DType::I32));
        for bit in (0..8).rev().map(|shift| 1i32 << shift) {
            let bound = bounds.clone().select(0, codes.clone().add_scalar(bit - 1));
            let above = bound.lower(scaled.clone()).int().cast(DType::I32);
            codes = codes + above.mul_scalar(bit);
        }
        let bytes: Burn<2, Int> = codes.reshape([count * BLOCK / 4, 4]);
        let part = |i: usize| bytes.clone().narrow(1, i, 1).bitwise_left_shift_scalar(8 * i as i32);
        let words = (1..4).fold(part(0), |words, i| words.bitwise_or(part(i)));
        (words.reshape([count * BLOCK / 4]), absmax.reshape([count]))
    }
}

impl Codec for Dynamic8 {
    fn encode(&self, numbers: &[f32], _width: usize) -> Result<Coded> {
        let count = numbers.len().div_ceil(BLOCK);
        // A last block is filled up with zeros.
        let (mut codes, mut scales) = (vec![self.code(0.0); count * BLOCK], vec![0.0; count]);
        let coded = codes.par_chunks_mut(BLOCK).zip(&mut scales).with_min_len(MANY);
        coded.zip(numbers.par_chunks(BLOCK)).for_each(|((codes, scale), block)| {
            *scale = block.iter().fold(0f32, |m, x| m.max(x.abs()));
            let factor = 1.0 / scale.max(LEAST);
            for (code, x) in codes.iter_mut().zip(block) {
                *code = self.code((x * factor).clamp(-1.0, 1.0));
            }
        });
        Ok(Coded { words: packed(&codes), scales })
    }

    fn decode(&self, words: &[i32], scales: &[f32], _shape: Matrix, start: usize, out: &mut [f32]) {
        for (i, out) in (start..).zip(out) {
            *out = self.numbers[usize::from(byte(words, i))] * scales[i / BLOCK];
        }
    }

    fn bytes(&self, shape: Matrix) -> usize {
        shape.len().div_ceil(BLOCK) * (BLOCK + 4)
    }
}
