//! Products of 32-bit numbers that read all 32 bits. On NVIDIA's tensor cores the library below us computes them from 19
//! (TF32), which is a precision of its own here.

use super::product::recorded;
use burn::{
    backend::{
        Autodiff, Backend, Dispatch, Flex, autodiff::checkpoint::strategy::CheckpointStrategy, backend_extension,
        tensor::FloatTensor,
    },
    tensor::Tensor as Burn,
};

#[backend_extension(Autodiff, Flex, Cube: cfg(any(feature = "wgpu", feature = "cuda")))]
pub(in super::super) trait OnExact: Backend {
    /// `a · b` for matrices, or stacks of as many on both sides.
    fn exact(a: FloatTensor<Self>, b: FloatTensor<Self>) -> FloatTensor<Self> {
        Self::float_matmul(a, b)
    }
}

/// `a · b` for stacks of matrices; where one side has a single one, it is taken for all of the other.
pub(in super::super) fn stacks<const D: usize>(a: Burn<D>, b: Burn<D>) -> Burn<D> {
    let (mut of_a, mut of_b) = (a.dims(), b.dims());
    for d in 0..D - 2 {
        let count = of_a[d].max(of_b[d]);
        (of_a[d], of_b[d]) = (count, count);
    }
    let (a, b) = (a.expand(of_a), b.expand(of_b));
    Burn::from_dispatch(Dispatch::exact(a.into_dispatch(), b.into_dispatch()))
}

impl OnExact for Flex {}

#[cfg(any(feature = "wgpu", feature = "cuda"))]
mod cube {
    use super::*;
    use burn::{backend::ops::FloatTensorOps as _, tensor::DType};
    use burn_cubecl::{kernel::matmul::init_matmul_output, tensor::CubeTensor};
    use cubecl::{prelude::Scalar, tf32};
    use cubek::{
        matmul::{
            definition::{MatmulElems, MatmulGlobalElems},
            launch::launch_ref,
            multi_level,
            strategy::Strategy,
        },
        std::InputBinding,
    };

    #[cfg(feature = "wgpu")]
    type Gpu = burn::backend::Wgpu;
    #[cfg(not(feature = "wgpu"))]
    type Gpu = burn::backend::Cuda;

    impl OnExact for Gpu {
        fn exact(a: FloatTensor<Self>, b: FloatTensor<Self>) -> FloatTensor<Self> {
            let narrows = a.client.properties().supports_type(tf32::elem_type_native());
            #[cfg(test)]
            let narrows = narrows || PRETENDED.load(std::sync::atomic::Ordering::Relaxed);
            match narrows && a.dtype == DType::F32 {
                true => without_tensor_cores(a, b),
                false => Self::float_matmul(a, b),
            }
        }
    }

    /// The strategies that need no tensor cores, the faster first.
    fn without_tensor_cores(a: CubeTensor, b: CubeTensor) -> CubeTensor {
        let out = init_matmul_output(&a, &b, DType::F32);
        let float = f32::elem_type_native();
        let strategies = [multi_level::Strategy::SimpleUnit(Default::default()), multi_level::Strategy::Naive]
            .map(Strategy::MultiLevel);
        for strategy in strategies {
            let [a, b] = [&a, &b].map(|x| InputBinding::new(x.clone().binding(), float));
            let mut types = MatmulElems::from_globals(&MatmulGlobalElems { lhs: float, rhs: float, out: float });
            if launch_ref(&strategy, &out.client, a, b, out.clone().binding(), &mut types).is_ok() {
                return out;
            }
        }
        panic!("this device has no products in 32 bits; `precision = \"tf32\"` takes its tensor cores");
    }
}

/// Whether GPUs without tensor cores are taken for such that have them: to test what these do.
#[cfg(test)]
pub(in super::super) static PRETENDED: std::sync::atomic::AtomicBool = std::sync::atomic::AtomicBool::new(false);

impl<B: OnExact, C: CheckpointStrategy> OnExact for Autodiff<B, C> {
    fn exact(a: FloatTensor<Self>, b: FloatTensor<Self>) -> FloatTensor<Self> {
        recorded::<B, C>(a, b, None, |a, b, _| B::exact(a, b))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Value,
        test::{differentiates, floats},
        value::R,
    };

    #[test]
    fn stacks_are_multiplied_pair_by_pair() {
        for (a, b) in [([2, 3, 4], [2, 4, 5]), ([1, 3, 4], [2, 4, 5]), ([2, 3, 4], [1, 4, 5])] {
            let inputs = [floats(&a, 1), floats(&b, 2)];
            differentiates("stacks", &inputs, |inputs| {
                let [a, b] = [0, 1].map(|i| inputs[i].clone().into_float().unwrap());
                let found = stacks::<R>(a.clone(), b.clone());
                let difference = (found.clone() - a.matmul(b)).abs().max().into_scalar::<f32>();
                assert!(difference < 1e-6, "{difference}");
                Value::float(found, 3)
            });
        }
    }
}
