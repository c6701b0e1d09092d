//! 8-bit integers, four in a word, with a scale for each row.

use super::{Codec, Coded, Matrix};
use crate::kernels::{Loop, vectorised};
use framework_core::Result;

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
        let rows = numbers.chunks(width.max(1));
        let scales: Vec<f32> = rows.clone().map(|row| row.iter().fold(0f32, |m, x| m.max(x.abs())) / MOST).collect();
        let code = |x: &f32, scale: f32| if scale > 0.0 { (x / scale).round_ties_even() as i8 as u8 } else { 0 };
        let codes: Vec<u8> = rows.zip(&scales).flat_map(|(row, &s)| row.iter().map(move |x| code(x, s))).collect();
        Ok(Coded { words: packed(&codes), scales })
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

    fn bytes(&self, shape: Matrix) -> usize {
        4 * shape.len().div_ceil(4) + 4 * shape.rows
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
