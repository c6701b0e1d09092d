//! How fast a device multiplies matrices.

use super::Device;
use burn::tensor::{Distribution, Tensor};
use std::time::Instant;

/// Rows and columns of the matrices: large enough that a product is no overhead, small enough for a slow machine.
const SIZE: usize = 512;

impl Device {
    /// Floating-point operations per second in products of matrices, measured in some hundredths of a second; none if
    /// the device fails.
    pub fn flops_per_second(&self) -> Option<f64> {
        let measured = framework_core::ffi::guard(|| {
            let make = || Tensor::<2>::random([SIZE, SIZE], Distribution::Uniform(-1.0, 1.0), &self.burn);
            let (a, b) = (make(), make());
            // reading the result waits for it; the first product compiles what has to be compiled
            let product = || drop(a.clone().matmul(b.clone()).into_data());
            product();
            let fastest = (0..3).map(|_| {
                let started = Instant::now();
                product();
                started.elapsed().as_secs_f64()
            });
            Ok(2.0 * (SIZE as f64).powi(3) / fastest.fold(f64::INFINITY, f64::min).max(1e-9))
        });
        measured.into_result().ok()
    }
}
