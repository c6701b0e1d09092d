//! The projection to the vocabulary, softmax, cross-entropy and the gradient of the hidden states in one, without the
//! logits of all rows.
//!
//! With `l = squash(h · wᵀ + b)` the gradient of `h` is `Σ softmax(l) · squash'(l) · w - squash'(l_t) · w_t`: attention
//! whose keys and values are the weight's rows. So the vocabulary is gone through a panel at a time, with a running
//! maximum and sum (Milakov and Gimelshein, 2018, arXiv:1805.02867), and a panel serves both products while it is near.

#[cfg(target_arch = "x86_64")]
use super::lanes;
use super::{
    Integers, Loop, contiguous,
    cross_entropy::OnCrossEntropy,
    matrix::{Matrix, Panel},
    multiply::Left,
    rows::{exponentials, exponentials_times, maximum},
    squash::{Squash, slope_of_cap},
    vectorised,
};
use crate::precision::{Half, product_on};
use burn::{
    backend::{
        Autodiff, AutodiffBackend, Dispatch, Flex, TensorMetadata,
        autodiff::checkpoint::strategy::CheckpointStrategy,
        backend_extension,
        ops::FloatTensorOps,
        tensor::{FloatTensor, IntTensor},
    },
    tensor::{Int, Tensor as Burn, TensorData},
};
use rayon::prelude::*;
use std::{borrow::Cow, ops::Range};

/// Logits held at a time: 2 MiB.
pub(in super::super) const TILE: usize = 1 << 19;
/// Rows of a panel, at least: products with fewer are slow.
pub(in super::super) const LEAST: usize = 256;
/// Numbers of the weight that are decoded at a time where [`in_lanes`]: 8 MiB.
pub(in super::super) const DECODED: usize = 1 << 21;

/// Whether rows lie in the lanes of vectors for products of this format.
pub(in super::super) fn in_lanes(half: Half) -> bool {
    #[cfg(target_arch = "x86_64")]
    return lanes::serve(half);
    #[cfg(not(target_arch = "x86_64"))]
    {
        let _ = half;
        false
    }
}

/// What is computed.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct How {
    pub squash: Squash,
    /// On the gradient; none is computed without it.
    pub factor: Option<f64>,
    pub half: Half,
}

#[backend_extension(Autodiff, Flex, Cube: cfg(any(feature = "wgpu", feature = "cuda")))]
pub(in super::super) trait OnHead: OnCrossEntropy {
    /// `-log softmax(l)[target]` of each row `[n, 1]`, and the gradient of the hidden states `[n, width]`; without a factor
    /// how far each target's logit is below the largest `[n, 1]`, which is 0 where the target is the likeliest.
    ///
    /// Hidden states `[n, width]`, weight `[vocab, width]`, bias `[1, vocab]` or `[1, 1]` for none, targets `[n, 1]`.
    fn head(
        hidden: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        targets: IntTensor<Self>,
        how: How,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        let logits = product_on::<Self>(hidden, Self::float_transpose(weight.clone()), how.half);
        let (logits, slopes) = how.squash.applied::<Self>(Self::float_add(logits, bias));
        let Some(factor) = how.factor else {
            let most = Self::float_max_dim(logits.clone(), 1);
            let below = Self::float_sub(most, Self::float_gather(1, logits.clone(), targets.clone()));
            return (Self::cross_entropy(logits, targets, 1.0).0, below);
        };
        let (losses, grad) = Self::cross_entropy(logits, targets, factor);
        let grad = match slopes {
            Some(slopes) => Self::float_mul(grad, slopes),
            None => grad,
        };
        (losses, product_on::<Self>(grad, weight, how.half))
    }
}

/// Losses, and gradients of hidden states or how far targets are below; see [`OnHead::head`].
pub(in super::super) fn head(
    hidden: Burn<2>,
    weight: Burn<2>,
    bias: Option<Burn<2>>,
    targets: Burn<2, Int>,
    how: How,
) -> (Burn<2>, Burn<2>) {
    let bias = bias.unwrap_or_else(|| Burn::zeros([1, 1], &hidden.device()));
    let (hidden, weight, bias) = (hidden.into_dispatch(), weight.into_dispatch(), bias.into_dispatch());
    let (losses, other) = Dispatch::head(hidden, weight, bias, targets.into_dispatch(), how);
    (Burn::from_dispatch(losses), Burn::from_dispatch(other))
}

impl OnHead for Flex {
    fn head(
        hidden: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        targets: IntTensor<Self>,
        how: How,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        let (weight, width) = (contiguous(weight), hidden.shape()[1]);
        let numbers = weight.as_slice::<f32>().expect("32-bit numbers");
        native(hidden, bias, targets, how, weight.shape()[0], |rows| {
            Panel::Numbers(Cow::Borrowed(&numbers[rows.start * width..rows.end * width]))
        })
    }
}

/// What is known of a row after some panels.
#[derive(Clone, Copy)]
pub(super) struct Running {
    /// The largest logit.
    pub most: f32,
    /// Of the exponentials of what the logits are below it.
    pub sum: f32,
    /// The target's logit.
    pub target: f32,
    /// What the gradient so far must be multiplied with.
    shrink: f32,
}

