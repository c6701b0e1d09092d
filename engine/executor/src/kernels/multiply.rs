//! Products of matrices, in 32 bits by the `gemm` crate, in bfloat16 by code of our own.

#[cfg(target_arch = "x86_64")]
use super::bf16;
use super::{
    float32::multiply,
    matrix::{Matrix, Number, Right},
};
use crate::precision::Half;
#[cfg(target_arch = "x86_64")]
use crate::precision::Narrow;
use gemm::Parallelism;

/// Columns from which products by vectors of 16-bit numbers are worth it, and rows and columns from which those by tiles are.
const WIDE: usize = 256;
const TILED: usize = 64;

/// The right side of products, made ready for several of them in the same format as the left.
pub enum Ready<'a> {
    Plain(Right<'a>),
    #[cfg(target_arch = "x86_64")]
    Rounded(bf16::Columns),
}

impl<'a> Ready<'a> {
    pub fn new(matrix: impl Into<Right<'a>>, half: Half) -> Self {
        let matrix = matrix.into();
        #[cfg(target_arch = "x86_64")]
        if let Some(split) = split(half) {
            return Self::Rounded(match matrix {
                Right::Numbers(matrix) => bf16::Columns::new(matrix, split),
                Right::Halves(matrix) => bf16::Columns::new(matrix, split),
            });
        }
        let _ = half;
        Self::Plain(matrix)
    }

    fn dims(&self) -> [usize; 2] {
        match self {
            Self::Plain(right) => right.dims(),
            #[cfg(target_arch = "x86_64")]
            Self::Rounded(columns) => columns.dims(),
        }
    }
}

impl<'a, T: Into<Right<'a>>> From<T> for Ready<'a> {
    fn from(right: T) -> Self {
        Self::Plain(right.into())
    }
}

/// The left side of products, made ready for several of them: in narrower numbers where they are asked for and the processor
/// has products of them.
pub enum Left<'a> {
    Plain(Matrix<'a>),
    #[cfg(target_arch = "x86_64")]
    Rounded(bf16::Rows),
}

impl<'a> Left<'a> {
    pub fn new(matrix: Matrix<'a>, half: Half) -> Self {
        #[cfg(target_arch = "x86_64")]
        if let Some(split) = split(half) {
            return Self::Rounded(bf16::Rows::new(matrix, split));
        }
        let _ = half;
        Self::Plain(matrix)
    }

    fn dims(&self) -> [usize; 2] {
        match self {
            Self::Plain(matrix) => matrix.dims(),
            #[cfg(target_arch = "x86_64")]
            Self::Rounded(rows) => rows.dims(),
        }
    }

    /// The product with `b`, in rows that lie one after the other, on all cores. A sum's order does not depend on their
    /// number.
    pub fn times<'b>(&self, b: impl Into<Right<'b>>) -> Vec<f32> {
        let b = Ready::from(b);
        let count = self.dims()[0] * b.dims()[1];
        let mut out = Vec::with_capacity(count);
        // SAFETY: there is room for as many numbers, and all of them are written.
        #[expect(unsafe_code, reason = "to clear them first would take as long as to write them")]
        unsafe {
            self.write(out.as_mut_ptr(), &b, false);
            out.set_len(count);
        }
        out
    }

    /// Writes the product with `b` to `out`.
    pub fn times_into<'b>(&self, b: impl Into<Right<'b>>, out: &mut [f32]) {
        self.put(&Ready::from(b), out, false);
    }

    /// Adds the product with `b` to `out`.
    pub fn times_added<'b>(&self, b: impl Into<Right<'b>>, out: &mut [f32]) {
        self.put(&Ready::from(b), out, true);
    }

    /// Writes the product with `b`, or adds it to what is there.
    pub fn put(&self, b: &Ready, out: &mut [f32], add: bool) {
        assert_eq!(out.len(), self.dims()[0] * b.dims()[1], "a product of {:?} and {:?}", self.dims(), b.dims());
        // SAFETY: the slice has as many numbers.
        #[expect(unsafe_code, reason = "the same for what is written anew")]
        unsafe {
            self.write(out.as_mut_ptr(), b, add);
        }
    }

    /// # Safety
    /// `out` is valid for as many numbers as the product has, and holds them if they are added to.
    #[expect(unsafe_code, reason = "the crate's only interface")]
    unsafe fn write(&self, out: *mut f32, b: &Ready, add: bool) {
        let n = b.dims()[1];
        assert_eq!(self.dims()[1], b.dims()[0], "a product of {:?} and {:?}", self.dims(), b.dims());
        let decoded: Vec<f32>;
        let (a, b) = match (self, b) {
            (Self::Plain(a), Ready::Plain(Right::Numbers(b))) => (a, *b),
            (Self::Plain(a), Ready::Plain(Right::Halves(b))) => {
                decoded = b.numbers.iter().map(|x| x.to_f32()).collect();
                (a, Matrix { numbers: &decoded, rows: b.rows, columns: b.columns, strides: b.strides })
            }
            #[cfg(target_arch = "x86_64")]
            (Self::Rounded(a), Ready::Plain(b)) => {
                let columns = match *b {
                    Right::Numbers(b) => a.beside(b),
                    Right::Halves(b) => a.beside(b),
                };
                // SAFETY: the caller's.
                return unsafe { bf16::multiply(out, a, &columns, add) };
            }
            #[cfg(target_arch = "x86_64")]
            // SAFETY: the caller's.
            (Self::Rounded(a), Ready::Rounded(b)) => return unsafe { bf16::multiply(out, a, b, add) },
            #[cfg(target_arch = "x86_64")]
            (Self::Plain(_), Ready::Rounded(_)) => panic!("sides of a product in two formats"),
        };
        // SAFETY: the caller's.
        unsafe { multiply(out, n, *a, b, add, Parallelism::Rayon(0)) };
    }
}

