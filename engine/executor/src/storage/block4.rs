//! 4-bit numbers in blocks of 64, eight in a word, as bitsandbytes has them: the first of two in a byte is the upper half.

use super::{
    Codec, Coded, Matrix,
    int8::{byte, packed},
    products_of_decoded, scales,
};
use crate::kernels::{dots4, lookup::looked_up};
use framework_core::Result;
use rayon::prelude::*;

pub(super) use crate::kernels::dots4::BLOCK;

/// Blocks that one task encodes, at least.
const MANY: usize = 256;
/// Words of a block.
pub(super) const WORDS: usize = BLOCK / 8;

/// A code of 16 numbers between -1 and 1, and whether the blocks' scales are quantized too.
pub(super) struct Block4 {
    /// The numbers, by code.
    pub table: [f32; 16],
    /// Codes in the order of their numbers.
    order: [u8; 16],
    pub double: bool,
}

/// Quantiles of the standard normal distribution, scaled to [-1, 1], with an exact zero (appendix E of the paper).
const NORMAL: [f32; 16] = [
    -1.0,
    -0.696_192_8,
    -0.525_073_05,
    -0.394_917_5,
    -0.284_441_38,
    -0.184_773_43,
    -0.091_050_036,
    0.0,
    0.079_580_3,
    0.160_930_2,
    0.246_112_3,
    0.337_915_24,
    0.440_709_83,
    0.562_617,
    0.722_956_84,
    1.0,
];
const ASCENDING: [u8; 16] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];

/// A sign, two bits of exponent and one of fraction, scaled to [-1, 1].
const FLOAT: [f32; 16] = [
    0.0,
    0.005_208_333_5,
    0.666_666_7,
    1.0,
    0.333_333_34,
    0.5,
    0.166_666_67,
    0.25,
    0.0,
    -0.005_208_333_5,
    -0.666_666_7,
    -1.0,
    -0.333_333_34,
    -0.5,
    -0.166_666_67,
    -0.25,
];
const FLOAT_ORDER: [u8; 16] = [11, 10, 13, 12, 15, 14, 9, 0, 8, 1, 6, 7, 4, 5, 2, 3];

pub(super) const NF4: Block4 = Block4 { table: NORMAL, order: ASCENDING, double: false };
pub(super) const NF4_DOUBLE: Block4 = Block4 { double: true, ..NF4 };
pub(super) const FP4: Block4 = Block4 { table: FLOAT, order: FLOAT_ORDER, double: false };
pub(super) const FP4_DOUBLE: Block4 = Block4 { double: true, ..FP4 };

impl Block4 {
    /// The code whose number is nearest; on a boundary, the lower.
    fn code(&self, bounds: &[f32; 15], x: f32) -> u8 {
        self.order[bounds.partition_point(|bound| *bound < x)]
    }

    fn bounds(&self) -> [f32; 15] {
        std::array::from_fn(|i| {
            let number = |i: usize| self.table[self.order[i] as usize];
            (number(i) + number(i + 1)) / 2.0
        })
    }

    /// The scale of a block. Quantized scales lie behind the numbers' words; `scales` has those of their blocks, and then
    /// their mean.
    fn scale(&self, words: &[i32], scales: &[f32], blocks: usize, block: usize) -> f32 {
        if !self.double {
            return scales[block];
        }
        let code = byte(&words[blocks * WORDS..], block);
        scales::decode(code, scales[block / scales::BLOCK], scales[scales.len() - 1])
    }
}

impl Codec for Block4 {
    fn encode(&self, numbers: &[f32], _width: usize) -> Result<Coded> {
        let (bounds, count) = (self.bounds(), numbers.len().div_ceil(BLOCK));
        let (mut codes, mut absmax) = (vec![0; count * BLOCK / 2], vec![0.0; count]);
        let coded = codes.par_chunks_mut(BLOCK / 2).zip(&mut absmax).with_min_len(MANY);
        coded.zip(numbers.par_chunks(BLOCK)).for_each(|((codes, absmax), block)| {
            *absmax = block.iter().fold(0f32, |m, x| m.max(x.abs()));
            let (most, factor) = (absmax.max(1e-38), 1.0 / absmax.max(1e-38));
            // A short block is divided, a whole one multiplied: so the last bit is bitsandbytes'.
            let scaled = |x: f32| if block.len() == BLOCK { x * factor } else { x / most };
            let code = |x: Option<&f32>| self.code(&bounds, x.map_or(0.0, |x| scaled(*x)).clamp(-1.0, 1.0));
            for (byte, pair) in codes.iter_mut().zip(block.chunks(2)) {
                *byte = code(pair.first()) << 4 | code(pair.get(1));
            }
        });
        let mut words = packed(&codes);
        if !self.double {
            return Ok(Coded { words, scales: absmax });
        }
        let quantized = scales::quantize(&absmax);
        words.extend(packed(&quantized.codes));
        let mut scales = quantized.absmax;
        scales.push(quantized.offset);
        Ok(Coded { words, scales })
    }

    fn decode(&self, words: &[i32], scales: &[f32], shape: Matrix, start: usize, out: &mut [f32]) {
        let (blocks, bytes) = (shape.len().div_ceil(BLOCK), bytemuck::cast_slice::<i32, u8>(words));
        let (mut at, mut rest) = (start, out);
        while !rest.is_empty() {
            let count = (BLOCK - at % BLOCK).min(rest.len());
            let (part, after) = rest.split_at_mut(count);
            let scale = self.scale(words, scales, blocks, at / BLOCK);
            let table = self.table.map(|number| number * scale);
            if at.is_multiple_of(2) && count.is_multiple_of(2) {
                looked_up(&bytes[at / 2..][..count / 2], &table, part);
            } else {
                for (i, out) in (at..).zip(part) {
                    let both = bytes[i / 2];
                    *out = table[usize::from(if i % 2 == 0 { both >> 4 } else { both & 15 })];
                }
            }
            (at, rest) = (at + count, after);
        }
    }

    fn products(&self, words: &[i32], scales: &[f32], shape: Matrix, first: usize, x: &[f32], sums: &mut [f32]) {
        let (n, width) = (x.len() / shape.width.max(1), shape.width);
        if !width.is_multiple_of(BLOCK) {
            return products_of_decoded(self, words, scales, shape, first, x, sums);
        }
        let (all, start) = (shape.len().div_ceil(BLOCK), first * width);
        let blocks = start / BLOCK..(start + sums.len() / n.max(1) * width) / BLOCK;
        let codes = &bytemuck::cast_slice::<i32, u8>(words)[start / 2..blocks.end * BLOCK / 2];
        let scales: Vec<f32> = blocks.map(|block| self.scale(words, scales, all, block)).collect();
        dots4::Rows { codes, scales: &scales, table: &self.table, width }.times(&dots4::sides(x), sums);
    }

    fn bytes(&self, shape: Matrix) -> usize {
        let blocks = shape.len().div_ceil(BLOCK);
        let scales = match self.double {
            true => 4 * blocks.div_ceil(4) + 4 * blocks.div_ceil(scales::BLOCK) + 4,
            false => 4 * blocks,
        };
        4 * blocks * WORDS + scales
    }
}
