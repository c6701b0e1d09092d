//! Products of matrices in AVX-512 whose right side and result have up to three vectors in a row; the left side's numbers
//! are read one at a time wherever they lie, so that nothing is packed.

use crate::kernels::matrix::Matrix;
use std::arch::x86_64::*;

/// Numbers of a vector.
pub const VECTOR: usize = 16;
/// Rows that are computed at a time: with three vectors in each, 24 of 32 registers hold sums.
const ROWS: usize = 8;

/// Rows of numbers that are `stride` apart, of which the first few count.
#[derive(Clone, Copy)]
pub struct Lines<'a> {
    pub numbers: &'a [f32],
    pub stride: usize,
}

/// The same, to be written.
pub struct LinesMut<'a> {
    pub numbers: &'a mut [f32],
    pub stride: usize,
}

/// What becomes of the numbers that are there.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Before {
    Overwritten,
    Added,
}

/// `a · b` for `b` `[k, columns]`, to `out` `[m, columns]`: at most `V` vectors in a row. Each number is summed in the order
/// of `k`, and then added to what is there.
///
/// # Panics
/// Without AVX-512, and if something reaches beyond its slice.
pub fn multiply<const V: usize>(a: Matrix, b: Lines, out: LinesMut, columns: usize, before: Before) {
    let [m, k] = a.dims();
    assert!(is_x86_feature_detected!("avx512f"), "no AVX-512 on this processor");
    assert!(columns <= V * VECTOR && columns > (V - 1) * VECTOR, "{columns} columns in {V} vectors");
    let reach = |rows: usize, stride: usize| if rows == 0 { 0 } else { (rows - 1) * stride + columns };
    assert!(reach(k, b.stride) <= b.numbers.len() && reach(m, out.stride) <= out.numbers.len());
    assert!(a.reach() <= a.numbers.len(), "a matrix reaches beyond its slice");
    let last: __mmask16 = u16::MAX >> (V * VECTOR - columns);
    let part = Part { strides: a.strides, k, b: b.numbers.as_ptr(), b_stride: b.stride, out_stride: out.stride, last };
    let (a, out) = (a.numbers.as_ptr(), out.numbers.as_mut_ptr());
    let mut row = 0;
    while row < m {
        let count = [ROWS, 4, 2, 1].into_iter().find(|count| row + count <= m).unwrap_or(1);
        // SAFETY: the asserts found the instructions, and all that is read and written within the slices.
        #[expect(unsafe_code, reason = "vector instructions")]
        unsafe {
            let (a, out) = (a.add(row * part.strides[0]), out.add(row * part.out_stride));
            match count {
                ROWS => tile::<ROWS, V>(a, out, &part, before),
                4 => tile::<4, V>(a, out, &part, before),
                2 => tile::<2, V>(a, out, &part, before),
                _ => tile::<1, V>(a, out, &part, before),
            }
        }
        row += count;
    }
}

/// What the tiles of a product have in common.
struct Part {
    strides: [usize; 2],
    k: usize,
    b: *const f32,
    b_stride: usize,
    out_stride: usize,
    /// The lanes of a row's last vector.
    last: __mmask16,
}

/// `R` rows of the product.
///
/// # Safety
/// The processor has AVX-512; `a` and `part.b` can be read, `out` be written, as far as the sizes say.
#[target_feature(enable = "avx512f")]
#[expect(unsafe_code, reason = "vector instructions")]
#[expect(clippy::needless_range_loop, reason = "what iterators are made of is not always inlined")]
unsafe fn tile<const R: usize, const V: usize>(a: *const f32, out: *mut f32, part: &Part, before: Before) {
    let [row, step] = part.strides;
    let mut sums = [[_mm512_setzero_ps(); V]; R];
    for k in 0..part.k {
        let mut b = [_mm512_setzero_ps(); V];
        for v in 0..V {
            let mask = if v + 1 == V { part.last } else { u16::MAX };
            // SAFETY: the caller's.
            b[v] = unsafe { _mm512_maskz_loadu_ps(mask, part.b.add(k * part.b_stride + v * VECTOR)) };
        }
        for r in 0..R {
            // SAFETY: the caller's.
            let a = _mm512_set1_ps(unsafe { *a.add(r * row + k * step) });
            for v in 0..V {
                sums[r][v] = _mm512_fmadd_ps(a, b[v], sums[r][v]);
            }
        }
    }
    for r in 0..R {
        for v in 0..V {
            let mask = if v + 1 == V { part.last } else { u16::MAX };
            // SAFETY: the caller's.
            unsafe {
                let out = out.add(r * part.out_stride + v * VECTOR);
                let sum = match before {
                    Before::Added => _mm512_add_ps(_mm512_maskz_loadu_ps(mask, out), sums[r][v]),
                    Before::Overwritten => sums[r][v],
                };
                _mm512_mask_storeu_ps(out, mask, sum);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test::{close, random};

    fn of<const V: usize>(m: usize, k: usize, columns: usize, turned: bool) {
        let (a, b, c) = (random(m * k, 1), random(k * (columns + 3), 2), random(m * (columns + 1), 3));
        let left = if turned { Matrix::new(&a, k, m).transposed() } else { Matrix::new(&a, m, k) };
        for before in [Before::Overwritten, Before::Added] {
            let mut found = c.clone();
            let out = LinesMut { numbers: &mut found, stride: columns + 1 };
            multiply::<V>(left, Lines { numbers: &b, stride: columns + 3 }, out, columns, before);
            let mut expected = c.clone();
            for i in 0..m {
                for j in 0..columns {
                    let sum: f64 = (0..k).map(|x| f64::from(left.at(i, x)) * f64::from(b[x * (columns + 3) + j])).sum();
                    let there = &mut expected[i * (columns + 1) + j];
                    *there = sum as f32 + if before == Before::Added { *there } else { 0.0 };
                }
            }
            close(&found, &expected, 1e-5);
        }
    }

    #[test]
    fn products_are_those_of_64_bits_and_nothing_else_is_written() {
        if !super::super::serve(None) {
            return;
        }
        for (m, k) in [(1, 1), (8, 5), (15, 40), (23, 3)] {
            for turned in [false, true] {
                of::<1>(m, k, 7, turned);
                of::<2>(m, k, 32, turned);
                of::<3>(m, k, 33, turned);
                of::<3>(m, k, 48, turned);
            }
        }
    }
}
