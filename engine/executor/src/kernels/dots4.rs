//! Sums of products of 32-bit numbers with 4-bit codes, two in a byte, in blocks that have a scale each.

/// Numbers that share a scale.
pub const BLOCK: usize = 64;
/// Codes that are looked up in one go, and then those beside them in the same bytes.
const SIDE: usize = 16;

/// Rows of codes.
#[derive(Clone, Copy)]
pub struct Rows<'a> {
    /// The first code of two is the upper half of a byte.
    pub codes: &'a [u8],
    /// One for each block.
    pub scales: &'a [f32],
    /// What codes stand for.
    pub table: &'a [f32; 16],
    /// Numbers of a row: whole blocks.
    pub width: usize,
}

/// Numbers in the order in which codes are looked up: of each 32 those that belong to upper halves first.
pub fn sides(x: &[f32]) -> Vec<f32> {
    let mut out = vec![0.0; x.len()];
    for (out, x) in out.as_chunks_mut::<{ 2 * SIDE }>().0.iter_mut().zip(x.as_chunks::<{ 2 * SIDE }>().0) {
        for i in 0..SIDE {
            (out[i], out[SIDE + i]) = (x[2 * i], x[2 * i + 1]);
        }
    }
    out
}

impl Rows<'_> {
    /// The products of rows with each row of `x`, in the order of [`sides`], to `sums` `[rows, n]`.
    pub fn times(self, x: &[f32], sums: &mut [f32]) {
        #[cfg(target_arch = "x86_64")]
        if super::has_avx512() {
            // SAFETY: the instructions are there.
            #[expect(unsafe_code, reason = "vector instructions")]
            return unsafe { self.wide(x, sums) };
        }
        self.each(x, sums, |codes, scales, x| {
            let block = |(codes, x): (&[u8; BLOCK / 2], &[f32; BLOCK])| {
                let sides = codes.as_chunks::<SIDE>().0.iter().zip(x.as_chunks::<{ 2 * SIDE }>().0);
                let pair = |(both, (upper, lower)): (&u8, (&f32, &f32))| {
                    self.table[usize::from(both >> 4)] * upper + self.table[usize::from(both & 15)] * lower
                };
                let side = |(codes, x): (&[u8; SIDE], &[f32; 2 * SIDE])| {
                    codes.iter().zip(x[..SIDE].iter().zip(&x[SIDE..])).map(pair).sum::<f32>()
                };
                sides.map(side).sum::<f32>()
            };
            codes.iter().zip(x).map(block).zip(scales).map(|(sum, scale)| sum * scale).sum()
        });
    }

    /// Gives `product` the codes and scales of each row beside each row of `x`.
    #[inline(always)]
    fn each(self, x: &[f32], sums: &mut [f32], product: impl Fn(&[[u8; BLOCK / 2]], &[f32], &[[f32; BLOCK]]) -> f32) {
        let (n, blocks) = (x.len() / self.width.max(1), self.width / BLOCK);
        let codes = self.codes.as_chunks::<{ BLOCK / 2 }>().0.chunks_exact(blocks);
        for ((codes, scales), sums) in codes.zip(self.scales.chunks_exact(blocks)).zip(sums.chunks_exact_mut(n)) {
            for (sum, x) in sums.iter_mut().zip(x.as_chunks::<BLOCK>().0.chunks_exact(blocks)) {
                *sum = product(codes, scales, x);
            }
        }
    }

    /// The table lies in one register.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx512f")]
    #[expect(unsafe_code, reason = "vector instructions")]
    unsafe fn wide(self, x: &[f32], sums: &mut [f32]) {
        use std::arch::x86_64::*;
        // SAFETY: an array of 16 numbers.
        let table = unsafe { _mm512_loadu_ps(self.table.as_ptr()) };
        self.each(x, sums, |codes, scales, x| {
            let mut sum = _mm512_setzero_ps();
            for ((codes, scale), x) in codes.iter().zip(scales).zip(x) {
                let side = |i: usize| {
                    // SAFETY: 16 of 32 bytes, and of 64 numbers those beside their upper and lower halves.
                    let (codes, upper, lower) = unsafe {
                        let x = x.as_ptr().add(2 * SIDE * i);
                        let codes = _mm_loadu_si128(codes.as_ptr().add(SIDE * i).cast());
                        (_mm512_cvtepu8_epi32(codes), _mm512_loadu_ps(x), _mm512_loadu_ps(x.add(SIDE)))
                    };
                    // Only the lowest four bits of an index count.
                    let first = _mm512_permutexvar_ps(_mm512_srli_epi32::<4>(codes), table);
                    let second = _mm512_permutexvar_ps(codes, table);
                    _mm512_fmadd_ps(second, lower, _mm512_mul_ps(first, upper))
                };
                sum = _mm512_fmadd_ps(_mm512_add_ps(side(0), side(1)), _mm512_set1_ps(*scale), sum);
            }
            _mm512_reduce_add_ps(sum)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test::{close, random};

    #[test]
    fn products_are_those_of_64_bits() {
        let table: [f32; 16] = std::array::from_fn(|i| (i as f32 - 7.5) / 8.0);
        for (rows, blocks, n) in [(1, 1, 1), (5, 3, 1), (3, 2, 4)] {
            let width = blocks * BLOCK;
            let codes: Vec<u8> = (0..rows * width / 2).map(|i| (i * 37 % 251) as u8).collect();
            let (scales, x) = (random(rows * blocks, 1), random(n * width, 2));
            let number = |i: usize| {
                let both = codes[i / 2];
                let code = if i.is_multiple_of(2) { both >> 4 } else { both & 15 };
                f64::from(table[usize::from(code)]) * f64::from(scales[i / BLOCK])
            };
            let product = |i: usize, j: usize| {
                (0..width).map(|k| number(i * width + k) * f64::from(x[j * width + k])).sum::<f64>() as f32
            };
            let expected: Vec<f32> = (0..rows * n).map(|i| product(i / n, i % n)).collect();
            let mut found = vec![0.0; rows * n];
            Rows { codes: &codes, scales: &scales, table: &table, width }.times(&sides(&x), &mut found);
            close(&found, &expected, 1e-5);
        }
    }
}
