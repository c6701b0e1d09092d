//! Products of two matrices, in narrower numbers where they are asked for, with a way back in the same. What is kept for it are
//! the operands.

use super::{
    exact::OnExact,
    matrix::Matrix,
    multiply::{pays, product},
};
use crate::precision::{Half, product_on};
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
    tensor::{Tensor as Burn, TensorData},
};

#[backend_extension(Autodiff, Flex, Cube: cfg(any(feature = "wgpu", feature = "cuda")))]
pub(in super::super) trait OnProduct: OnExact {
    /// `a · b` for matrices of 32-bit numbers.
    fn product(a: FloatTensor<Self>, b: FloatTensor<Self>, half: Half) -> FloatTensor<Self> {
        product_on::<Self>(a, b, half)
    }

    /// `a · wᵀ`, whose way back gives the gradient of `w` in its own order.
    fn projected(a: FloatTensor<Self>, w: FloatTensor<Self>, half: Half) -> FloatTensor<Self> {
        Self::product(a, Self::float_transpose(w), half)
    }
}

/// `a · b`, for 32-bit numbers and to such.
pub(in super::super) fn of_matrices(a: Burn<2>, b: Burn<2>, half: Half) -> Burn<2> {
    Burn::from_dispatch(Dispatch::product(a.into_dispatch(), b.into_dispatch(), half))
}

/// `a · wᵀ`, in the same way.
pub(in super::super) fn of_rows(a: Burn<2>, w: Burn<2>, half: Half) -> Burn<2> {
    Burn::from_dispatch(Dispatch::projected(a.into_dispatch(), w.into_dispatch(), half))
}

/// A matrix and whether it is turned: where it lies, if it does so in one piece.
fn whole(x: FloatTensor<Flex>) -> (FloatTensor<Flex>, bool) {
    let turned = x.layout().strides() == [1, x.shape()[0] as isize];
    let x = if turned { Flex::float_transpose(x) } else { x };
    (x.to_contiguous(), turned)
}

fn matrix((x, turned): &(FloatTensor<Flex>, bool)) -> Matrix<'_> {
    let matrix = Matrix::new(x.as_slice::<f32>().expect("32-bit numbers"), x.shape()[0], x.shape()[1]);
    if *turned { matrix.transposed() } else { matrix }
}

impl OnProduct for Flex {
    fn product(a: FloatTensor<Self>, b: FloatTensor<Self>, half: Half) -> FloatTensor<Self> {
        let (a, b) = (whole(a), whole(b));
        let (a, b) = (matrix(&a), matrix(&b));
        let [rows, columns] = [a.dims()[0], b.dims()[1]];
        let half = half.filter(|_| pays(half, [rows, columns]));
        Self::float_from_data(TensorData::new(product(a, b, half), [rows, columns]), &Default::default())
    }
}

#[cfg(feature = "wgpu")]
impl OnProduct for burn::backend::Wgpu {}
#[cfg(all(feature = "cuda", not(feature = "wgpu")))]
impl OnProduct for burn::backend::Cuda {}

impl<B: OnProduct, C: CheckpointStrategy> OnProduct for Autodiff<B, C> {
    fn product(a: FloatTensor<Self>, b: FloatTensor<Self>, half: Half) -> FloatTensor<Self> {
        recorded::<B, C>(a, b, half, B::product)
    }

    fn projected(a: FloatTensor<Self>, w: FloatTensor<Self>, half: Half) -> FloatTensor<Self> {
        let ((a, of_a), (w, of_w)) = (a.into_parts(), w.into_parts());
        let y = B::projected(a.clone(), w.clone(), half);
        match Projection.prepare::<C>([of_a, of_w]).compute_bound().stateful() {
            OpsKind::Tracked(step) => step.finish((a, w, half), y),
            OpsKind::UnTracked(step) => step.finish(y),
        }
    }
}

/// How a backend multiplies matrices, or stacks of as many on both sides.
type Multiply<B> = fn(FloatTensor<B>, FloatTensor<B>, Half) -> FloatTensor<B>;

/// `a · b`, with a way back that multiplies in the same way.
pub(super) fn recorded<B: Backend, C: CheckpointStrategy>(
    a: FloatTensor<Autodiff<B, C>>,
    b: FloatTensor<Autodiff<B, C>>,
    half: Half,
    multiply: Multiply<B>,
) -> FloatTensor<Autodiff<B, C>> {
    let ((a, of_a), (b, of_b)) = (a.into_parts(), b.into_parts());
    let y = multiply(a.clone(), b.clone(), half);
    match Product.prepare::<C>([of_a, of_b]).compute_bound().stateful() {
        OpsKind::Tracked(step) => step.finish((a, b, half, multiply), y),
        OpsKind::UnTracked(step) => step.finish(y),
    }
}

/// `da = g · bᵀ`, `db = aᵀ · g`.
#[derive(Debug)]
struct Product;

impl<B: Backend> Backward<B, 2> for Product {
    type State = (FloatTensor<B>, FloatTensor<B>, Half, Multiply<B>);

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let (a, b, half, multiply) = ops.state;
        let grad = grads.consume::<B>(&ops.node);
        let [of_a, of_b] = ops.parents;
        if let Some(parent) = of_a {
            grads.register::<B>(parent.id, multiply(grad.clone(), B::float_transpose(b), half));
        }
        if let Some(parent) = of_b {
            grads.register::<B>(parent.id, multiply(B::float_transpose(a), grad, half));
        }
    }
}

/// `da = g · w`, `dw = gᵀ · a`.
#[derive(Debug)]
struct Projection;

impl<B: OnProduct> Backward<B, 2> for Projection {
    type State = (FloatTensor<B>, FloatTensor<B>, Half);

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let (a, w, half) = ops.state;
        let grad = grads.consume::<B>(&ops.node);
        let [of_a, of_w] = ops.parents;
        if let Some(parent) = of_a {
            grads.register::<B>(parent.id, B::product(grad.clone(), w, half));
        }
        if let Some(parent) = of_w {
            grads.register::<B>(parent.id, B::product(B::float_transpose(grad), a, half));
        }
    }
}
