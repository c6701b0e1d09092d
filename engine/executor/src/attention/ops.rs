//! Attention on each backend.

use super::{Scores, Tile, few, heads, native, tiles};
use crate::{kernels::exact::OnExact, random::OnRandom, value::R};
use burn::{
    backend::{
        Autodiff, Backend, Dispatch, Flex, TensorMetadata,
        autodiff::{
            checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
            grads::Gradients,
            ops::{Backward, Ops, OpsKind},
        },
        backend_extension,
        tensor::{BoolTensor, FloatTensor, IntTensor},
    },
    tensor::{Int, Shape, Slice, Tensor as Burn},
};

/// The score of a key that is not seen.
const HIDDEN: f32 = -1e30;

#[backend_extension(Autodiff, Flex, Cube: cfg(any(feature = "wgpu", feature = "cuda")))]
pub(in super::super) trait OnAttention: OnRandom + OnExact {
    /// Queries `[1, batch, heads, time, size]`, keys and values `[1, batch, kv heads, all, size]`, spans
    /// `[batch or 1, 3, time]`.
    fn attend(
        q: FloatTensor<Self>,
        k: FloatTensor<Self>,
        v: FloatTensor<Self>,
        spans: IntTensor<Self>,
        how: Scores,
    ) -> FloatTensor<Self> {
        tiles::attend::<Self>(q, k, v, spans, how)
    }

    /// The gradients of queries, keys and values, for that of the result.
    fn attend_back(
        q: FloatTensor<Self>,
        k: FloatTensor<Self>,
        v: FloatTensor<Self>,
        spans: IntTensor<Self>,
        how: Scores,
        grad: FloatTensor<Self>,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        let [q, k, v] = tiles::back::<Self>([q, k, v], spans, how, grad);
        (q, k, v)
    }

    /// Softmax over the keys that each query sees, for scores `[batch, kv heads, group · count, keys]`.
    fn tile_weights(scores: FloatTensor<Self>, spans: IntTensor<Self>, how: Scores, tile: Tile) -> FloatTensor<Self> {
        softmax::<Self>(scores, spans, how, tile)
    }

    /// The gradient of a tile's scores, for that of its weights; scores are looked at only if there is a softcap.
    fn tile_slopes(
        weights: FloatTensor<Self>,
        slopes: FloatTensor<Self>,
        scores: FloatTensor<Self>,
        how: Scores,
    ) -> FloatTensor<Self> {
        self::slopes::<Self>(weights, slopes, scores, how)
    }
}

pub(super) fn attend(q: Burn<R>, k: Burn<R>, v: Burn<R>, spans: Burn<3, Int>, how: Scores) -> Burn<R> {
    let [q, k, v] = [q, k, v].map(Burn::into_dispatch);
    Burn::from_dispatch(Dispatch::attend(q, k, v, spans.into_dispatch(), how))
}

impl OnAttention for Flex {
    fn attend(
        q: FloatTensor<Self>,
        k: FloatTensor<Self>,
        v: FloatTensor<Self>,
        spans: IntTensor<Self>,
        how: Scores,
    ) -> FloatTensor<Self> {
        match how.budget {
            Some(_) => tiles::attend::<Self>(q, k, v, spans, how),
            None if how.reach.offset > 0 && q.shape()[3] <= few::FEW && how.drop.is_none() => {
                few::attend(q, k, v, spans, how)
            }
            None => heads::attend(q, k, v, spans, how),
        }
    }

    fn attend_back(
        q: FloatTensor<Self>,
        k: FloatTensor<Self>,
        v: FloatTensor<Self>,
        spans: IntTensor<Self>,
        how: Scores,
        grad: FloatTensor<Self>,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        let [q, k, v] = match how.budget {
            Some(_) => tiles::back::<Self>([q, k, v], spans, how, grad),
            None => heads::back([q, k, v], spans, how, grad),
        };
        (q, k, v)
    }

    fn tile_weights(scores: FloatTensor<Self>, spans: IntTensor<Self>, how: Scores, tile: Tile) -> FloatTensor<Self> {
        native::weights(scores, &spans, &how, tile)
    }

    fn tile_slopes(
        weights: FloatTensor<Self>,
        slopes: FloatTensor<Self>,
        scores: FloatTensor<Self>,
        how: Scores,
    ) -> FloatTensor<Self> {
        native::slopes(weights, slopes, scores, &how)
    }
}

#[cfg(feature = "wgpu")]
impl OnAttention for burn::backend::Wgpu {}
#[cfg(all(feature = "cuda", not(feature = "wgpu")))]
impl OnAttention for burn::backend::Cuda {}

