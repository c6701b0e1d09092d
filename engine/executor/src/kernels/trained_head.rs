//! The projection to the vocabulary, softmax, cross-entropy and the gradients of hidden states and weight in one, without
//! the logits of all rows.
//!
//! The vocabulary is gone through twice, a panel at a time: first for each row's maximum and sum, then for the slopes
//! `softmax(l) - onehot`, which serve both gradients while they are near. Logits are computed twice, which pays where products
//! take less time than memory does ([`pays`]).

use super::{
    Integers, Loop, contiguous,
    head::{How, LEAST, OnHead, Running, TILE, Take},
    matrix::Matrix,
    multiply::{Left, Ready, tiled},
    rows::exponentials_times,
    squash::slope_of_cap,
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

/// Whether the processor computes logits twice faster than it reads and writes them.
pub(in super::super) fn pays(half: Half) -> bool {
    tiled(half)
}

#[backend_extension(Autodiff, Flex, Cube: cfg(any(feature = "wgpu", feature = "cuda")))]
pub(in super::super) trait OnTrainedHead: OnHead {
    /// Losses `[n, 1]`, and the gradients of the hidden states `[n, width]` and of the weight `[vocab, width]`, of their sum
    /// times the factor, with what each row counts.
    ///
    /// Hidden states `[n, width]`, weight `[vocab, width]`, targets `[n, 1]`, counts `[n, 1]` or `[1, 1]` for all.
    fn trained_head(
        hidden: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        targets: IntTensor<Self>,
        counts: FloatTensor<Self>,
        how: How,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        let logits = product_on::<Self>(hidden.clone(), Self::float_transpose(weight.clone()), how.half);
        let (logits, slopes) = how.squash.applied::<Self>(logits);
        let (losses, grad) = Self::cross_entropy(logits, targets, how.factor.unwrap_or(1.0));
        let grad = match slopes {
            Some(slopes) => Self::float_mul(grad, slopes),
            None => grad,
        };
        let grad = Self::float_mul(grad, counts);
        let of_weight = product_on::<Self>(Self::float_transpose(grad.clone()), hidden, how.half);
        (losses, product_on::<Self>(grad, weight, how.half), of_weight)
    }
}

/// Losses and gradients; see [`OnTrainedHead::trained_head`].
pub(in super::super) fn trained_head(
    hidden: Burn<2>,
    weight: Burn<2>,
    targets: Burn<2, Int>,
    counts: Option<Burn<2>>,
    how: How,
) -> [Burn<2>; 3] {
    let counts = counts.unwrap_or_else(|| Burn::ones([1, 1], &hidden.device())).into_dispatch();
    let (hidden, weight) = (hidden.into_dispatch(), weight.into_dispatch());
    let (losses, of_hidden, of_weight) = Dispatch::trained_head(hidden, weight, targets.into_dispatch(), counts, how);
    [losses, of_hidden, of_weight].map(Burn::from_dispatch)
}

impl OnTrainedHead for Flex {
    fn trained_head(
        hidden: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        targets: IntTensor<Self>,
        counts: FloatTensor<Self>,
        how: How,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        let ([n, width], vocab) = ([hidden.shape()[0], hidden.shape()[1]], weight.shape()[0]);
        let (hidden, weight, targets) = (contiguous(hidden), contiguous(weight), targets.to_contiguous());
        let states = Matrix::new(hidden.as_slice::<f32>().expect("32-bit numbers"), n, width);
        let numbers = weight.as_slice::<f32>().expect("32-bit numbers");
        let (targets, counts) = (Integers::of(&targets), contiguous(counts));
        let counts = counts.as_slice::<f32>().expect("32-bit numbers");
        let (left, right) = (Left::new(states, how.half), Ready::new(states, how.half));
        let step = (TILE / n.max(1)).max(LEAST).min(vocab);
        let (mut tile, mut running) = (vec![0.0; n * step], vec![Running::START; n]);
        let (mut of_hidden, mut of_weight) = (vec![0.0; n * width], vec![0.0; vocab * width]);
        for pass in [Pass::Sums, Pass::Slopes] {
            for start in (0..vocab).step_by(step) {
                let panel = start..(start + step).min(vocab);
                let weight = Matrix::new(&numbers[start * width..panel.end * width], panel.len(), width);
                let tile = &mut tile[..n * panel.len()];
                left.times_into(weight.transposed(), tile);
                tile.par_chunks_mut(panel.len()).zip(&mut running).enumerate().for_each(|(i, (row, running))| {
                    let target = Some(targets.at(i)).filter(|target| panel.contains(target));
                    let target = target.map(|target| target - panel.start);
                    let count = counts[i % counts.len()];
                    match pass {
                        Pass::Sums => vectorised(Take { running, row, bias: &[], target, how }),
                        Pass::Slopes => vectorised(Slopes { running, row, target, count, how }),
                    }
                });
                if pass == Pass::Slopes {
                    let slopes = Matrix::new(tile, n, panel.len());
                    Left::new(slopes, how.half).times_added(weight, &mut of_hidden);
                    let of_weight = &mut of_weight[start * width..panel.end * width];
                    Left::new(slopes.transposed(), how.half).put(&right, of_weight, false);
                }
            }
        }
        let tensor = |data: Vec<f32>, rows, columns| {
            Flex::float_from_data(TensorData::new(data, [rows, columns]), &Default::default())
        };
        let losses = running.iter().map(Running::loss).collect();
        (tensor(losses, n, 1), tensor(of_hidden, n, width), tensor(of_weight, vocab, width))
    }
}

/// What the vocabulary is gone through for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pass {
    Sums,
    Slopes,
}

