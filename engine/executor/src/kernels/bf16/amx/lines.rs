//! Numbers of a matrix as lines of a tile: rounded to bfloat16, with what rounding leaves where that is wanted.

use super::{
    SIDE,
    tiles::{DEEP, Split, Tile},
};
use crate::kernels::matrix::{Matrix, Number};
use std::{arch::x86_64::*, mem::transmute};

/// Part of a matrix.
#[derive(Clone, Copy)]
pub(super) struct Part {
    /// Where it begins, `[outer, k]`.
    pub at: [usize; 2],
    pub size: [usize; 2],
}

/// Fills lines that go along `k` from a matrix whose numbers do; the second tile with what rounding leaves.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
#[inline]
#[expect(unsafe_code, reason = "vector instructions")]
pub(super) fn along<T: Number>(matrix: Matrix<T>, part: Part, split: Split, [rounded, left]: [&mut Tile; 2]) {
    let mask = mask(part.size[1]);
    for i in 0..part.size[0] {
        let from = &matrix.row(part.at[0] + i)[part.at[1]..part.at[1] + part.size[1]];
        // SAFETY: the mask leaves out what lies behind the slice.
        unsafe {
            if T::HALF {
                rounded[i] = _mm512_maskz_loadu_epi16(mask, from.as_ptr().cast());
            } else {
                let from: *const f32 = from.as_ptr().cast();
                let low = _mm512_maskz_loadu_ps(mask as u16, from);
                let high = _mm512_maskz_loadu_ps((mask >> SIDE) as u16, from.wrapping_add(SIDE));
                rounded[i] = halved(low, high);
                if split == Split::HighLow {
                    left[i] = halved(less(low, rounded[i], false), less(high, rounded[i], true));
                }
            }
        }
    }
}

/// Fills lines that go along `outer` from a matrix whose numbers do.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
#[inline]
#[expect(unsafe_code, reason = "vector instructions")]
pub(super) fn across<T: Number>(matrix: Matrix<T>, part: Part, split: Split, [rounded, left]: [&mut Tile; 2]) {
    let ([outer, k], mask) = (part.at, mask(part.size[0]) as u16);
    let line = |i: usize| &matrix.column(k + i)[outer..outer + part.size[0]];
    // Lines of the cache that lie far apart are not fetched ahead by themselves.
    for i in DEEP..(2 * DEEP).min(matrix.dims()[1] - k) {
        _mm_prefetch::<_MM_HINT_T1>(line(i).as_ptr().cast());
    }
    for i in 0..part.size[1].div_ceil(2) {
        let (first, second) = (line(2 * i), line((2 * i + 1).min(part.size[1] - 1)));
        // The last one of an odd number has none beside it.
        let others = if 2 * i + 1 < part.size[1] { mask } else { 0 };
        // SAFETY: the masks leave out what lies behind the slices.
        unsafe {
            if T::HALF {
                let first = _mm256_maskz_loadu_epi16(mask, first.as_ptr().cast());
                let second = _mm256_maskz_loadu_epi16(others, second.as_ptr().cast());
                rounded[i] = paired(_mm512_inserti64x4::<1>(_mm512_castsi256_si512(first), second));
            } else {
                let first = _mm512_maskz_loadu_ps(mask, first.as_ptr().cast());
                let second = _mm512_maskz_loadu_ps(others, second.as_ptr().cast());
                let both = halved(first, second);
                rounded[i] = paired(both);
                if split == Split::HighLow {
                    left[i] = paired(halved(less(first, both, false), less(second, both, true)));
                }
            }
        }
    }
}

/// Fills lines that go along `k` from a matrix that lies in no order of these.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
pub(super) fn gathered<T: Number>(matrix: Matrix<T>, part: Part, split: Split, tiles: [&mut Tile; 2]) {
    let mut numbers = [0.0; SIDE * DEEP];
    for (i, row) in numbers.as_chunks_mut::<DEEP>().0.iter_mut().enumerate().take(part.size[0]) {
        for (j, x) in row.iter_mut().enumerate().take(part.size[1]) {
            *x = matrix.at(part.at[0] + i, part.at[1] + j).to_f32();
        }
    }
    along(Matrix::new(&numbers, SIDE, DEEP), Part { at: [0, 0], size: part.size }, split, tiles);
}

/// Bits for the first of 32 numbers.
fn mask(count: usize) -> u32 {
    if count >= DEEP { !0 } else { (1 << count) - 1 }
}

/// Two vectors rounded, one after the other.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
#[inline]
fn halved(low: __m512, high: __m512) -> __m512i {
    // SAFETY: vectors of 64 bytes, of which any are numbers.
    #[expect(unsafe_code, reason = "types of one size")]
    unsafe {
        transmute::<__m512bh, __m512i>(_mm512_cvtne2ps_pbh(high, low))
    }
}

/// What rounding has left of numbers that are now in one half of a register.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
#[inline]
fn less(numbers: __m512, rounded: __m512i, upper: bool) -> __m512 {
    let half = if upper { _mm512_extracti64x4_epi64::<1>(rounded) } else { _mm512_castsi512_si256(rounded) };
    _mm512_sub_ps(numbers, _mm512_castsi512_ps(_mm512_slli_epi32::<16>(_mm512_cvtepu16_epi32(half))))
}

/// 16 numbers and 16 others side by side.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
#[inline]
fn paired(both: __m512i) -> __m512i {
    const ORDER: [u16; DEEP] = {
        let mut order = [0; DEEP];
        let mut i = 0;
        while i < DEEP {
            order[i] = (i / 2 + i % 2 * SIDE) as u16;
            i += 1;
        }
        order
    };
    // SAFETY: types of one size.
    #[expect(unsafe_code, reason = "an array in a register")]
    let order = unsafe { transmute::<[u16; DEEP], __m512i>(ORDER) };
    _mm512_permutexvar_epi16(order, both)
}

/// Rows of 16 words as columns: pairs of words, of pairs, and quarters of the registers change places.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
#[inline]
pub(super) fn transpose(tile: &mut Tile) {
    let r = *tile;
    let mut t = r;
    for i in 0..8 {
        t[2 * i] = _mm512_unpacklo_epi32(r[2 * i], r[2 * i + 1]);
        t[2 * i + 1] = _mm512_unpackhi_epi32(r[2 * i], r[2 * i + 1]);
    }
    let mut r = t;
    for i in (0..SIDE).step_by(4) {
        r[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
        r[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
        r[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
        r[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
    }
    for i in 0..4 {
        t[i] = _mm512_shuffle_i32x4::<0x88>(r[i], r[4 + i]);
        t[4 + i] = _mm512_shuffle_i32x4::<0xdd>(r[i], r[4 + i]);
        t[8 + i] = _mm512_shuffle_i32x4::<0x88>(r[8 + i], r[12 + i]);
        t[12 + i] = _mm512_shuffle_i32x4::<0xdd>(r[8 + i], r[12 + i]);
    }
    for i in 0..4 {
        r[i] = _mm512_shuffle_i32x4::<0x88>(t[i], t[8 + i]);
        r[8 + i] = _mm512_shuffle_i32x4::<0xdd>(t[i], t[8 + i]);
        r[4 + i] = _mm512_shuffle_i32x4::<0x88>(t[4 + i], t[12 + i]);
        r[12 + i] = _mm512_shuffle_i32x4::<0xdd>(t[4 + i], t[12 + i]);
    }
    *tile = r;
}