/// What becomes of numbers in products of this format, if the processor has such.
#[cfg(target_arch = "x86_64")]
pub fn split(half: Half) -> Option<bf16::Split> {
    let split = match half? {
        Narrow::Bf16 => bf16::Split::Rounded,
        Narrow::High => bf16::Split::HighLow,
        Narrow::F16 | Narrow::Tf32 => return None,
    };
    bf16::available(split).then_some(split)
}

#[cfg(not(target_arch = "x86_64"))]
pub fn split(_: Half) -> Option<std::convert::Infallible> {
    None
}

/// Whether products take bfloat16 as it is.
pub fn takes_halves(half: Half) -> bool {
    split(half).is_some()
}

/// Whether a product of this size is faster in the format than in 32 bits: what packs a side is made up for by each row or
/// column of the other.
pub fn pays(half: Half, [rows, columns]: [usize; 2]) -> bool {
    half.is_some() && if tiled(half) { rows.min(columns) >= TILED } else { columns >= WIDE }
}

/// Whether products of this format are computed by tiles.
pub fn tiled(half: Half) -> bool {
    #[cfg(target_arch = "x86_64")]
    return split(half).is_some() && bf16::has_tiles();
    #[cfg(not(target_arch = "x86_64"))]
    return split(half).is_some();
}

/// `a · b`.
pub fn product<'b>(a: Matrix, b: impl Into<Right<'b>>, half: Half) -> Vec<f32> {
    Left::new(a, half).times(b)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test::{close, random};

    #[test]
    fn products_are_those_of_64_bits() {
        for (m, n, k) in [(1, 1, 1), (3, 5, 7), (33, 17, 65), (128, 96, 40), (5, 4, 0)] {
            let (a, b, c) = (random(m * k, 1), random(k * n, 2), random(m * n, 3));
            let at =
                |i: usize, j: usize| (0..k).map(|x| f64::from(a[i * k + x]) * f64::from(b[x * n + j])).sum::<f64>();
            let expected = |add: f64| -> Vec<f32> {
                (0..m * n).map(|i| (at(i / n, i % n) + add * f64::from(c[i])) as f32).collect()
            };
            let transposed: Vec<f32> = (0..m * k).map(|i| a[i % m * k + i / m]).collect();
            for left in [Matrix::new(&a, m, k), Matrix::new(&transposed, k, m).transposed()] {
                let (b, mut written, mut added) = (Matrix::new(&b, k, n), c.clone(), c.clone());
                let left = Left::new(left, None);
                left.times_into(b, &mut written);
                left.times_added(b, &mut added);
                close(&written, &expected(0.0), 1e-5);
                close(&added, &expected(1.0), 1e-5);
                assert_eq!(left.times(b), written);
            }
        }
    }
}