/// Makes products of a row with a panel the slopes of the loss.
struct Slopes<'a> {
    running: &'a Running,
    row: &'a mut [f32],
    target: Option<usize>,
    count: f32,
    how: How,
}

impl Loop for Slopes<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { running, row, target, count, how } = self;
        how.squash.row(row);
        let factor = count * how.factor.unwrap_or(1.0) as f32 * how.squash.factor();
        let slope_of_target = target.map(|target| how.squash.slope(row[target]));
        let of_sum = running.most + running.sum.ln();
        match how.squash.softcap {
            Some(cap) => exponentials_times(row, of_sum, |logit| factor * slope_of_cap(cap as f32, logit)),
            None => exponentials_times(row, of_sum, |_| factor),
        };
        if let Some((target, slope)) = target.zip(slope_of_target) {
            row[target] -= factor * slope;
        }
    }
}

#[cfg(feature = "wgpu")]
impl OnTrainedHead for burn::backend::Wgpu {}
#[cfg(all(feature = "cuda", not(feature = "wgpu")))]
impl OnTrainedHead for burn::backend::Cuda {}

/// The loss is not recorded: it computes its gradients itself.
impl<B: OnTrainedHead, C: CheckpointStrategy> OnTrainedHead for Autodiff<B, C> {
    fn trained_head(
        hidden: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        targets: IntTensor<Self>,
        counts: FloatTensor<Self>,
        how: How,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        let [hidden, weight, counts] = [hidden, weight, counts].map(Self::inner);
        let (losses, of_hidden, of_weight) = B::trained_head(hidden, weight, targets, counts, how);
        (Self::from_inner(losses), Self::from_inner(of_hidden), Self::from_inner(of_weight))
    }
}

#[cfg(test)]
mod tests {
    use super::{super::squash::Squash, *};
    use crate::{
        Device,
        precision::Narrow,
        test::{close, random},
    };

    /// Against 64 bits, over several panels of the vocabulary, in each format that the processor has.
    #[test]
    fn losses_and_gradients_are_those_of_64_bits() {
        const FACTOR: f64 = 0.3;
        let (n, width, vocab) = (1100, 6, 601);
        let targets: Vec<i32> = (0..n as i32).map(|i| i * 577 % vocab as i32).collect();
        let [h, w] = [(n, 1.5), (vocab, 1.5)].map(|(rows, factor)| -> Vec<f32> {
            random(rows * width, rows as u64).iter().map(|x| factor * x).collect()
        });
        let counts = random(n, 3);
        let tensor = |data: &[f32], rows| {
            Burn::<2>::from_data(TensorData::new(data.to_vec(), [rows, data.len() / rows]), &Device::cpu().burn)
        };
        for (scale, softcap) in [(None, None), (Some(2.0), Some(4.0))] {
            let (mut losses, mut of_hidden, mut of_weight) = (Vec::new(), Vec::new(), vec![0.0; vocab * width]);
            for ((h, target), count) in h.chunks(width).zip(&targets).zip(&counts) {
                let dot = |w: &[f32]| h.iter().zip(w).map(|(h, w)| f64::from(*h) * f64::from(*w)).sum::<f64>();
                let (scale, cap) = (scale.unwrap_or(1.0), softcap.unwrap_or(f64::INFINITY));
                let capped = |x: f64| if cap.is_finite() { cap * (x / cap).tanh() } else { x };
                let logits: Vec<f64> = w.chunks(width).map(|w| capped(scale * dot(w))).collect();
                let total = logits.iter().map(|l| l.exp()).sum::<f64>();
                losses.push((total.ln() - logits[*target as usize]) as f32);
                let mut row = vec![0.0; width];
                for (i, (l, w)) in logits.iter().zip(w.chunks(width)).enumerate() {
                    let slope = f64::from(*count) * scale * (1.0 - (l / cap).powi(2)) * FACTOR;
                    let share = slope * (l.exp() / total - f64::from(u8::from(i as i32 == *target)));
                    row.iter_mut().zip(w).for_each(|(sum, w)| *sum += share * f64::from(*w));
                    let sums = &mut of_weight[i * width..][..width];
                    sums.iter_mut().zip(h).for_each(|(sum, h)| *sum += share * f64::from(*h));
                }
                of_hidden.extend(row.iter().map(|x| *x as f32));
            }
            let of_weight: Vec<f32> = of_weight.iter().map(|x| *x as f32).collect();
            for (half, limit) in [(None, 1.0), (Some(Narrow::High), 20.0), (Some(Narrow::Bf16), 8e3)] {
                let how = How { squash: Squash { scale, softcap }, factor: Some(FACTOR), half };
                let ids = Burn::from_data(TensorData::new(targets.clone(), [n, 1]), &Device::cpu().burn);
                let found = trained_head(tensor(&h, n), tensor(&w, vocab), ids, Some(tensor(&counts, n)), how);
                let [l, h, w] = found.map(|t| t.into_data().try_into_vec::<f32>().unwrap());
                close(&l, &losses, 1e-5 * limit);
                close(&h, &of_hidden, 1e-6 * limit);
                close(&w, &of_weight, 3e-6 * limit);
            }
        }
    }
}
