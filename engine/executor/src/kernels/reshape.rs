//! Another shape for the same numbers. What does not lie in one piece, as turned heads of attention do, is copied for it on
//! all cores, forward and back.

use super::contiguous;
use burn::{
    backend::{
        Autodiff, Backend, Dispatch, Flex, TensorMetadata,
        autodiff::{
            checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
            grads::Gradients,
            ops::{Backward, Ops, OpsKind},
        },
        backend_extension,
        ops::FloatTensorOps,
        tensor::FloatTensor,
    },
    tensor::{Shape, Tensor as Burn},
};

#[backend_extension(Autodiff, Flex, Cube: cfg(any(feature = "wgpu", feature = "cuda")))]
pub(in super::super) trait OnReshape: Backend {
    /// The numbers in this shape.
    fn reshaped(x: FloatTensor<Self>, shape: Shape) -> FloatTensor<Self> {
        Self::float_reshape(x, shape)
    }
}

pub(in super::super) fn reshape<const D: usize, const E: usize>(x: Burn<D>, shape: [usize; E]) -> Burn<E> {
    Burn::from_dispatch(Dispatch::reshaped(x.into_dispatch(), shape.into()))
}

impl OnReshape for Flex {
    fn reshaped(x: FloatTensor<Self>, shape: Shape) -> FloatTensor<Self> {
        Self::float_reshape(if x.is_contiguous() { x } else { contiguous(x) }, shape)
    }
}

#[cfg(feature = "wgpu")]
impl OnReshape for burn::backend::Wgpu {}
#[cfg(all(feature = "cuda", not(feature = "wgpu")))]
impl OnReshape for burn::backend::Cuda {}

impl<B: OnReshape, C: CheckpointStrategy> OnReshape for Autodiff<B, C> {
    fn reshaped(x: FloatTensor<Self>, shape: Shape) -> FloatTensor<Self> {
        let (x, node) = x.into_parts();
        let before = x.shape();
        let y = B::reshaped(x, shape);
        match Reshaped.prepare::<C>([node]).compute_bound().stateful() {
            OpsKind::Tracked(step) => step.finish(before, y),
            OpsKind::UnTracked(step) => step.finish(y),
        }
    }
}

#[derive(Debug)]
struct Reshaped;

impl<B: OnReshape> Backward<B, 1> for Reshaped {
    type State = Shape;

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = grads.consume::<B>(&ops.node);
        let [Some(parent)] = ops.parents else { return };
        grads.register::<B>(parent.id, B::reshaped(grad, ops.state));
    }
}

#[cfg(test)]
mod tests {
    use crate::test::{differentiates, floats, run};
    use framework_core::Op;

    #[test]
    fn turned_tensors_are_reshaped_and_differentiated() {
        differentiates("reshape", &[floats(&[2, 3, 4], 1)], |inputs| {
            let x = run(Op::SwapDims { a: 1, b: 2 }, &[&inputs[0]]).unwrap();
            let x = run(Op::Reshape { shape: vec![2, -1].into() }, &[&x]).unwrap();
            let x = run(Op::Mul, &[&x, &x]).unwrap();
            let x = run(Op::Reshape { shape: vec![3, 2, 4].into() }, &[&x]).unwrap();
            run(Op::Sum { dim: -1 }, &[&run(Op::SwapDims { a: 0, b: 1 }, &[&x]).unwrap()]).unwrap()
        });
    }
}
