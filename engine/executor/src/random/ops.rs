//! Random factors on each backend.

use super::{BITS, Draw, FACTORS, Factor, Place, SHIFTS};
use crate::{kernels::contiguous, value::R};
use burn::{
    backend::{
        Autodiff, Backend, Dispatch, Flex, TensorMetadata,
        autodiff::{
            checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
            grads::Gradients,
            ops::{Backward, Ops, OpsKind},
        },
        backend_extension,
        tensor::{FloatTensor, IntTensor},
    },
    tensor::{Shape, Tensor as Burn},
};
use rayon::prelude::*;

/// Elements that one task multiplies.
const CHUNK: usize = 1 << 14;

#[backend_extension(Autodiff, Flex, Cube: cfg(any(feature = "wgpu", feature = "cuda")))]
pub(in super::super) trait OnRandom: Backend {
    /// `x` times its factors.
    fn multiplied(x: FloatTensor<Self>, draw: Draw, place: Place) -> FloatTensor<Self> {
        let factors = factors::<Self>(&x, draw, place);
        Self::float_mul(x, factors)
    }
}

pub(super) fn multiplied(x: Burn<R>, draw: Draw) -> Burn<R> {
    let whole = [1, x.dims().iter().product()];
    let place = Place { tile: whole, whole, first: [0, 0] };
    Burn::from_dispatch(Dispatch::multiplied(x.into_dispatch(), draw, place))
}

impl OnRandom for Flex {
    fn multiplied(x: FloatTensor<Self>, draw: Draw, place: Place) -> FloatTensor<Self> {
        let mut x = contiguous(x);
        if place.tile == place.whole {
            let data = x.storage_mut::<f32>().par_chunks_mut(CHUNK).enumerate();
            data.for_each(|(i, part)| scale(part, draw, i * CHUNK));
            return x;
        }
        let Place { tile: [rows, columns], whole, first } = place;
        x.storage_mut::<f32>().par_chunks_mut(columns.max(1)).enumerate().for_each(|(i, row)| {
            let (matrix, row_of) = (i / rows, i % rows + first[0]);
            scale(row, draw, (matrix * whole[0] + row_of) * whole[1] + first[1]);
        });
        x
    }
}

/// Multiplies numbers with their factors, from this place on.
pub(crate) fn scale(part: &mut [f32], draw: Draw, start: usize) {
    for (place, x) in (start as u32..).zip(part) {
        *x *= draw.at(place);
    }
}

#[cfg(feature = "wgpu")]
impl OnRandom for burn::backend::Wgpu {}
#[cfg(all(feature = "cuda", not(feature = "wgpu")))]
impl OnRandom for burn::backend::Cuda {}

impl<B: OnRandom, C: CheckpointStrategy> OnRandom for Autodiff<B, C> {
    fn multiplied(x: FloatTensor<Self>, draw: Draw, place: Place) -> FloatTensor<Self> {
        let (x, node) = x.into_parts();
        let y = B::multiplied(x, draw, place);
        match Multiplied.prepare::<C>([node]).compute_bound().stateful() {
            OpsKind::Tracked(step) => step.finish((draw, place), y),
            OpsKind::UnTracked(step) => step.finish(y),
        }
    }
}

/// The gradient is multiplied by the same factors.
#[derive(Debug)]
struct Multiplied;

impl<B: OnRandom> Backward<B, 1> for Multiplied {
    type State = (Draw, Place);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let (draw, place) = ops.state;
        let grad = grads.consume::<B>(&ops.node);
        let [parent] = ops.parents;
        if let Some(parent) = parent {
            grads.register::<B>(parent.id, B::multiplied(grad, draw, place));
        }
    }
}

/// [`Draw::at`] in a backend's operators, in the shape of `x`. Integers wrap around there.
pub(super) fn factors<B: Backend>(x: &FloatTensor<B>, draw: Draw, place: Place) -> FloatTensor<B> {
    let (shape, dtype) = (x.shape(), x.dtype().into());
    let int = |number: u32| i64::from(number as i32).into();
    let x = places::<B>(x, place);
    let x = mixed::<B>(B::int_add_scalar(x, int(draw.key[0])));
    let x = mixed::<B>(B::bitwise_xor_scalar(x, int(draw.key[1])));
    let numbers = shifted::<B>(x, 32 - BITS);
    let factors = match draw.factor {
        Factor::Drop { threshold, kept } => {
            let bools = burn::backend::get_or_init_device_settings::<B>(&numbers.device()).bool_dtype;
            let stays = B::int_greater_equal_elem(numbers, i64::from(threshold).into(), bools);
            B::float_mul_scalar(B::bool_into_float(stays, dtype), kept.into())
        }
        Factor::Uniform { least, unit } => {
            B::float_add_scalar(B::float_mul_scalar(B::int_into_float(numbers, dtype), unit.into()), least.into())
        }
    };
    B::float_reshape(factors, shape)
}

/// The place of each element `[matrices, rows, columns]`.
fn places<B: Backend>(x: &FloatTensor<B>, Place { tile: [rows, columns], whole, first }: Place) -> IntTensor<B> {
    let matrices = x.shape().num_elements() / (rows * columns).max(1);
    let dtype = burn::backend::get_or_init_device_settings::<B>(&x.device()).int_dtype;
    let full = Shape::from([matrices, rows, columns]);
    let along = |dims: [usize; 3], start: usize, step: usize| {
        let n = dims.iter().product::<usize>() as i64;
        let steps = B::int_arange(start as i64..start as i64 + n, &x.device(), dtype);
        let steps = B::int_mul_scalar(B::int_reshape(steps, Shape::from(dims)), (step as i64).into());
        B::int_expand(steps, full.clone())
    };
    let columns_of = along([1, 1, columns], first[1], 1);
    if matrices * rows == 1 {
        return columns_of;
    }
    let rows_of = B::int_add(along([1, rows, 1], first[0], whole[1]), columns_of);
    B::int_add(along([matrices, 1, 1], 0, whole[0] * whole[1]), rows_of)
}

fn mixed<B: Backend>(mut x: IntTensor<B>) -> IntTensor<B> {
    for (shift, factor) in SHIFTS.into_iter().zip(FACTORS.map(Some).into_iter().chain([None])) {
        x = B::bitwise_xor(x.clone(), shifted::<B>(x, shift));
        if let Some(factor) = factor {
            x = B::int_mul_scalar(x, i64::from(factor as i32).into());
        }
    }
    x
}

/// Integers are signed: what a shift brings in from above is masked out.
fn shifted<B: Backend>(x: IntTensor<B>, by: u32) -> IntTensor<B> {
    B::bitwise_and_scalar(B::bitwise_right_shift_scalar(x, i64::from(by).into()), ((1i64 << (32 - by)) - 1).into())
}
