//! Products of matrices, in 32 bits by the `gemm` crate, in 16 by code of our own.

#[cfg(target_arch = "x86_64")]
use super::bf16;
use super::matrix::{Matrix, Number, Right};
use crate::precision::Half;
use burn::tensor::FloatDType;

impl Matrix<'_> {
    /// Writes the product with `b` to `out`, on this thread alone.
    pub fn times_alone(self, b: Matrix, out: &mut [f32]) {
        assert_eq!(out.len(), self.rows * b.columns, "a product of {:?} and {:?}", self.dims(), b.dims());
        // SAFETY: the slice has as many numbers.
        #[expect(unsafe_code, reason = "the crate's only interface")]
        unsafe {
            call(out.as_mut_ptr(), b.columns, self, b, false, gemm::Parallelism::None);
        }
    }
}

/// Numbers of which tasks write parts that are no slices.
#[derive(Clone, Copy)]
pub struct Target {
    numbers: *mut f32,
    count: usize,
}

// SAFETY: tasks write parts that do not overlap, as `Target::add` asks for.
#[expect(unsafe_code, reason = "parts are no slices of their own")]
unsafe impl Send for Target {}
// SAFETY: as above.
#[expect(unsafe_code, reason = "parts are no slices of their own")]
unsafe impl Sync for Target {}

impl Target {
    /// What is borrowed must not be touched until the last task has ended.
    pub fn new(numbers: &mut [f32]) -> Self {
        Self { numbers: numbers.as_mut_ptr(), count: numbers.len() }
    }

    /// Adds `a · b` to rows that are `stride` apart, from `start` on; on this thread alone.
    ///
    /// # Safety
    /// The numbers are still there, and no other thread touches those rows meanwhile.
    #[expect(unsafe_code, reason = "parts are no slices of their own")]
    pub unsafe fn add(self, start: usize, stride: usize, a: Matrix, b: Matrix) {
        let [rows, columns] = [a.rows, b.columns];
        if rows * columns == 0 {
            return;
        }
        assert!(start + (rows - 1) * stride + columns <= self.count, "rows reach beyond the numbers");
        // SAFETY: the caller's; the assert keeps all rows within the numbers.
        unsafe { call(self.numbers.add(start), stride, a, b, true, gemm::Parallelism::None) };
    }
}

/// # Safety
/// `out` is valid for the product's rows, which are `stride` apart, and holds numbers if they are added to.
#[expect(unsafe_code, reason = "the crate's only interface")]
unsafe fn call(out: *mut f32, stride: usize, a: Matrix, b: Matrix, add: bool, threads: gemm::Parallelism) {
    assert!(a.columns == b.rows, "a product of {:?} and {:?}", a.dims(), b.dims());
    assert!(a.reach() <= a.numbers.len() && b.reach() <= b.numbers.len(), "a matrix reaches beyond its slice");
    let ([m, k], n) = (a.dims(), b.columns);
    let [of_a, of_b] = [a.strides, b.strides].map(|strides| strides.map(|stride| stride as isize));
    let (to, a, b) = (stride as isize, a.numbers.as_ptr(), b.numbers.as_ptr());
    // SAFETY: the caller's; the asserts keep every element that is read within its slice.
    unsafe {
        gemm::gemm(
            m, n, k, out, 1, to, add, a, of_a[1], of_a[0], b, of_b[1], of_b[0], 1.0, 1.0, false, false, false, threads,
        );
    }
}

/// The left side of products, made ready for several of them: in 16-bit numbers where they are asked for and the processor
/// has products of them.
pub enum Left<'a> {
    Plain(Matrix<'a>),
    #[cfg(target_arch = "x86_64")]
    Rounded(bf16::Rows),
}

impl<'a> Left<'a> {
    pub fn new(matrix: Matrix<'a>, half: Half) -> Self {
        #[cfg(target_arch = "x86_64")]
        if rounds(half) {
            return Self::Rounded(bf16::Rows::new(matrix));
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
        let b = b.into();
        let count = self.dims()[0] * b.dims()[1];
        let mut out = Vec::with_capacity(count);
        // SAFETY: there is room for as many numbers, and all of them are written.
        #[expect(unsafe_code, reason = "to clear them first would take as long as to write them")]
        unsafe {
            self.write(out.as_mut_ptr(), b, false);
            out.set_len(count);
        }
        out
    }

    /// Writes the product with `b` to `out`.
    pub fn times_into<'b>(&self, b: impl Into<Right<'b>>, out: &mut [f32]) {
        self.put(b.into(), out, false);
    }

    /// Adds the product with `b` to `out`.
    pub fn times_added<'b>(&self, b: impl Into<Right<'b>>, out: &mut [f32]) {
        self.put(b.into(), out, true);
    }

    fn put(&self, b: Right, out: &mut [f32], add: bool) {
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
    unsafe fn write(&self, out: *mut f32, b: Right, add: bool) {
        let n = b.dims()[1];
        assert_eq!(self.dims()[1], b.dims()[0], "a product of {:?} and {:?}", self.dims(), b.dims());
        let decoded: Vec<f32>;
        let (a, b) = match (self, b) {
            (Self::Plain(a), Right::Numbers(b)) => (a, b),
            (Self::Plain(a), Right::Halves(b)) => {
                decoded = b.numbers.iter().map(|x| x.to_f32()).collect();
                (a, Matrix { numbers: &decoded, rows: b.rows, columns: b.columns, strides: b.strides })
            }
            #[cfg(target_arch = "x86_64")]
            (Self::Rounded(a), b) => {
                let columns = match b {
                    Right::Numbers(b) => bf16::Columns::new(b),
                    Right::Halves(b) => bf16::Columns::new(b),
                };
                // SAFETY: the caller's.
                return unsafe { bf16::multiply(out, a, &columns, add) };
            }
        };
        // SAFETY: the caller's.
        unsafe { call(out, n, *a, b, add, gemm::Parallelism::Rayon(0)) };
    }
}

/// Whether products are computed in bfloat16.
pub fn rounds(half: Half) -> bool {
    half == Some(FloatDType::BF16) && super::has_bf16()
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
