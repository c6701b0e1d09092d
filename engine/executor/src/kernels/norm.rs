//! Norms over the last dimension: root mean square (Zhang and Sennrich, 2019, arXiv:1910.07467) and layer norm (Ba et al.,
//! 2016, arXiv:1607.06450). What is kept for the way back is the input.

use super::{Loop, Row, contiguous, rows::summed, rows_of_a_task, vectorised};
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
use rayon::prelude::*;

/// Which norm, with what is added to the variance.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in super::super) struct Norm {
    /// Whether the mean is taken away first.
    pub centred: bool,
    pub eps: f64,
}

/// Rows whose shares of the weight's gradient are summed at a time: the order of the sums does not depend on threads.
const ROWS: usize = 32;

impl Norm {
    /// `(x - mean) / deviation` and `1 / deviation`, for rows `[n, width]`.
    fn normalised<B: Backend>(self, x: FloatTensor<B>) -> (FloatTensor<B>, FloatTensor<B>) {
        let x = match self.centred {
            true => B::float_sub(x.clone(), B::float_mean_dim(x, 1)),
            false => x,
        };
        let variance = B::float_mean_dim(B::float_mul(x.clone(), x.clone()), 1);
        let scale = B::float_recip(B::float_sqrt(B::float_add_scalar(variance, self.eps.into())));
        (B::float_mul(x, scale.clone()), scale)
    }

    /// [`OnNorm::normed`] in a backend's operators.
    fn applied<B: Backend>(self, x: FloatTensor<B>, weight: FloatTensor<B>, bias: FloatTensor<B>) -> FloatTensor<B> {
        let (x, _) = self.normalised::<B>(x);
        let y = B::float_mul(x, weight);
        if self.centred { B::float_add(y, bias) } else { y }
    }

    /// [`OnNorm::normed_weight`] in a backend's operators.
    fn of_weight<B: Backend>(self, x: FloatTensor<B>, g: FloatTensor<B>) -> FloatTensor<B> {
        let (x, _) = self.normalised::<B>(x);
        B::float_sum_dim(B::float_mul(g, x), 0)
    }
}

#[backend_extension(Autodiff, Flex, Cube: cfg(any(feature = "wgpu", feature = "cuda")))]
pub(in super::super) trait OnNorm: Backend {
    /// `x̂ · weight + bias` for rows `[n, width]`, weight and bias `[1, width]`.
    fn normed(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        norm: Norm,
    ) -> FloatTensor<Self> {
        norm.applied::<Self>(x, weight, bias)
    }

    /// The gradient of `x`: `(gw - mean(gw) - x̂ · mean(gw · x̂)) / deviation`, the first mean for centred norms only.
    fn normed_back(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        g: FloatTensor<Self>,
        norm: Norm,
    ) -> FloatTensor<Self> {
        let (x, scale) = norm.normalised::<Self>(x);
        let g = Self::float_mul(g, weight);
        let along = Self::float_mean_dim(Self::float_mul(g.clone(), x.clone()), 1);
        let rest = Self::float_sub(g.clone(), Self::float_mul(x, along));
        let rest = if norm.centred { Self::float_sub(rest, Self::float_mean_dim(g, 1)) } else { rest };
        Self::float_mul(rest, scale)
    }

    /// The gradient of the weight `[1, width]`: the sum over rows of `g · x̂`.
    fn normed_weight(x: FloatTensor<Self>, g: FloatTensor<Self>, norm: Norm) -> FloatTensor<Self> {
        norm.of_weight::<Self>(x, g)
    }
}

/// The norm over the last dimension of `x`; `bias` for centred norms.
pub(in super::super) fn normed<const D: usize>(
    x: Burn<D>,
    weight: Burn<D>,
    bias: Option<Burn<D>>,
    norm: Norm,
) -> Burn<D> {
    let dims = x.dims();
    let width = dims[D - 1];
    let n = dims[..D - 1].iter().product::<usize>();
    let row = |x: Burn<D>| -> Burn<2> { x.reshape([1, width]) };
    let weight = row(weight);
    let bias = bias.map_or_else(|| weight.clone(), row);
    let x: Burn<2> = x.reshape([n, width]);
    let y = Dispatch::normed(x.into_dispatch(), weight.into_dispatch(), bias.into_dispatch(), norm);
    Burn::<2>::from_dispatch(y).reshape(dims)
}

fn row(x: &FloatTensor<Flex>) -> Vec<f32> {
    x.to_contiguous().as_slice::<f32>().expect("32-bit numbers").to_vec()
}

/// A row's mean, which is 0 for a norm that does not centre, and one over its deviation.
#[inline(always)]
fn moments(row: &[f32], norm: Norm) -> (f32, f32) {
    let share = 1.0 / row.len() as f32;
    let mean = if norm.centred { summed(row, row, |x, _| x) * share } else { 0.0 };
    let variance = summed(row, row, |x, _| (x - mean) * (x - mean)) * share;
    (mean, 1.0 / (variance + norm.eps as f32).sqrt())
}

struct Normal<'a> {
    weight: &'a [f32],
    bias: &'a [f32],
    norm: Norm,
}

impl Row for Normal<'_> {
    #[inline(always)]
    fn run(&self, _: usize, row: &mut [f32]) {
        let (mean, scale) = moments(row, self.norm);
        match self.norm.centred {
            false => row.iter_mut().zip(self.weight).for_each(|(x, w)| *x = *x * scale * w),
            true => {
                let beside = self.weight.iter().zip(self.bias);
                row.iter_mut().zip(beside).for_each(|(x, (w, b))| *x = (*x - mean) * scale * w + b);
            }
        }
    }
}

