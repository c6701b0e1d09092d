//! Activations, alone and times a gate: `act(x)` and `act(x) · up`. What is kept for the way back are the operands.

mod native;
#[cfg(test)]
mod tests;

use super::curves;
use burn::{
    backend::{
        Autodiff, Backend, Dispatch, TensorMetadata,
        autodiff::{
            checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
            grads::Gradients,
            ops::{Backward, Ops, OpsKind},
        },
        backend_extension,
        tensor::FloatTensor,
    },
    tensor::Tensor as Burn,
};
use std::f32::consts::FRAC_1_SQRT_2;

/// An activation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Curve {
    Relu,
    /// By the error function (Hendrycks and Gimpel, 2016, arXiv:1606.08415).
    Gelu,
    /// The same by the hyperbolic tangent.
    GeluTanh,
    /// `x · sigmoid(x)` (Elfwing et al., 2017, arXiv:1702.03118).
    Silu,
}

/// `sqrt(2 / π)`, and the factor of the cube, of [`Curve::GeluTanh`].
const TANH: f32 = 0.797_884_6;
const CUBE: f32 = 0.044_715;
/// `1 / sqrt(2π)`.
const DENSITY: f32 = 0.398_942_3;

impl Curve {
    #[inline(always)]
    fn at(self, x: f32) -> f32 {
        match self {
            Curve::Relu => x.max(0.0),
            Curve::Gelu => 0.5 * x * (1.0 + curves::erf(x * FRAC_1_SQRT_2)),
            Curve::GeluTanh => 0.5 * x * (1.0 + curves::tanh(TANH * (x + CUBE * x * x * x))),
            Curve::Silu => x * curves::sigmoid(x),
        }
    }

    #[inline(always)]
    fn slope(self, x: f32) -> f32 {
        match self {
            Curve::Relu => f32::from(u8::from(x > 0.0)),
            Curve::Gelu => {
                let density = DENSITY * super::exp::exp(-0.5 * x * x);
                0.5 * (1.0 + curves::erf(x * FRAC_1_SQRT_2)) + x * density
            }
            Curve::GeluTanh => {
                let tanh = curves::tanh(TANH * (x + CUBE * x * x * x));
                0.5 * (1.0 + tanh) + 0.5 * x * (1.0 - tanh * tanh) * TANH * (1.0 + 3.0 * CUBE * x * x)
            }
            Curve::Silu => {
                let sigmoid = curves::sigmoid(x);
                sigmoid * (1.0 + x * (1.0 - sigmoid))
            }
        }
    }

    /// [`Curve::at`] for a whole tensor, in a backend's operators.
    fn values<B: Backend>(self, x: FloatTensor<B>) -> FloatTensor<B> {
        match self {
            Curve::Relu => B::relu(x),
            Curve::Gelu => B::gelu(x),
            Curve::GeluTanh => {
                let inner = Self::inner::<B>(x.clone());
                B::float_mul(x, B::float_mul_scalar(B::float_add_scalar(inner, 1f32.into()), 0.5f32.into()))
            }
            Curve::Silu => B::float_mul(x.clone(), B::sigmoid(x)),
        }
    }

    /// `tanh(√(2/π) · (x + 0.044715 x³))`.
    fn inner<B: Backend>(x: FloatTensor<B>) -> FloatTensor<B> {
        let square = B::float_mul(x.clone(), x.clone());
        let share = B::float_add_scalar(B::float_mul_scalar(square, CUBE.into()), 1f32.into());
        B::float_tanh(B::float_mul_scalar(B::float_mul(x, share), TANH.into()))
    }

    /// [`Curve::slope`] for a whole tensor.
    fn slopes<B: Backend>(self, x: FloatTensor<B>) -> FloatTensor<B> {
        let plus = |x, number: f32| B::float_add_scalar(x, number.into());
        let times = |x, number: f32| B::float_mul_scalar(x, number.into());
        match self {
            Curve::Relu => {
                let bools = burn::backend::get_or_init_device_settings::<B>(&x.device()).bool_dtype;
                let dtype = x.dtype().into();
                B::bool_into_float(B::float_greater_elem(x, 0f32.into(), bools), dtype)
            }
            Curve::Gelu => {
                let square = B::float_mul(x.clone(), x.clone());
                let density = times(B::float_exp(times(square, -0.5)), DENSITY);
                let share = times(plus(B::float_erf(times(x.clone(), FRAC_1_SQRT_2)), 1.0), 0.5);
                B::float_add(share, B::float_mul(x, density))
            }
            Curve::GeluTanh => {
                let tanh = Self::inner::<B>(x.clone());
                let square = B::float_mul(x.clone(), x.clone());
                let rest = plus(B::float_neg(B::float_mul(tanh.clone(), tanh.clone())), 1.0);
                let outer = times(plus(times(square, 3.0 * CUBE), 1.0), 0.5 * TANH);
                B::float_add(times(plus(tanh, 1.0), 0.5), B::float_mul(B::float_mul(x, rest), outer))
            }
            Curve::Silu => {
                let sigmoid = B::sigmoid(x.clone());
                let rest = plus(B::float_neg(sigmoid.clone()), 1.0);
                B::float_mul(sigmoid, plus(B::float_mul(x, rest), 1.0))
            }
        }
    }
}

