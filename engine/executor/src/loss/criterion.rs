//! How rows of logits become losses and gradients of the logits.

use super::{divergence::Divergence, projection::Projection, top_k::Likeliest};
use crate::kernels::cross_entropy::cross_entropy;
use burn::tensor::{IndexingUpdateOp, Int, Tensor as Burn};
use std::ops::Range;

/// What a row of logits `l` with a target `t` costs.
#[derive(Clone, Copy)]
pub(in super::super) enum Criterion<'a> {
    /// `-log p(t)`, mixed with smoothing, and what large logits cost.
    Tokens(Tokens),
    /// The same mixed with what the distribution is away from a teacher's.
    Distillation { share: f64, temperature: f64, teacher: Taught<'a> },
}

/// Cross-entropy and its variants.
///
/// The loss is `(1 - s) · -log p(t) + s · mean over v of -log p(v) + z · (log Σ e^l)²`, with `s` the label smoothing
/// (Szegedy et al., 2016, arXiv:1512.00567) and `z` the weight of the z-loss (Chowdhery et al., 2022, arXiv:2204.02311).
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Tokens {
    /// The share of the target's probability that goes to all tokens alike.
    pub label_smoothing: f64,
    /// The weight of the squared logarithm of the softmax's denominator.
    pub z_loss: f64,
}

/// What a teacher says of the rows.
#[derive(Clone, Copy)]
pub(in super::super) enum Taught<'a> {
    /// Its logits, computed some rows at a time.
    Logits { projection: &'a Projection, divergence: Divergence },
    /// The likeliest tokens and their logarithmic probabilities.
    Likeliest(&'a Likeliest),
}

impl Criterion<'_> {
    /// Whether it is cross-entropy and nothing else, which kernels compute.
    pub fn is_plain(&self) -> bool {
        matches!(self, Self::Tokens(tokens) if *tokens == Tokens::default())
    }

    /// Losses `[n, 1]` of rows of logits `[n, vocab]` with targets `[n, 1]`, and `factor` times the logits' gradients.
    pub fn of(&self, logits: Burn<2>, targets: Burn<2, Int>, rows: Range<usize>, factor: f64) -> (Burn<2>, Burn<2>) {
        match *self {
            Self::Tokens(tokens) => tokens.of(logits, targets, factor),
            Self::Distillation { share, temperature, teacher } => {
                let scale = share * temperature * temperature;
                let student = logits.clone().div_scalar(temperature);
                let (apart, slopes) = match teacher {
                    Taught::Logits { projection, divergence } => {
                        divergence.of(student, projection.logits(rows).0.div_scalar(temperature))
                    }
                    Taught::Likeliest(likeliest) => likeliest.divergence(student, rows),
                };
                // The logits were divided by the temperature.
                let (apart, slopes) = (apart.mul_scalar(scale), slopes.mul_scalar(factor * scale / temperature));
                if share == 1.0 {
                    return (apart, slopes);
                }
                let (losses, grad) = cross_entropy(logits, targets, factor * (1.0 - share));
                (losses.mul_scalar(1.0 - share) + apart, grad + slopes)
            }
        }
    }
}

impl Tokens {
    fn of(self, logits: Burn<2>, targets: Burn<2, Int>, factor: f64) -> (Burn<2>, Burn<2>) {
        if self == Self::default() {
            return cross_entropy(logits, targets, factor);
        }
        let Self { label_smoothing: smoothing, z_loss } = self;
        let [n, vocab] = logits.dims();
        let (chosen, mean) = (logits.clone().gather(1, targets.clone()), logits.clone().mean_dim(1));
        let (losses, grad) = cross_entropy(logits, targets.clone(), 1.0);
        // The logarithm of the denominator.
        let all = losses.clone() + chosen;
        let losses = losses.mul_scalar(1.0 - smoothing)
            + (all.clone() - mean).mul_scalar(smoothing)
            + all.clone().square().mul_scalar(z_loss);
        // `grad` is p - 1[t]; wanted is (1 + 2 z log Σ) p - (1 - s) 1[t] - s / vocab.
        let more = all.mul_scalar(2.0 * z_loss);
        let grad = grad * more.clone().add_scalar(1.0);
        let of_target = more.add_scalar(smoothing).expand([n, 1]);
        let grad = grad.scatter(1, targets, of_target, IndexingUpdateOp::Add);
        (losses, grad.sub_scalar(smoothing / vocab as f64).mul_scalar(factor))
    }
}
