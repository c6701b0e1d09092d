//! Rotary position embedding (Su et al., 2021, arXiv:2104.09864): pairs of numbers are turned by angles. The way back turns
//! them by the same angles the other way.

use super::{ELEMENTS, Loop, contiguous, vectorised};
use crate::value::R;
use burn::{
    backend::{
        Autodiff, AutodiffBackend, Backend, Dispatch, Flex, TensorMetadata,
        autodiff::{
            checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
            grads::Gradients,
            ops::{Backward, Ops, OpsKind},
        },
        backend_extension,
        ops::FloatTensorOps,
        tensor::FloatTensor,
    },
    tensor::{Shape, Slice, Tensor as Burn, TensorData},
};
use rayon::prelude::*;

#[backend_extension(Autodiff, Flex, Cube: cfg(any(feature = "wgpu", feature = "cuda")))]
pub(in super::super) trait OnRotary: Backend {
    /// `x` `[1, n, heads, time, size]` turned by angles of which `cos` and `sin` are `[1, n or 1, 1, time, pairs]`: the first
    /// `2 · pairs` numbers of a row, neighbours if they are interleaved, else those of two halves.
    fn rotated(
        x: FloatTensor<Self>,
        cos: FloatTensor<Self>,
        sin: FloatTensor<Self>,
        interleaved: bool,
    ) -> FloatTensor<Self> {
        turned::<Self>(x, cos, sin, interleaved)
    }
}

/// [`OnRotary::rotated`] in a backend's operators.
fn turned<B: Backend>(
    x: FloatTensor<B>,
    cos: FloatTensor<B>,
    sin: FloatTensor<B>,
    interleaved: bool,
) -> FloatTensor<B> {
    let (shape, pairs) = (x.shape(), cos.shape()[4]);
    let [n, h, time, size] = [1, 2, 3, 4].map(|i| shape[i]);
    let part = |x: &FloatTensor<B>, dim: usize, from: usize, to: usize| {
        let shape = x.shape();
        let slices: Vec<Slice> =
            (0..shape.num_dims()).map(|d| if d == dim { from..to } else { 0..shape[d] }.into()).collect();
        B::float_slice(x.clone(), &slices)
    };
    let (a, b) = if interleaved {
        let numbers = B::float_reshape(part(&x, 4, 0, 2 * pairs), Shape::from([n, h, time, pairs, 2]));
        let column = |i| B::float_reshape(part(&numbers, 4, i, i + 1), Shape::from([1, n, h, time, pairs]));
        (column(0), column(1))
    } else {
        (part(&x, 4, 0, pairs), part(&x, 4, pairs, 2 * pairs))
    };
    let times = |x: &FloatTensor<B>, y: &FloatTensor<B>| B::float_mul(x.clone(), y.clone());
    let first = B::float_sub(times(&a, &cos), times(&b, &sin));
    let second = B::float_add(times(&b, &cos), times(&a, &sin));
    let mut parts = if interleaved {
        let column = |x| B::float_reshape(x, Shape::from([n, h, time, pairs, 1]));
        let joined = B::float_cat(vec![column(first), column(second)], 4);
        vec![B::float_reshape(joined, Shape::from([1, n, h, time, 2 * pairs]))]
    } else {
        vec![first, second]
    };
    if 2 * pairs < size {
        parts.push(part(&x, 4, 2 * pairs, size));
    }
    B::float_cat(parts, 4)
}

pub(in super::super) fn rotated(x: Burn<R>, cos: Burn<R>, sin: Burn<R>, interleaved: bool) -> Burn<R> {
    let (cos, sin) = (cos.into_dispatch(), sin.into_dispatch());
    Burn::from_dispatch(Dispatch::rotated(x.into_dispatch(), cos, sin, interleaved))
}

/// The heads of a token.
struct Token<'a> {
    x: &'a [f32],
    /// How far apart heads are in `x`.
    stride: usize,
    size: usize,
    cos: &'a [f32],
    sin: &'a [f32],
    interleaved: bool,
    out: &'a mut [f32],
}

impl Loop for Token<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { x, stride, size, cos, sin, interleaved, out } = self;
        let pairs = cos.len();
        for (i, out) in out.chunks_exact_mut(size).enumerate() {
            let x = &x[i * stride..][..size];
            out[2 * pairs..].copy_from_slice(&x[2 * pairs..]);
            let angles = cos.iter().zip(sin);
            if interleaved {
                let both = out.as_chunks_mut::<2>().0.iter_mut().zip(x.as_chunks::<2>().0);
                both.zip(angles).for_each(|((out, [a, b]), (cos, sin))| *out = [a * cos - b * sin, b * cos + a * sin]);
            } else {
                let (firsts, rest) = out.split_at_mut(pairs);
                let both = firsts.iter_mut().zip(rest).zip(x.iter().zip(&x[pairs..]));
                both.zip(angles).for_each(|(((first, second), (a, b)), (cos, sin))| {
                    (*first, *second) = (a * cos - b * sin, b * cos + a * sin);
                });
            }
        }
    }
}