#[backend_extension(Autodiff, Flex, Cube: cfg(any(feature = "wgpu", feature = "cuda")))]
pub(in super::super) trait OnActivation: Backend {
    /// `act(x)`.
    fn activated(x: FloatTensor<Self>, curve: Curve) -> FloatTensor<Self> {
        curve.values::<Self>(x)
    }

    /// `act'(x) · g`.
    fn activated_back(x: FloatTensor<Self>, g: FloatTensor<Self>, curve: Curve) -> FloatTensor<Self> {
        Self::float_mul(curve.slopes::<Self>(x), g)
    }

    /// The gradients of `x` and `up` through [`OnActivation::gated`]: `act'(x) · up · g` and `act(x) · g`.
    fn gated_back(
        x: FloatTensor<Self>,
        up: FloatTensor<Self>,
        g: FloatTensor<Self>,
        curve: Curve,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        (Self::activated_back(x.clone(), Self::float_mul(up, g.clone()), curve), Self::gated(x, g, curve))
    }

    /// `act(x) · up`, for operands of one shape.
    fn gated(x: FloatTensor<Self>, up: FloatTensor<Self>, curve: Curve) -> FloatTensor<Self> {
        Self::float_mul(curve.values::<Self>(x), up)
    }
}

pub(in super::super) fn activated<const D: usize>(x: Burn<D>, curve: Curve) -> Burn<D> {
    Burn::from_dispatch(Dispatch::activated(x.into_dispatch(), curve))
}

pub(in super::super) fn gated<const D: usize>(x: Burn<D>, up: Burn<D>, curve: Curve) -> Burn<D> {
    Burn::from_dispatch(Dispatch::gated(x.into_dispatch(), up.into_dispatch(), curve))
}

#[cfg(feature = "wgpu")]
impl OnActivation for burn::backend::Wgpu {}
#[cfg(all(feature = "cuda", not(feature = "wgpu")))]
impl OnActivation for burn::backend::Cuda {}

impl<B: OnActivation, C: CheckpointStrategy> OnActivation for Autodiff<B, C> {
    fn activated(x: FloatTensor<Self>, curve: Curve) -> FloatTensor<Self> {
        let (x, node) = x.into_parts();
        let y = B::activated(x.clone(), curve);
        match Activated.prepare::<C>([node]).compute_bound().stateful() {
            OpsKind::Tracked(step) => step.finish((x, curve), y),
            OpsKind::UnTracked(step) => step.finish(y),
        }
    }

    fn gated(x: FloatTensor<Self>, up: FloatTensor<Self>, curve: Curve) -> FloatTensor<Self> {
        let ((x, of_x), (up, of_up)) = (x.into_parts(), up.into_parts());
        let y = B::gated(x.clone(), up.clone(), curve);
        match Gated.prepare::<C>([of_x, of_up]).compute_bound().stateful() {
            OpsKind::Tracked(step) => step.finish((x, up, curve), y),
            OpsKind::UnTracked(step) => step.finish(y),
        }
    }
}

#[derive(Debug)]
struct Activated;

impl<B: OnActivation> Backward<B, 1> for Activated {
    type State = (FloatTensor<B>, Curve);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let (x, curve) = ops.state;
        let grad = grads.consume::<B>(&ops.node);
        let [parent] = ops.parents;
        if let Some(parent) = parent {
            grads.register::<B>(parent.id, B::activated_back(x, grad, curve));
        }
    }
}

#[derive(Debug)]
struct Gated;

impl<B: OnActivation> Backward<B, 2> for Gated {
    type State = (FloatTensor<B>, FloatTensor<B>, Curve);

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let (x, up, curve) = ops.state;
        let grad = grads.consume::<B>(&ops.node);
        let [of_x, of_up] = ops.parents;
        let (through_x, through_up) = B::gated_back(x, up, grad, curve);
        for (parent, through) in [(of_x, through_x), (of_up, through_up)] {
            if let Some(parent) = parent {
                grads.register::<B>(parent.id, through);
            }
        }
    }
}
