//! 8-bit integers, four in a word, with a scale for each row.

use super::{CHUNK, Codec, Coded, Matrix};
use crate::kernels::{
    Loop,
    dot::{Numbers, dots},
    rows::LANES,
    vectorised,
};
use framework_core::Result;
use rayon::prelude::*;

/// `round(x / scale)` with `scale = max|row| / 127`. The error of a number is at most half of its row's scale.
pub(super) struct Int8;

/// The largest magnitude of a code.
const MOST: f32 = 127.0;

/// The numbers of all codes, by the byte that holds them.
pub(super) fn table() -> Vec<f32> {
    (0..=255u8).map(|byte| f32::from(byte as i8)).collect()
}

impl Codec for Int8 {
    fn encode(&self, numbers: &[f32], width: usize) -> Result<Coded> {
        let (width, count) = (width.max(1), numbers.len());
        let (mut codes, mut scales) = (vec![0i8; count], vec![0.0; count / width]);
        let rows = codes.par_chunks_mut(width).zip(&mut scales).with_min_len((CHUNK / width).max(1));
        rows.zip(numbers.par_chunks(width)).for_each(|((codes, scale), row)| {
            *scale = vectorised(Encoded { row, codes });
        });
        Ok(Coded { words: packed(bytemuck::cast_slice(&codes)), scales })
    }

    fn decode(&self, words: &[i32], scales: &[f32], shape: Matrix, start: usize, out: &mut [f32]) {
        let codes = &bytemuck::cast_slice::<i32, i8>(words)[start..][..out.len()];
        let (mut at, mut rest, mut codes) = (start, out, codes);
        while !rest.is_empty() {
            let count = (shape.width - at % shape.width).min(rest.len());
            let (part, after) = rest.split_at_mut(count);
            let (of_part, others) = codes.split_at(count);
            let scale = scales[at / shape.width];
            vectorised(Decoded { out: part, codes: of_part, scale });
            (at, rest, codes) = (at + count, after, others);
        }
    }

    fn products(&self, words: &[i32], scales: &[f32], shape: Matrix, first: usize, x: &[f32], sums: &mut [f32]) {
        let codes: &[i8] = &bytemuck::cast_slice(words)[first * shape.width..];
        let n = x.len() / shape.width.max(1);
        dots(Numbers::Int8(codes), x, shape.width, sums);
        for (sums, scale) in sums.chunks_exact_mut(n).zip(&scales[first..]) {
            sums.iter_mut().for_each(|sum| *sum *= scale);
        }
    }

    fn bytes(&self, shape: Matrix) -> usize {
        4 * shape.len().div_ceil(4) + 4 * shape.rows
    }
}

/// Gives the scale.
struct Encoded<'a> {
    row: &'a [f32],
    codes: &'a mut [i8],
}

impl Loop for Encoded<'_> {
    type Output = f32;

    #[inline(always)]
    fn run(self) -> f32 {
        let (parts, rest) = self.row.as_chunks::<LANES>();
        let mut most = [0f32; LANES];
        for part in parts {
            for (most, x) in most.iter_mut().zip(part) {
                *most = if x.abs() > *most { x.abs() } else { *most };
            }
        }
        let scale = rest.iter().map(|x| x.abs()).chain(most).fold(0f32, f32::max) / MOST;
        if scale > 0.0 {
            let numbers = self.codes.iter_mut().zip(self.row);
            numbers.for_each(|(code, x)| *code = (x / scale).round_ties_even() as i8);
        }
        scale
    }
}

struct Decoded<'a> {
    out: &'a mut [f32],
    codes: &'a [i8],
    scale: f32,
}

impl Loop for Decoded<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        self.out.iter_mut().zip(self.codes).for_each(|(out, code)| *out = f32::from(*code) * self.scale);
    }
}

/// Bytes in words.
pub(super) fn packed(bytes: &[u8]) -> Vec<i32> {
    let word = |part: &[u8]| {
        let mut all = [0; 4];
        all[..part.len()].copy_from_slice(part);
        i32::from_le_bytes(all)
    };
    bytes.chunks(4).map(word).collect()
}

/// A byte of words.
pub(super) fn byte(words: &[i32], i: usize) -> u8 {
    (words[i / 4] >> (8 * (i % 4))) as u8
}