impl OnRotary for Flex {
    /// The result lies in memory as `[n, time, heads, size]`, as projections do.
    fn rotated(
        x: FloatTensor<Self>,
        cos: FloatTensor<Self>,
        sin: FloatTensor<Self>,
        interleaved: bool,
    ) -> FloatTensor<Self> {
        let strides = x.layout().strides();
        let x = if strides.iter().all(|s| *s >= 0) && strides[4] == 1 { x } else { x.to_contiguous() };
        let (cos, sin) = (contiguous(cos), contiguous(sin));
        let (shape, strides) = (x.shape(), x.layout().strides());
        let ([n, heads, time, size], [of_n, of_head, of_time]) =
            ([1, 2, 3, 4].map(|i| shape[i]), [1, 2, 3].map(|i| strides[i] as usize));
        let numbers = &x.storage::<f32>()[x.layout().start_offset()..];
        let (rows, pairs) = (cos.shape()[1], cos.shape()[4]);
        let [cos, sin] = [&cos, &sin].map(|x| x.as_slice::<f32>().expect("32-bit numbers"));
        let mut out = vec![0.0; n * time * heads * size];
        let tokens = out.par_chunks_mut((heads * size).max(1)).enumerate();
        tokens.with_min_len((ELEMENTS / (heads * size).max(1)).max(1)).for_each(|(i, out)| {
            let (row, at) = (i / time, i % time);
            let angles = (if rows == 1 { at } else { i }) * pairs..;
            let [cos, sin] = [cos, sin].map(|x| &x[angles.clone()][..pairs]);
            let x = &numbers[row * of_n + at * of_time..];
            vectorised(Token { x, stride: of_head, size, cos, sin, interleaved, out });
        });
        let data = TensorData::new(out, [1, n, time, heads, size]);
        Flex::float_swap_dims(Flex::float_from_data(data, &Default::default()), 2, 3)
    }
}

#[cfg(feature = "wgpu")]
impl OnRotary for burn::backend::Wgpu {}
#[cfg(all(feature = "cuda", not(feature = "wgpu")))]
impl OnRotary for burn::backend::Cuda {}

impl<B: OnRotary, C: CheckpointStrategy> OnRotary for Autodiff<B, C> {
    fn rotated(
        x: FloatTensor<Self>,
        cos: FloatTensor<Self>,
        sin: FloatTensor<Self>,
        interleaved: bool,
    ) -> FloatTensor<Self> {
        let ((x, node), cos, sin) = (x.into_parts(), Self::inner(cos), Self::inner(sin));
        let y = B::rotated(x, cos.clone(), sin.clone(), interleaved);
        match Rotated.prepare::<C>([node]).compute_bound().stateful() {
            OpsKind::Tracked(step) => step.finish((cos, sin, interleaved), y),
            OpsKind::UnTracked(step) => step.finish(y),
        }
    }
}

#[derive(Debug)]
struct Rotated;

impl<B: OnRotary> Backward<B, 1> for Rotated {
    type State = (FloatTensor<B>, FloatTensor<B>, bool);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let (cos, sin, interleaved) = ops.state;
        let grad = grads.consume::<B>(&ops.node);
        let [parent] = ops.parents;
        if let Some(parent) = parent {
            grads.register::<B>(parent.id, B::rotated(grad, cos, B::float_neg(sin), interleaved));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Device, Value,
        test::{close, differentiates, floats, random},
    };
    use framework_core::ffi::HostTensor;

    /// Rows of their own positions or of the same ones, heads behind tokens, and numbers that are not turned.
    #[test]
    fn native_and_portable_code_agree() {
        for (interleaved, rows, size) in [(false, 1, 6), (true, 2, 6), (false, 2, 7), (true, 1, 9)] {
            let tensor = |dims: [usize; 5], seed| {
                let data = TensorData::new(random(dims.iter().product(), seed), dims);
                Flex::float_from_data(data, &Default::default())
            };
            let (cos, sin) = (tensor([1, rows, 1, 5, 3], 2), tensor([1, rows, 1, 5, 3], 3));
            let numbers = |x: FloatTensor<Flex>| contiguous(x).as_slice::<f32>().unwrap().to_vec();
            let behind = Flex::float_swap_dims(tensor([1, 2, 5, 4, size], 1), 2, 3);
            for x in [tensor([1, 2, 4, 5, size], 1), behind] {
                let found = Flex::rotated(x.clone(), cos.clone(), sin.clone(), interleaved);
                let expected = turned::<Flex>(x, cos.clone(), sin.clone(), interleaved);
                close(&numbers(found), &numbers(expected), 1e-6);
            }
        }
    }

    #[test]
    fn is_differentiated() {
        let device = Device::cpu().burn;
        let angles = |seed: u64| Burn::<R>::from_data(TensorData::new(random(5 * 2, seed), [1, 1, 1, 5, 2]), &device);
        for interleaved in [false, true] {
            differentiates("rotary", &[floats(&[2, 3, 5, 6], 1)], |inputs| {
                let x = inputs[0].clone().into_float().unwrap();
                let (mut cos, mut sin) = (angles(2), angles(3));
                if x.is_autodiff() {
                    (cos, sin) = (cos.autodiff(), sin.autodiff());
                }
                let out = Value::float(rotated(x, cos, sin, interleaved), 4);
                assert_eq!(out.shape(), [2, 3, 5, 6]);
                out
            });
        }
    }
}
