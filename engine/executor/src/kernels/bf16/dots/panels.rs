//! Numbers rounded to bfloat16, in panels that the inner loop reads in order.

use super::{COLUMNS, ROWS, SIDE};
use crate::kernels::{
    Loop,
    matrix::{Matrix, Number},
    vectorised,
};
use rayon::prelude::*;
use std::mem::MaybeUninit;

/// Two numbers, rounded to nearest, the first in the lower half.
#[inline(always)]
pub(super) fn pair<T: Number>(a: T, b: T) -> u32 {
    a.rounded() >> 16 | b.rounded()
}

/// The first of two numbers, the other 0.
#[inline(always)]
pub(super) fn single<T: Number>(a: T) -> u32 {
    a.rounded() >> 16
}

/// The left side of a product.
pub struct Rows {
    pub(super) words: Vec<u32>,
    pub(super) dims: [usize; 2],
}

impl Rows {
    pub fn new<T: Number>(matrix: Matrix<T>) -> Self {
        Self { words: packed(matrix.transposed(), ROWS), dims: matrix.dims() }
    }

    pub fn dims(&self) -> [usize; 2] {
        self.dims
    }
}

/// The right side of a product.
pub struct Columns {
    pub(super) words: Vec<u32>,
    pub(super) dims: [usize; 2],
}

impl Columns {
    pub fn new<T: Number>(matrix: Matrix<T>) -> Self {
        Self { words: packed(matrix, COLUMNS), dims: matrix.dims() }
    }

    pub fn dims(&self) -> [usize; 2] {
        self.dims
    }
}

/// Columns of a matrix in panels of `side`, for each pair of its rows one after the other; zeros fill up the last panel.
fn packed<T: Number>(matrix: Matrix<T>, side: usize) -> Vec<u32> {
    let ([rows, columns], pairs) = (matrix.dims(), matrix.dims()[0].div_ceil(2));
    let size = columns.div_ceil(side) * side * pairs;
    let mut out = Vec::with_capacity(size);
    let panels = out.spare_capacity_mut()[..size].par_chunks_mut((side * pairs).max(1)).enumerate();
    panels.for_each(|(i, panel)| {
        let first = i * side;
        let count = side.min(columns - first);
        if count < side {
            panel.fill(MaybeUninit::new(0));
        }
        vectorised(Panel { matrix, first, count, side, panel });
    });
    debug_assert!(rows <= 2 * pairs);
    // SAFETY: for each pair of rows a panel gets as many words as it has columns, and zeros were there for those that it lacks.
    #[expect(unsafe_code, reason = "to clear them first would take a part of a product's time")]
    unsafe {
        out.set_len(size);
    }
    out
}

struct Panel<'a, T> {
    matrix: Matrix<'a, T>,
    first: usize,
    count: usize,
    side: usize,
    panel: &'a mut [MaybeUninit<u32>],
}

impl<T: Number> Loop for Panel<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { matrix, first, count, side, panel } = self;
        match matrix.strides()[1] {
            1 => along_rows(matrix, first, count, side, panel),
            _ => along_columns(matrix, first, count, side, panel),
        }
    }
}

/// For matrices whose rows lie in one piece.
#[inline(always)]
fn along_rows<T: Number>(matrix: Matrix<T>, first: usize, count: usize, side: usize, panel: &mut [MaybeUninit<u32>]) {
    let rows = matrix.dims()[0];
    for (i, out) in panel.chunks_exact_mut(side).enumerate() {
        let a = &matrix.row(2 * i)[first..first + count];
        if 2 * i + 1 < rows {
            let b = &matrix.row(2 * i + 1)[first..first + count];
            for (out, (a, b)) in out.iter_mut().zip(a.iter().zip(b)) {
                out.write(pair(*a, *b));
            }
        } else {
            for (out, a) in out.iter_mut().zip(a) {
                out.write(single(*a));
            }
        }
    }
}

/// For others: those whose columns lie in one piece are turned a square at a time.
#[inline(always)]
fn along_columns<T: Number>(
    matrix: Matrix<T>,
    first: usize,
    count: usize,
    side: usize,
    panel: &mut [MaybeUninit<u32>],
) {
    let ([rows, _], [stride, _]) = (matrix.dims(), matrix.strides());
    let pairs = rows.div_ceil(2);
    for column in (0..count).step_by(SIDE) {
        let wide = SIDE.min(count - column);
        for start in (0..pairs).step_by(SIDE) {
            let long = SIDE.min(pairs - start);
            let mut square = [[0u32; SIDE]; SIDE];
            for (j, line) in square[..wide].iter_mut().enumerate() {
                if stride == 1 && 2 * (start + long) <= rows {
                    let numbers = &matrix.column(first + column + j)[2 * start..2 * (start + long)];
                    let numbers = numbers.as_chunks::<2>().0;
                    line.iter_mut().zip(numbers).for_each(|(out, [a, b])| *out = pair(*a, *b));
                } else {
                    for (i, out) in line[..long].iter_mut().enumerate() {
                        let at = 2 * (start + i);
                        let a = matrix.at(at, first + column + j);
                        *out = if at + 1 < rows { pair(a, matrix.at(at + 1, first + column + j)) } else { single(a) };
                    }
                }
            }
            for i in 0..long {
                let out = &mut panel[(start + i) * side + column..][..wide];
                for (out, line) in out.iter_mut().zip(&square) {
                    out.write(line[i]);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test::random;

    #[test]
    fn numbers_are_rounded_to_nearest_and_none_stays_none() {
        for x in random(1000, 1).into_iter().chain([0.0, -0.0, f32::INFINITY, 1.0 + 2f32.powi(-8), 1e-39]) {
            assert_eq!(single(x) as u16, half::bf16::from_f32(x).to_bits(), "{x}");
            assert_eq!((pair(0.0, x) >> 16) as u16, half::bf16::from_f32(x).to_bits(), "{x}");
        }
        assert!(half::bf16::from_bits(single(f32::NAN) as u16).is_nan());
    }
}