impl Running {
    pub const START: Self = Self { most: f32::NEG_INFINITY, sum: 0.0, target: 0.0, shrink: 1.0 };

    pub fn loss(&self) -> f32 {
        self.sum.ln() + self.most - self.target
    }
}

/// Makes products of a row with a panel the weights of the panel's rows in the gradient.
pub(super) struct Take<'a> {
    pub running: &'a mut Running,
    pub row: &'a mut [f32],
    pub bias: &'a [f32],
    pub target: Option<usize>,
    pub how: How,
}

impl Loop for Take<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { running, row, bias, target, how } = self;
        row.iter_mut().zip(bias).for_each(|(x, bias)| *x += bias);
        how.squash.row(row);
        if let Some(target) = target {
            running.target = row[target];
        }
        let most = running.most.max(maximum(row));
        running.shrink = if most > running.most { (running.most - most).exp() } else { 1.0 };
        let sum = match how.squash.softcap {
            Some(cap) => exponentials_times(row, most, |logit| slope_of_cap(cap as f32, logit)),
            None => exponentials(row, most),
        };
        (running.most, running.sum) = (most, running.sum * running.shrink + sum);
    }
}

/// [`OnHead::head`] with rows of the weight as `numbers` gives them.
pub(in super::super) fn native<'a>(
    hidden: FloatTensor<Flex>,
    bias: FloatTensor<Flex>,
    targets: IntTensor<Flex>,
    how: How,
    vocab: usize,
    numbers: impl Fn(Range<usize>) -> Panel<'a> + Sync,
) -> (FloatTensor<Flex>, FloatTensor<Flex>) {
    let (n, width) = (hidden.shape()[0], hidden.shape()[1]);
    let (hidden, bias, targets) = (contiguous(hidden), contiguous(bias), targets.to_contiguous());
    let (states, targets) = (hidden.as_slice::<f32>().expect("32-bit numbers"), Integers::of(&targets));
    let bias = bias.as_slice::<f32>().filter(|bias| bias.len() == vocab).unwrap_or(&[]);
    let tensor = |data, columns| Flex::float_from_data(TensorData::new(data, [n, columns]), &Default::default());
    #[cfg(target_arch = "x86_64")]
    if lanes::serve(how.half) {
        let (losses, other) = lanes::head(lanes::Rows { states, width, targets, bias, how }, vocab, numbers);
        return (tensor(losses, 1), tensor(other, if how.factor.is_some() { width } else { 1 }));
    }
    let states = Left::new(Matrix::new(states, n, width), how.half);
    let step = (TILE / n.max(1)).max(LEAST).min(vocab);
    let mut tile = vec![0.0; n * step];
    let mut grad = vec![0.0; if how.factor.is_some() { n * width } else { 0 }];
    let mut running = vec![Running::START; n];
    for start in (0..vocab).step_by(step) {
        let panel = start..(start + step).min(vocab);
        let weight = numbers(panel.clone());
        let weight = weight.matrix(width);
        let tile = &mut tile[..n * panel.len()];
        states.times_into(weight.transposed(), tile);
        let bias = bias.get(panel.clone()).unwrap_or(&[]);
        tile.par_chunks_mut(panel.len()).zip(&mut running).enumerate().for_each(|(i, (row, running))| {
            let target = targets.at(i);
            let target = panel.contains(&target).then(|| target - panel.start);
            vectorised(Take { running, row, bias, target, how });
        });
        if how.factor.is_some() {
            for (grad, running) in grad.chunks_mut(width).zip(&running).filter(|(_, running)| running.shrink != 1.0) {
                grad.iter_mut().for_each(|x| *x *= running.shrink);
            }
            Left::new(Matrix::new(tile, n, panel.len()), how.half).times_added(weight, &mut grad);
        }
    }
    let losses = tensor(running.iter().map(Running::loss).collect(), 1);
    let Some(factor) = how.factor else {
        return (losses, tensor(running.iter().map(|row| row.most - row.target).collect(), 1));
    };
    let factor = factor as f32 * how.squash.factor();
    grad.par_chunks_mut(width.max(1)).zip(&running).enumerate().for_each(|(i, (grad, running))| {
        let target = targets.at(i);
        let weight = numbers(target..target + 1);
        let (scale, of_target) = (factor / running.sum, factor * how.squash.slope(running.target));
        grad.iter_mut().enumerate().for_each(|(i, x)| *x = *x * scale - of_target * weight.at(i));
    });
    (losses, tensor(grad, width))
}

#[cfg(feature = "wgpu")]
impl OnHead for burn::backend::Wgpu {}
#[cfg(all(feature = "cuda", not(feature = "wgpu")))]
impl OnHead for burn::backend::Cuda {}

/// The loss is not recorded: it computes its gradients itself.
impl<B: OnHead, C: CheckpointStrategy> OnHead for Autodiff<B, C> {
    fn head(
        hidden: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        targets: IntTensor<Self>,
        how: How,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        let [hidden, weight, bias] = [hidden, weight, bias].map(Self::inner);
        let (losses, grad) = B::head(hidden, weight, bias, targets, how);
        (Self::from_inner(losses), Self::from_inner(grad))
    }
}
