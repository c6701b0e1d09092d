//! Products of matrices in 32 bits, by the `gemm` crate.

use super::matrix::Matrix;

impl Matrix<'_> {
    /// Writes the product with `b` to `out`, on this thread alone.
    pub fn times_alone(self, b: Matrix, out: &mut [f32]) {
        assert_eq!(out.len(), self.rows * b.columns, "a product of {:?} and {:?}", self.dims(), b.dims());
        // SAFETY: the slice has as many numbers.
        #[expect(unsafe_code, reason = "the crate's only interface")]
        unsafe {
            multiply(out.as_mut_ptr(), b.columns, self, b, false, gemm::Parallelism::None);
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
        unsafe { multiply(self.numbers.add(start), stride, a, b, true, gemm::Parallelism::None) };
    }
}

/// # Safety
/// `out` is valid for the product's rows, which are `stride` apart, and holds numbers if they are added to.
#[expect(unsafe_code, reason = "the crate's only interface")]
pub(super) unsafe fn multiply(
    out: *mut f32,
    stride: usize,
    a: Matrix,
    b: Matrix,
    add: bool,
    threads: gemm::Parallelism,
) {
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
