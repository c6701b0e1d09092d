//! The sum of squares of a tensor, for norms of gradients: millions of numbers, of which 32 bits would lose some.

use super::{Loop, contiguous, rows::LANES, vectorised};
use burn::{
    backend::{
        Autodiff, AutodiffBackend, Backend, Dispatch, Flex, autodiff::checkpoint::strategy::CheckpointStrategy,
        backend_extension, ops::FloatTensorOps, tensor::FloatTensor,
    },
    tensor::{Tensor as Burn, TensorData},
};
use rayon::prelude::*;

/// Numbers that are summed in 32 bits, in lanes side by side, before 64 bits take over.
const CHUNK: usize = 1 << 12;

#[backend_extension(Autodiff, Flex, Cube: cfg(any(feature = "wgpu", feature = "cuda")))]
pub(in super::super) trait OnSquares: Backend {
    /// `Σ x²` `[1]`.
    fn sum_of_squares(x: FloatTensor<Self>) -> FloatTensor<Self> {
        Self::float_sum(Self::float_mul(x.clone(), x))
    }
}

pub(in super::super) fn sum_of_squares<const D: usize>(x: Burn<D>) -> Burn<1> {
    Burn::from_dispatch(Dispatch::sum_of_squares(x.into_dispatch()))
}

impl OnSquares for Flex {
    fn sum_of_squares(x: FloatTensor<Self>) -> FloatTensor<Self> {
        let x = contiguous(x);
        let data = x.as_slice::<f32>().expect("32-bit numbers");
        // In the order of the chunks, whoever has summed them.
        let sums: Vec<f64> = data.par_chunks(CHUNK).with_min_len(4).map(|part| vectorised(Squares(part))).collect();
        Self::float_from_data(TensorData::new(vec![sums.iter().sum::<f64>() as f32], [1]), &Default::default())
    }
}

struct Squares<'a>(&'a [f32]);

impl Loop for Squares<'_> {
    type Output = f64;

    #[inline(always)]
    fn run(self) -> f64 {
        let (parts, rest) = self.0.as_chunks::<LANES>();
        let mut sums = [0.0f32; LANES];
        for part in parts {
            for (sum, x) in sums.iter_mut().zip(part) {
                *sum += x * x;
            }
        }
        sums.iter().map(|x| f64::from(*x)).sum::<f64>() + rest.iter().map(|x| f64::from(x * x)).sum::<f64>()
    }
}

#[cfg(feature = "wgpu")]
impl OnSquares for burn::backend::Wgpu {}
#[cfg(all(feature = "cuda", not(feature = "wgpu")))]
impl OnSquares for burn::backend::Cuda {}

/// Outside of gradient graphs.
impl<B: OnSquares, C: CheckpointStrategy> OnSquares for Autodiff<B, C> {
    fn sum_of_squares(x: FloatTensor<Self>) -> FloatTensor<Self> {
        Self::from_inner(B::sum_of_squares(Self::inner(x)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Device, test::random};

    #[test]
    fn millions_are_summed_as_in_64_bits() {
        for count in [1, 15, 4097, 3_000_001] {
            let data = random(count, 1);
            let exact: f64 = data.iter().map(|x| f64::from(*x).powi(2)).sum();
            let x = Burn::<1>::from_data(TensorData::new(data, [count]), &Device::cpu().burn);
            let found = f64::from(sum_of_squares(x).into_scalar::<f32>());
            assert!((found / exact - 1.0).abs() < 3e-7, "{count}: {found}, not {exact}");
        }
    }
}
