//! Number formats of products of matrices. Everything else is computed in 32 bits: norms, softmax, sums, the loss, what
//! is trained and the optimizer (Micikevicius et al., 2018, arXiv:1710.03740).

use super::{
    Device,
    backend::on_processor,
    kernels::{has_bf16, product::of_matrices},
};
use burn::{
    backend::{Backend, tensor::FloatTensor},
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
    /// 16 bits with the range of 32.
    Bf16,
    /// 16 bits, IEEE half precision.
    F16,
}

/// The 16-bit format that products are computed in, if they are.
pub(super) type Half = Option<FloatDType>;

impl Device {
    /// The same device, with products in this precision where it has such: others compute them in 32 bits, as do
    /// processors in IEEE half precision.
    pub fn with(mut self, precision: Precision) -> Self {
        let half = match precision {
            Precision::F32 | Precision::Tf32 => None,
            Precision::Bf16 => Some(FloatDType::BF16),
            Precision::F16 => Some(FloatDType::F16),
        };
        let has = |half: &FloatDType| match on_processor(&self.burn) {
            true => *half == FloatDType::BF16 && has_bf16(),
            false => self.burn.supports_dtype(*half),
        };
        self.half = half.filter(has);
        self
    }

    /// What products are computed in.
    pub fn precision(&self) -> Precision {
        match self.half {
            Some(FloatDType::BF16) => Precision::Bf16,
            Some(_) => Precision::F16,
            None => Precision::F32,
        }
    }
}

/// `a · b`, for 32-bit numbers and to such.
pub(super) fn product(a: Burn<2>, b: Burn<2>, half: Half) -> Burn<2> {
    match half {
        _ if on_processor(&a.device()) => of_matrices(a, b, half),
        None => a.matmul(b),
        // What is kept for the way back has 16 bits, too.
        Some(half) => a.cast(half).matmul(b.cast(half)).cast(DType::F32),
    }
}

/// The same for a backend's own tensors.
pub(super) fn product_on<B: Backend>(a: FloatTensor<B>, b: FloatTensor<B>, half: Half) -> FloatTensor<B> {
    match half {
        None => B::float_matmul(a, b),
        Some(half) => {
            let product = B::float_matmul(B::float_cast(a, half), B::float_cast(b, half));
            B::float_cast(product, FloatDType::F32)
        }
    }
}
