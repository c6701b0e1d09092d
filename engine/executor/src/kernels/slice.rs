//! Parts of a tensor, of which several are taken from one, as queries, keys and values are: on the way back they are put
//! into one gradient, instead of into one of zeros each.

use super::{ELEMENTS, contiguous};
use burn::{
    backend::{
        Autodiff, Backend, Dispatch, Flex, TensorMetadata,
        autodiff::{
            NodeId,
            checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
            grads::Gradients,
            ops::{Backward, Ops, OpsKind},
        },
        backend_extension,
        tensor::FloatTensor,
    },
    tensor::{Shape, Slice, Tensor as Burn},
};
use rayon::prelude::*;
use std::{
    collections::HashMap,
    ops::Range,
    sync::{
        Arc, LazyLock, Mutex, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
};

/// Which part of a tensor.
#[derive(Debug, Clone)]
pub(in super::super) struct Part {
    pub dim: usize,
    pub range: Range<usize>,
}

impl Part {
    fn slices(&self, shape: &Shape) -> Vec<Slice> {
        (0..shape.num_dims()).map(|d| if d == self.dim { self.range.clone() } else { 0..shape[d] }.into()).collect()
    }
}

#[backend_extension(Autodiff, Flex, Cube: cfg(any(feature = "wgpu", feature = "cuda")))]
pub(in super::super) trait OnSlice: Backend {
    /// The part.
    fn part(x: FloatTensor<Self>, part: Part) -> FloatTensor<Self> {
        let slices = part.slices(&x.shape());
        Self::float_slice(x, &slices)
    }

    /// Adds numbers to the part of a tensor.
    fn part_added(whole: FloatTensor<Self>, numbers: FloatTensor<Self>, part: Part) -> FloatTensor<Self> {
        let slices = part.slices(&whole.shape());
        let before = Self::float_slice(whole.clone(), &slices);
        Self::float_slice_assign(whole, &slices, Self::float_add(before, numbers))
    }
}

pub(in super::super) fn part<const D: usize>(x: Burn<D>, part: Part) -> Burn<D> {
    Burn::from_dispatch(Dispatch::part(x.into_dispatch(), part))
}

impl OnSlice for Flex {
    fn part_added(whole: FloatTensor<Self>, numbers: FloatTensor<Self>, part: Part) -> FloatTensor<Self> {
        let (shape, mut whole, numbers) = (whole.shape(), contiguous(whole), contiguous(numbers));
        let beside: usize = (part.dim + 1..shape.num_dims()).map(|d| shape[d]).product();
        let (row, place) = (shape[part.dim] * beside, part.range.start * beside..part.range.end * beside);
        if place.is_empty() || row == 0 {
            return whole;
        }
        let numbers = numbers.as_slice::<f32>().expect("32-bit numbers");
        let rows = whole.storage_mut::<f32>().par_chunks_mut(row).zip(numbers.par_chunks(place.len()));
        rows.with_min_len((ELEMENTS / place.len()).max(1)).for_each(|(row, numbers)| {
            row[place.clone()].iter_mut().zip(numbers).for_each(|(x, number)| *x += number);
        });
        whole
    }
}

#[cfg(feature = "wgpu")]
impl OnSlice for burn::backend::Wgpu {}
#[cfg(all(feature = "cuda", not(feature = "wgpu")))]
impl OnSlice for burn::backend::Cuda {}

/// Whether a part of a tensor has been put into its gradient, by the tensor's node.
static PUT: LazyLock<Mutex<HashMap<NodeId, Weak<AtomicBool>>>> = LazyLock::new(Mutex::default);

/// What the parts of a tensor share.
fn shared(node: NodeId) -> Arc<AtomicBool> {
    let mut all = PUT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = all.get(&node).and_then(Weak::upgrade) {
        return known;
    }
    if all.len() == all.capacity() {
        all.retain(|_, known| known.strong_count() > 0);
    }
    let new = Arc::new(AtomicBool::new(false));
    all.insert(node, Arc::downgrade(&new));
    new
}

impl<B: OnSlice, C: CheckpointStrategy> OnSlice for Autodiff<B, C> {
    fn part(x: FloatTensor<Self>, part: Part) -> FloatTensor<Self> {
        let (x, node) = x.into_parts();
        let (shape, id) = (x.shape(), node.id());
        let y = B::part(x, part.clone());
        match Taken.prepare::<C>([node]).compute_bound().stateful() {
            OpsKind::Tracked(step) => step.finish((shape, part, shared(id)), y),
            OpsKind::UnTracked(step) => step.finish(y),
        }
    }
}

#[derive(Debug)]
struct Taken;

impl<B: OnSlice> Backward<B, 1> for Taken {
    type State = (Shape, Part, Arc<AtomicBool>);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let (shape, part, put) = ops.state;
        let grad = grads.consume::<B>(&ops.node);
        let [Some(parent)] = ops.parents else { return };
        // The gradient of a leaf can be looked at only, not taken; what was computed, as this node was, is none.
        let computed = parent.requirement == ops.node.requirement;
        let whole = match computed && put.swap(true, Ordering::Relaxed) {
            true => grads.consume::<B>(&parent),
            false => B::float_zeros(shape, &grad.device(), grad.dtype().into()),
        };
        grads.register::<B>(parent.id, B::part_added(whole, grad, part));
    }
}

#[cfg(test)]
mod tests {
    use crate::test::{differentiates, floats, run};
    use framework_core::Op;

    fn slice(dim: i64, start: i64, end: i64) -> Op {
        Op::Slice { dim, start, end }
    }

    #[test]
    fn parts_are_differentiated_together() {
        let twice = |x: &crate::Value| run(Op::Mul, &[x, x]).unwrap();
        differentiates("parts", &[floats(&[2, 3, 8], 1)], |inputs| {
            // Not a leaf, with other uses, parts that overlap, and one of the middle dimension.
            let x = twice(&inputs[0]);
            let [a, b, c] = [(0, 3), (3, 8), (2, 4)].map(|(from, to)| run(slice(-1, from, to), &[&x]).unwrap());
            let d = run(slice(1, 1, 3), &[&x]).unwrap();
            let all = [twice(&a), b, twice(&c), x.clone()].map(|x| run(Op::Sum { dim: -1 }, &[&x]).unwrap());
            let sum = all.into_iter().reduce(|a, b| run(Op::Add, &[&a, &b]).unwrap()).unwrap();
            run(Op::Add, &[&sum, &run(Op::Sum { dim: 1 }, &[&twice(&d)]).unwrap()]).unwrap()
        });
        differentiates("parts of a leaf", &[floats(&[4, 6], 2)], |inputs| {
            let [a, b] = [0, 3].map(|from| run(slice(1, from, from + 3), &[&inputs[0]]).unwrap());
            run(Op::Mul, &[&a, &b]).unwrap()
        });
    }
}
