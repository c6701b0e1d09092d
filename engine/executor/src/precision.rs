//! Number formats of products of matrices. Everything else is computed in 32 bits: norms, softmax, sums, the loss, what
//! is trained and the optimizer (Micikevicius et al., 2018, arXiv:1710.03740).

use super::{
    Device,
    backend::on_processor,
    kernels::{
        exact::{OnExact, stacks},
        has,
        product::{of_matrices, of_rows},
    },
};
use burn::{
    backend::tensor::FloatTensor,
    tensor::{DType, FloatDType, Tensor as Burn},
};

/// What is asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Precision {
    /// 32 bits.
    #[default]
    F32,
    /// 32-bit numbers of which NVIDIA's tensor cores read 19 bits.
    Tf32,
    /// 32-bit numbers of which processors with AMX read 16 bits of mantissa: as two of 16 bits.
    High,
    /// 16 bits with the range of 32.
    Bf16,
    /// 16 bits, IEEE half precision.
    F16,
}

/// A format of products that is narrower than 32 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Narrow {
    /// 32-bit numbers of which tensor cores read 19 bits.
    Tf32,
    /// Numbers as the sum of two bfloat16: three products in place of one (Henry, Tang and Heinecke, 2019, arXiv:1904.06376).
    High,
    Bf16,
    F16,
}

/// The format that products are computed in, if they are in one narrower than 32 bits.
pub(super) type Half = Option<Narrow>;

impl Narrow {
    /// What tensors of this format hold; in other formats they hold 32 bits, and the products alone are narrower.
    fn dtype(self) -> Option<FloatDType> {
        match self {
            Self::High | Self::Tf32 => None,
            Self::Bf16 => Some(FloatDType::BF16),
            Self::F16 => Some(FloatDType::F16),
        }
    }
}

impl Device {
    /// The same device, with products in this precision where it has such: others compute them in 32 bits, as do
    /// processors in IEEE half precision.
    pub fn with(mut self, precision: Precision) -> Self {
        let half = match precision {
            Precision::F32 => None,
            Precision::Tf32 => Some(Narrow::Tf32),
            Precision::High => Some(Narrow::High),
            Precision::Bf16 => Some(Narrow::Bf16),
            Precision::F16 => Some(Narrow::F16),
        };
        let has = |half: &Narrow| match on_processor(&self.burn) {
            true => has(*half),
            // Recipes ask for it on CUDA alone.
            false if *half == Narrow::Tf32 => true,
            false => half.dtype().is_some_and(|dtype| self.burn.supports_dtype(dtype)),
        };
        self.half = half.filter(has);
        self
    }

    /// What products are computed in.
    pub fn precision(&self) -> Precision {
        match self.half {
            Some(Narrow::Tf32) => Precision::Tf32,
            Some(Narrow::High) => Precision::High,
            Some(Narrow::Bf16) => Precision::Bf16,
            Some(Narrow::F16) => Precision::F16,
            None => Precision::F32,
        }
    }
}

/// `a · b`, for 32-bit numbers and to such.
pub(super) fn product(a: Burn<2>, b: Burn<2>, half: Half) -> Burn<2> {
    if on_processor(&a.device()) {
        return of_matrices(a, b, half);
    }
    match half.and_then(Narrow::dtype) {
        None if half == Some(Narrow::Tf32) => a.matmul(b),
        None => stacks(a, b),
        // What is kept for the way back has 16 bits, too.
        Some(half) => a.cast(half).matmul(b.cast(half)).cast(DType::F32),
    }
}

/// `a · wᵀ`, in the same way.
pub(super) fn projected(a: Burn<2>, w: Burn<2>, half: Half) -> Burn<2> {
    match on_processor(&a.device()) {
        true => of_rows(a, w, half),
        false => product(a, w.transpose(), half),
    }
}

/// The same for a backend's own tensors.
pub(super) fn product_on<B: OnExact>(a: FloatTensor<B>, b: FloatTensor<B>, half: Half) -> FloatTensor<B> {
    match half.and_then(Narrow::dtype) {
        None if half == Some(Narrow::Tf32) => B::float_matmul(a, b),
        None => B::exact(a, b),
        Some(half) => {
            let product = B::float_matmul(B::float_cast(a, half), B::float_cast(b, half));
            B::float_cast(product, FloatDType::F32)
        }
    }
}
