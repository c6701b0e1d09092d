//! Products by AVX512-BF16: `vdpbf16ps` adds two products to each of 16 sums at a time, on AMD's processors twice as
//! fast as products in 32 bits.
//!
//! Both operands are packed into panels of [`ROWS`] rows and [`COLUMNS`] columns, pairs of neighbouring numbers of a sum side
//! by side.

mod panels;

pub use panels::{Columns, Rows};

use super::Out;
use rayon::prelude::*;
use std::{arch::x86_64::*, sync::LazyLock};

/// Rows and columns of what the inner loop computes: 24 of 32 registers hold sums.
const ROWS: usize = 8;
const COLUMNS: usize = 3 * SIDE;
const SIDE: usize = 16;
/// Pairs of numbers that are summed before the result is touched: a panel of so many stays in the cache of a core.
const PAIRS: usize = 256;
/// Rows and columns of a task.
const TASK: [usize; 2] = [8 * ROWS, 8 * COLUMNS];

/// Whether this processor has the instruction.
pub fn available() -> bool {
    is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bf16")
}

/// Whether it computes more than products in 32 bits do. Intel's processors start half as many of these instructions in the
/// same time, which leaves nothing that rounding and packing could be paid with.
pub fn pay() -> bool {
    static INTEL: LazyLock<bool> = LazyLock::new(|| {
        let words = __cpuid(0);
        [words.ebx, words.edx, words.ecx].map(u32::to_le_bytes).concat() == b"GenuineIntel"
    });
    available() && !*INTEL
}

/// `a · b`, or its sum with what is there, into rows that lie one after the other. What is summed does not depend on how many
/// cores do it.
///
/// # Safety
/// `out` is valid for as many numbers as the product has, and holds them if they are added to.
///
/// # Panics
/// If the processor lacks the instruction.
#[expect(unsafe_code, reason = "parts of rows are no slices of their own")]
pub unsafe fn multiply(out: *mut f32, a: &Rows, b: &Columns, before: bool) {
    assert!(available(), "no bfloat16 products on this processor");
    let ([m, k], n) = (a.dims, b.dims[1]);
    assert_eq!(k, b.dims[0], "{m} x {k} times {:?}", b.dims);
    if k == 0 {
        if !before {
            // SAFETY: the caller's; zeros are numbers.
            unsafe { out.write_bytes(0, m * n) };
        }
        return;
    }
    let (a, b, pairs) = (&a.words, &b.words, k.div_ceil(2));
    let (across, down) = (n.div_ceil(TASK[1]), m.div_ceil(TASK[0]));
    let target = Out(out);
    (0..across * down).into_par_iter().for_each(|task| {
        let (rows, columns) = (task % down * TASK[0], task / down * TASK[1]);
        for start in (0..pairs).step_by(PAIRS) {
            let count = PAIRS.min(pairs - start);
            let add = start > 0 || before;
            for column in (columns..n.min(columns + TASK[1])).step_by(COLUMNS) {
                let b = &b[(column / COLUMNS * pairs + start) * COLUMNS..][..count * COLUMNS];
                for row in (rows..m.min(rows + TASK[0])).step_by(ROWS) {
                    let a = &a[(row / ROWS * pairs + start) * ROWS..][..count * ROWS];
                    let size = [ROWS.min(m - row), COLUMNS.min(n - column)];
                    // SAFETY: `available` has found the instructions; the tile of this size lies within `out`, of which
                    // no other task writes this part.
                    unsafe {
                        tile(a, b, target.at(row * n + column), n, size, add);
                    }
                }
            }
        }
    });
}

/// A tile of the result, `[ROWS, COLUMNS]` or what is left of them.
///
/// # Safety
/// `out` is valid for `size[0]` rows of `size[1]` numbers that are `stride` apart.
#[target_feature(enable = "avx512f,avx512bf16")]
#[expect(unsafe_code, reason = "vector instructions")]
unsafe fn tile(a: &[u32], b: &[u32], out: *mut f32, stride: usize, size: [usize; 2], add: bool) {
    let mut sums = [[_mm512_setzero_ps(); 3]; ROWS];
    for (a, b) in a.as_chunks::<ROWS>().0.iter().zip(b.as_chunks::<COLUMNS>().0) {
        let (b, _) = b.as_chunks::<SIDE>();
        // SAFETY: arrays of 16 words; the types are of one size, and any bits are valid in both.
        let b: [__m512bh; 3] =
            std::array::from_fn(|i| unsafe { std::mem::transmute(_mm512_loadu_si512(b[i].as_ptr().cast())) });
        for (sums, a) in sums.iter_mut().zip(a) {
            // SAFETY: as above.
            let a: __m512bh = unsafe { std::mem::transmute(_mm512_set1_epi32(*a as i32)) };
            for (sum, b) in sums.iter_mut().zip(b) {
                *sum = _mm512_dpbf16_ps(*sum, a, b);
            }
        }
    }
    for (i, sums) in sums.into_iter().enumerate().take(size[0]) {
        for (j, sum) in sums.into_iter().enumerate() {
            let mask = lanes(size[1].saturating_sub(j * SIDE));
            if mask == 0 {
                break;
            }
            // SAFETY: the caller's; lanes outside of the mask are not touched.
            unsafe {
                let out = out.add(i * stride + j * SIDE);
                let before = if add { _mm512_maskz_loadu_ps(mask, out) } else { _mm512_setzero_ps() };
                _mm512_mask_storeu_ps(out, mask, _mm512_add_ps(before, sum));
            }
        }
    }
}

fn lanes(count: usize) -> __mmask16 {
    if count >= SIDE { !0 } else { (1 << count) - 1 }
}