struct Back<'a> {
    weight: &'a [f32],
    inputs: &'a [f32],
    norm: Norm,
}

impl Row for Back<'_> {
    #[inline(always)]
    fn run(&self, i: usize, g: &mut [f32]) {
        let x = &self.inputs[i * g.len()..][..g.len()];
        let (mean, scale) = moments(x, self.norm);
        g.iter_mut().zip(self.weight).for_each(|(g, w)| *g *= w);
        let share = 1.0 / g.len() as f32;
        let along = summed(g, x, |g, x| g * (x - mean)) * scale * share;
        let whole = if self.norm.centred { summed(g, g, |g, _| g) * share } else { 0.0 };
        g.iter_mut().zip(x).for_each(|(g, x)| *g = (*g - whole - (x - mean) * scale * along) * scale);
    }
}

/// The weight's gradient of some rows.
struct OfWeight<'a> {
    x: &'a [f32],
    g: &'a [f32],
    width: usize,
    norm: Norm,
}

impl Loop for OfWeight<'_> {
    type Output = Vec<f32>;

    #[inline(always)]
    fn run(self) -> Vec<f32> {
        let (mut sums, width) = (vec![0.0; self.width], self.width.max(1));
        for (x, g) in self.x.chunks(width).zip(self.g.chunks(width)) {
            let (mean, scale) = moments(x, self.norm);
            sums.iter_mut().zip(x.iter().zip(g)).for_each(|(sum, (x, g))| *sum += g * (x - mean) * scale);
        }
        sums
    }
}

impl OnNorm for Flex {
    fn normed(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        norm: Norm,
    ) -> FloatTensor<Self> {
        let (weight, bias, mut x) = (row(&weight), row(&bias), contiguous(x));
        super::each_row(x.storage_mut::<f32>(), weight.len(), &Normal { weight: &weight, bias: &bias, norm });
        x
    }

    fn normed_back(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        g: FloatTensor<Self>,
        norm: Norm,
    ) -> FloatTensor<Self> {
        let (weight, x, mut g) = (row(&weight), contiguous(x), contiguous(g));
        let (width, inputs) = (weight.len(), x.as_slice::<f32>().expect("32-bit numbers"));
        super::each_row(g.storage_mut::<f32>(), width, &Back { weight: &weight, inputs, norm });
        g
    }

    fn normed_weight(x: FloatTensor<Self>, g: FloatTensor<Self>, norm: Norm) -> FloatTensor<Self> {
        let (x, g) = (contiguous(x), contiguous(g));
        let (n, width) = (x.shape()[0], x.shape()[1]);
        let (x, g) = (x.as_slice::<f32>().expect("32-bit numbers"), g.as_slice::<f32>().expect("32-bit numbers"));
        let parts: Vec<Vec<f32>> = (0..n.div_ceil(ROWS))
            .into_par_iter()
            .with_min_len((rows_of_a_task(width) / ROWS).max(1))
            .map(|part| {
                let rows = part * ROWS * width..n.min((part + 1) * ROWS) * width;
                vectorised(OfWeight { x: &x[rows.clone()], g: &g[rows], width, norm })
            })
            .collect();
        let mut sums = vec![0.0; width];
        for part in parts {
            sums.iter_mut().zip(part).for_each(|(sum, x)| *sum += x);
        }
        Self::float_from_data(TensorData::new(sums, [1, width]), &Default::default())
    }
}

#[cfg(feature = "wgpu")]
impl OnNorm for burn::backend::Wgpu {}
#[cfg(all(feature = "cuda", not(feature = "wgpu")))]
impl OnNorm for burn::backend::Cuda {}

impl<B: OnNorm, C: CheckpointStrategy> OnNorm for Autodiff<B, C> {
    fn normed(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        norm: Norm,
    ) -> FloatTensor<Self> {
        let ((x, of_x), (weight, of_weight), (bias, of_bias)) =
            (x.into_parts(), weight.into_parts(), bias.into_parts());
        let y = B::normed(x.clone(), weight.clone(), bias, norm);
        match Normed.prepare::<C>([of_x, of_weight, of_bias]).compute_bound().stateful() {
            OpsKind::Tracked(step) => step.finish((x, weight, norm), y),
            OpsKind::UnTracked(step) => step.finish(y),
        }
    }
}

#[derive(Debug)]
struct Normed;

impl<B: OnNorm> Backward<B, 3> for Normed {
    type State = (FloatTensor<B>, FloatTensor<B>, Norm);

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let (x, weight, norm) = ops.state;
        let grad = grads.consume::<B>(&ops.node);
        let [of_x, of_weight, of_bias] = ops.parents;
        if let Some(parent) = of_weight {
            grads.register::<B>(parent.id, B::normed_weight(x.clone(), grad.clone(), norm));
        }
        // Without a bias, the weight stands in its place.
        if let Some(parent) = of_bias.filter(|_| norm.centred) {
            grads.register::<B>(parent.id, B::float_sum_dim(grad.clone(), 0));
        }
        if let Some(parent) = of_x {
            grads.register::<B>(parent.id, B::normed_back(x, weight, grad, norm));
        }
    }
}

#[cfg(test)]
#[path = "norm_tests.rs"]
mod tests;
