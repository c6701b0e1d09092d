//! 16-bit numbers, two in a word.

use super::{Codec, Coded, Matrix};
use crate::kernels::{
    Loop,
    dot::{Numbers, dots, from_f16},
    matrix::Number,
    vectorised,
};
use framework_base::Float;
use framework_core::{PluginError, Result};
use half::{bf16, f16};

/// A 16-bit format: what turns its bits into a number.
pub(super) struct Half {
    format: Float,
    number: fn(u16) -> f32,
    /// Bits of the fraction.
    pub fraction: u32,
}

pub(super) const BF16: Half = Half { format: Float::BF16, number: |bits| bf16::from_bits(bits).to_f32(), fraction: 7 };
pub(super) const F16: Half = Half { format: Float::F16, number: |bits| f16::from_bits(bits).to_f32(), fraction: 10 };

/// Words of 16-bit numbers: the first of two is the lower half.
pub fn words(halves: &[u16]) -> Vec<i32> {
    let word = |pair: &[u16]| (u32::from(pair[0]) | u32::from(*pair.get(1).unwrap_or(&0)) << 16) as i32;
    halves.chunks(2).map(word).collect()
}

struct Decoded<'a> {
    format: Float,
    halves: &'a [u16],
    out: &'a mut [f32],
}

impl Loop for Decoded<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let numbers = self.out.iter_mut().zip(self.halves);
        match self.format {
            Float::BF16 => numbers.for_each(|(out, bits)| *out = bits.to_f32()),
            _ => numbers.for_each(|(out, bits)| *out = from_f16(*bits)),
        }
    }
}

/// The halves of words. The lower one comes first, as in memory: big-endian machines are not supported.
pub(super) fn halves(words: &[i32]) -> &[u16] {
    bytemuck::cast_slice(words)
}

impl Half {
    /// For each sign and exponent: the number with no fraction, and what a unit of the fraction adds. So a device without
    /// 16-bit numbers decodes them exactly.
    pub(super) fn tables(&self) -> (Vec<f32>, Vec<f32>) {
        let exponents = 1u32 << (16 - self.fraction);
        let number = |bits: u32| (self.number)(bits as u16);
        let of = |i: u32| {
            let base = number(i << self.fraction);
            // Of infinities and what is no number, the fraction says nothing.
            let step = if base.is_finite() { number(i << self.fraction | 1) - base } else { 0.0 };
            (base, step)
        };
        (0..exponents).map(of).unzip()
    }
}

impl Codec for Half {
    fn encode(&self, numbers: &[f32], _width: usize) -> Result<Coded> {
        let bytes = self.format.encode(numbers).ok_or_else(|| {
            PluginError::new(format!("a weight is too large for 16-bit numbers ({})", self.format.name()))
                .help("Keep the weights as bf16, which has the range of 32-bit numbers.")
        })?;
        let halves: Vec<u16> = bytes.as_chunks::<2>().0.iter().map(|pair| u16::from_le_bytes(*pair)).collect();
        Ok(Coded { words: words(&halves), scales: vec![1.0] })
    }

    fn decode(&self, words: &[i32], _scales: &[f32], _shape: Matrix, start: usize, out: &mut [f32]) {
        let halves = &halves(words)[start..][..out.len()];
        vectorised(Decoded { format: self.format, halves, out });
    }

    fn products(&self, words: &[i32], _scales: &[f32], shape: Matrix, first: usize, x: &[f32], sums: &mut [f32]) {
        let (rows, width) = (&halves(words)[first * shape.width..], shape.width);
        let numbers = match self.format {
            Float::BF16 => Numbers::Bf16(rows),
            _ => Numbers::F16(rows),
        };
        dots(numbers, x, width, sums);
    }

    fn bytes(&self, shape: Matrix) -> usize {
        4 * shape.len().div_ceil(2) + 4
    }
}
