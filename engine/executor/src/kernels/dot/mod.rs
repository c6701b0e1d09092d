//! Sums of products of 32-bit numbers with others as they lie in memory.

#[cfg(target_arch = "x86_64")]
mod wide;

use super::{Loop, matrix::Number, vectorised};

/// Numbers added up side by side: what one of them waits for, others use.
const WIDE: usize = 64;

/// `Σ a · b`.
#[inline(always)]
pub(in super::super) fn dot(a: &[f32], b: &[f32]) -> f32 {
    dot_of(a, b, |a| a)
}

/// `Σ number(a) · b`.
#[inline(always)]
fn dot_of<T: Copy>(a: &[T], b: &[f32], number: impl Fn(T) -> f32) -> f32 {
    let ((parts, rest), (others, other)) = (a.as_chunks::<WIDE>(), b.as_chunks::<WIDE>());
    let mut sums = [0.0; WIDE];
    for (a, b) in parts.iter().zip(others) {
        for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum += number(*a) * b;
        }
    }
    for (sum, (a, b)) in sums.iter_mut().zip(rest.iter().zip(other)) {
        *sum += number(*a) * b;
    }
    // Halves onto each other: sums one after the other would take longer than all the rest.
    for half in [32, 16, 8, 4, 2, 1] {
        for i in 0..half {
            sums[i] += sums[i + half];
        }
    }
    sums[0]
}

/// Numbers as they lie in memory.
#[derive(Clone, Copy)]
pub(in super::super) enum Numbers<'a> {
    F32(&'a [f32]),
    /// Bits of bfloat16.
    Bf16(&'a [u16]),
    /// Bits of IEEE half precision.
    F16(&'a [u16]),
    Int8(&'a [i8]),
}

/// Writes the products of rows of `width` numbers with each row of `x`, `[n, width]`, to `sums`, `[rows, n]`.
pub(in super::super) fn dots(rows: Numbers, x: &[f32], width: usize, sums: &mut [f32]) {
    #[cfg(target_arch = "x86_64")]
    if super::has_avx512() {
        return wide::dots(rows, x, width, sums);
    }
    match rows {
        Numbers::F32(rows) => vectorised(Dots { rows, number: |a| a, x, width, sums }),
        Numbers::Bf16(rows) => vectorised(Dots { rows, number: Number::to_f32, x, width, sums }),
        Numbers::F16(rows) => vectorised(Dots { rows, number: from_f16, x, width, sums }),
        Numbers::Int8(rows) => vectorised(Dots { rows, number: f32::from, x, width, sums }),
    }
}

/// IEEE half precision, exactly, in what compilers make vectors of.
#[inline(always)]
pub(in super::super) fn from_f16(bits: u16) -> f32 {
    let (sign, size) = (u32::from(bits & 0x8000) << 16, u32::from(bits & 0x7fff) << 13);
    // The exponents of the two formats are 112 apart, for the smallest numbers, too.
    let number = f32::from_bits(size) * f32::from_bits((127 + 112) << 23);
    // Infinities and what is no number.
    let number = if size >= 0x7c00 << 13 { size | 0x7f80_0000 } else { number.to_bits() };
    f32::from_bits(number | sign)
}

struct Dots<'a, T, F> {
    rows: &'a [T],
    number: F,
    x: &'a [f32],
    width: usize,
    sums: &'a mut [f32],
}

impl<T: Copy, F: Fn(T) -> f32 + Copy> Loop for Dots<'_, T, F> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let n = self.x.len() / self.width.max(1);
        for (row, sums) in self.rows.chunks_exact(self.width).zip(self.sums.chunks_exact_mut(n)) {
            for (sum, x) in sums.iter_mut().zip(self.x.chunks_exact(self.width)) {
                *sum = dot_of(row, x, self.number);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test::{close, random};

    /// Against 64 bits, in each format, for rows and widths that fill vectors and do not.
    #[test]
    fn products_are_those_of_64_bits() {
        for (n, rows, width) in [(1, 1, 1), (1, 7, 16), (3, 6, 33), (2, 9, 100)] {
            let x = random(n * width, 1);
            let halves: Vec<u16> = random(rows * width, 2).iter().map(|x| half::bf16::from_f32(*x).to_bits()).collect();
            let f16s: Vec<u16> = random(rows * width, 3).iter().map(|x| half::f16::from_f32(*x).to_bits()).collect();
            let codes: Vec<i8> = random(rows * width, 4).iter().map(|x| (x * 127.0) as i8).collect();
            let floats = random(rows * width, 5);
            let of_f16 = |bits| half::f16::from_bits(bits).to_f32();
            let formats: [(Numbers, Vec<f32>); 4] = [
                (Numbers::F32(&floats), floats.clone()),
                (Numbers::Bf16(&halves), halves.iter().map(|bits| bits.to_f32()).collect()),
                (Numbers::F16(&f16s), f16s.iter().map(|bits| of_f16(*bits)).collect()),
                (Numbers::Int8(&codes), codes.iter().map(|code| f32::from(*code)).collect()),
            ];
            for (format, numbers) in formats {
                let of = |i: usize| {
                    let (row, x) = (&numbers[i / n * width..][..width], &x[i % n * width..][..width]);
                    row.iter().zip(x).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>() as f32
                };
                let expected: Vec<f32> = (0..rows * n).map(of).collect();
                let mut found = vec![f32::NAN; rows * n];
                dots(format, &x, width, &mut found);
                close(&found, &expected, 1e-5 * numbers.iter().fold(1.0, |m, x| x.abs().max(m)));
            }
        }
    }
}