impl<B: OnAttention, C: CheckpointStrategy> OnAttention for Autodiff<B, C> {
    fn attend(
        q: FloatTensor<Self>,
        k: FloatTensor<Self>,
        v: FloatTensor<Self>,
        spans: IntTensor<Self>,
        how: Scores,
    ) -> FloatTensor<Self> {
        let ((q, of_q), (k, of_k), (v, of_v)) = (q.into_parts(), k.into_parts(), v.into_parts());
        let out = B::attend(q.clone(), k.clone(), v.clone(), spans.clone(), how);
        match Attended.prepare::<C>([of_q, of_k, of_v]).compute_bound().stateful() {
            OpsKind::Tracked(step) => step.finish(([q, k, v], spans, how), out),
            OpsKind::UnTracked(step) => step.finish(out),
        }
    }
}

/// The way back through an attention, for which its weights are computed again.
#[derive(Debug)]
struct Attended;

impl<B: OnAttention> Backward<B, 3> for Attended {
    type State = ([FloatTensor<B>; 3], IntTensor<B>, Scores);

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let ([q, k, v], spans, how) = ops.state;
        let grad = grads.consume::<B>(&ops.node);
        let (q, k, v) = B::attend_back(q, k, v, spans, how, grad);
        for (parent, grad) in ops.parents.into_iter().zip([q, k, v]) {
            if let Some(parent) = parent {
                grads.register::<B>(parent.id, grad);
            }
        }
    }
}

/// [`native::weights`] in a backend's operators.
pub(super) fn softmax<B: Backend>(
    scores: FloatTensor<B>,
    spans: IntTensor<B>,
    how: Scores,
    tile: Tile,
) -> FloatTensor<B> {
    let scores = match how.softcap {
        None => scores,
        Some(cap) => B::float_mul_scalar(B::float_tanh(B::float_div_scalar(scores, cap.into())), cap.into()),
    };
    let shape = scores.shape();
    let (rows, count) = (spans.shape()[0], tile.query.1);
    let full = Shape::from([shape[0], shape[1] * shape[2] / count, count, tile.key.1]);
    let hidden = hidden::<B>(spans, how.reach.prefix, tile);
    let hidden = B::bool_reshape(hidden, Shape::from([rows, 1, count, tile.key.1]));
    let hidden = B::bool_expand(hidden, full.clone());
    let scores = B::float_mask_fill(B::float_reshape(scores, full), hidden, HIDDEN.into());
    B::float_reshape(B::softmax(scores, 3), shape)
}

/// [`native::slopes`] in a backend's operators.
pub(super) fn slopes<B: Backend>(
    weights: FloatTensor<B>,
    slopes: FloatTensor<B>,
    scores: FloatTensor<B>,
    how: Scores,
) -> FloatTensor<B> {
    let sum = B::float_sum_dim(B::float_mul(weights.clone(), slopes.clone()), 3);
    let slopes = B::float_mul(weights, B::float_sub(slopes, sum));
    let Some(cap) = how.softcap else { return slopes };
    let tanh = B::float_tanh(B::float_div_scalar(scores, cap.into()));
    let slope = B::float_neg(B::float_mul(tanh.clone(), tanh));
    B::float_mul(slopes, B::float_add_scalar(slope, 1.0f32.into()))
}

/// Which keys of a tile each query does not see `[rows, queries, keys]`.
fn hidden<B: Backend>(spans: IntTensor<B>, prefix: usize, tile: Tile) -> BoolTensor<B> {
    let ((start, count), (from, keys)) = (tile.query, tile.key);
    let device = spans.device();
    let settings = burn::backend::get_or_init_device_settings::<B>(&device);
    let rows = spans.shape()[0];
    let full = Shape::from([rows, count, keys]);
    let span = |i: usize| {
        let slices = [Slice::from(0..rows), (i..i + 1).into(), (start..start + count).into()];
        let numbers = B::int_reshape(B::int_slice(spans.clone(), &slices), Shape::from([rows, count, 1]));
        B::int_expand(numbers, full.clone())
    };
    // Keys are counted from the end of the prefix.
    let first = from as i64 - prefix as i64;
    let key = B::int_arange(first..first + keys as i64, &device, settings.int_dtype);
    let key = B::int_expand(B::int_reshape(key, Shape::from([1, 1, keys])), full.clone());
    let own = B::bool_or(
        B::int_lower(key.clone(), span(1), settings.bool_dtype),
        B::int_greater_equal(key.clone(), span(2), settings.bool_dtype),
    );
    if prefix == 0 {
        return own;
    }
    let of_prefix = B::int_lower_elem(key.clone(), 0i64.into(), settings.bool_dtype);
    let far = B::int_lower(B::int_add_scalar(key, (prefix as i64).into()), span(0), settings.bool_dtype);
    // Keys of the prefix lie before every span of their own sequence.
    B::bool_and(own, B::bool_or(B::bool_not(of_prefix), far))
}
