//! The same in AVX-512, whose products and sums are one instruction.

use super::{Number, Numbers, from_f16};
use std::arch::x86_64::*;

/// Numbers of a vector, and rows and vectors of a row that are summed side by side.
const VECTOR: usize = 16;
const ROWS: usize = 4;
const SIDE: usize = 2;

pub fn dots(rows: Numbers, x: &[f32], width: usize, sums: &mut [f32]) {
    let n = x.len() / width.max(1);
    let count = sums.len() / n.max(1);
    let there = match rows {
        Numbers::F32(rows) => rows.len(),
        Numbers::Bf16(rows) | Numbers::F16(rows) => rows.len(),
        Numbers::Int8(rows) => rows.len(),
    };
    assert!(is_x86_feature_detected!("avx512f"), "no AVX-512 on this processor");
    assert!(there >= count * width, "{there} numbers in {count} rows of {width}");
    for start in (0..count).step_by(ROWS) {
        for (j, x) in x.chunks_exact(width).enumerate() {
            // SAFETY: the asserts found the instructions, and all rows within the slice.
            #[expect(unsafe_code, reason = "vector instructions")]
            let found = unsafe {
                match count - start {
                    1 => products::<1>(rows, start, x),
                    2 => products::<2>(rows, start, x),
                    3 => products::<3>(rows, start, x),
                    _ => products::<ROWS>(rows, start, x),
                }
            };
            for (row, sum) in found.into_iter().enumerate().take(count - start) {
                sums[(start + row) * n + j] = sum;
            }
        }
    }
}

/// Products of `R` rows from `first` on with `x`.
///
/// # Safety
/// The processor has AVX-512, and the slice so many rows.
#[target_feature(enable = "avx512f")]
#[expect(unsafe_code, reason = "vector instructions")]
unsafe fn products<const R: usize>(rows: Numbers, first: usize, x: &[f32]) -> [f32; ROWS] {
    let start = first * x.len();
    // SAFETY: the caller's: what is loaded lies within the rows.
    unsafe {
        match rows {
            Numbers::F32(all) => {
                let all = all.as_ptr().add(start);
                summed::<R>(x, |i| _mm512_loadu_ps(all.add(i)), |i| *all.add(i))
            }
            Numbers::Bf16(all) => {
                let all = all.as_ptr().add(start);
                let load = |i| {
                    let bits = _mm512_cvtepu16_epi32(_mm256_loadu_si256(all.add(i).cast()));
                    _mm512_castsi512_ps(_mm512_slli_epi32::<16>(bits))
                };
                summed::<R>(x, load, |i| (*all.add(i)).to_f32())
            }
            Numbers::F16(all) => {
                let all = all.as_ptr().add(start);
                let load = |i| _mm512_cvtph_ps(_mm256_loadu_si256(all.add(i).cast()));
                summed::<R>(x, load, |i| from_f16(*all.add(i)))
            }
            Numbers::Int8(all) => {
                let all = all.as_ptr().add(start);
                let load = |i| _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(all.add(i).cast())));
                summed::<R>(x, load, |i| f32::from(*all.add(i)))
            }
        }
    }
}

/// The sums of `R` rows, whose numbers `load` gives as a vector and `number` one at a time.
#[inline(always)]
#[expect(unsafe_code, reason = "vector instructions")]
unsafe fn summed<const R: usize>(
    x: &[f32],
    load: impl Fn(usize) -> __m512,
    number: impl Fn(usize) -> f32,
) -> [f32; ROWS] {
    let (width, step) = (x.len(), SIDE * VECTOR);
    // SAFETY: the caller has the instructions; what is read of `x` lies within it.
    unsafe {
        let mut sums = [[_mm512_setzero_ps(); SIDE]; R];
        let mut k = 0;
        while k + VECTOR <= width {
            let side = if k + step <= width { SIDE } else { 1 };
            for s in 0..side {
                let x = _mm512_loadu_ps(x.as_ptr().add(k + s * VECTOR));
                for (r, sums) in sums.iter_mut().enumerate() {
                    sums[s] = _mm512_fmadd_ps(load(r * width + k + s * VECTOR), x, sums[s]);
                }
            }
            k += side * VECTOR;
        }
        let mut found = [0.0; ROWS];
        for (r, sums) in sums.iter().enumerate() {
            found[r] = _mm512_reduce_add_ps(_mm512_add_ps(sums[0], sums[1]));
            for (i, x) in (k..).zip(&x[k..]) {
                found[r] += number(r * width + i) * x;
            }
        }
        found
    }
}
