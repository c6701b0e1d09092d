//! Vocabulary projection and cross-entropy in one, with their gradients.
//!
//! The logits `[rows, vocab]` are never held whole: rows are taken a few at a time, and each part's gradient is
//! computed while its probabilities are at hand. No backward pass runs through it.

use super::{
    backend::on_processor,
    kernels::{
        cross_entropy::cross_entropy,
        head::{How, head},
        squash::Squash,
    },
    precision::{Half, product},
    storage::Stored,
    transfer,
    value::{R, Value},
};
use burn::tensor::{Int, Tensor as Burn};
use framework_core::{PluginError, Result};
use std::sync::Arc;

/// Logits held at a time: 16 Mi numbers, 64 MiB.
pub(super) const LOGITS: usize = 1 << 24;

/// What is wanted beside the loss.
#[derive(Clone, Copy, Default)]
pub(super) struct Want {
    pub hidden: bool,
    pub weight: bool,
    pub bias: bool,
}

/// The vocabulary projection.
pub(super) struct Head {
    /// `[vocab, width]`.
    pub weight: Value,
    /// `[vocab]`.
    pub bias: Option<Value>,
    /// More features of each row `[rows, r]`, and their projection `[vocab, r]`.
    pub added: Option<(Value, Value)>,
    pub squash: Squash,
    pub half: Half,
}

/// The projection's weight: a stored one is decoded where it is used, some rows at a time.
#[expect(clippy::large_enum_variant, reason = "there is one of them in a pass")]
enum Weight {
    Dense(Burn<2>, Half),
    Stored(Arc<Stored>),
}

impl Weight {
    /// `h · wᵀ`.
    fn product(&self, h: Burn<2>) -> Burn<2> {
        match self {
            Weight::Dense(weight, half) => product(h, weight.clone().transpose(), *half),
            Weight::Stored(stored) => stored.linear(h),
        }
    }

    /// Losses and gradients of hidden states.
    fn losses(&self, h: Burn<2>, bias: Option<Burn<2>>, targets: Burn<2, Int>, how: How) -> (Burn<2>, Option<Burn<2>>) {
        match self {
            Weight::Dense(weight, _) => head(h, weight.clone(), bias, targets, how),
            Weight::Stored(stored) => stored.head(h, bias, targets, how),
        }
    }

    /// `d · w`.
    fn back(&self, d: Burn<2>) -> Burn<2> {
        match self {
            Weight::Dense(weight, half) => product(d, weight.clone(), *half),
            Weight::Stored(stored) => stored.back(d),
        }
    }
}

/// The summed loss, and the gradients that were asked for.
pub(super) struct Loss {
    pub sum: Value,
    pub hidden: Option<Value>,
    pub weight: Option<Value>,
    pub bias: Option<Value>,
    /// Those of what was added, with `hidden`.
    pub added: Option<(Value, Value)>,
}

/// Sum over rows of `-log softmax(squash(hidden · weightᵀ + features · moreᵀ + bias))[target]`, and `factor` times its gradients.
///
/// Shapes: hidden `[rows, width]`, weight `[vocab, width]`, bias `[vocab]`; one target per row.
pub(super) fn linear_cross_entropy(
    hidden: Value,
    head: Head,
    targets: &[i32],
    factor: f64,
    want: Want,
) -> Result<Loss> {
    let vocab = head.weight.dims()[R - 2];
    in_parts((LOGITS / vocab).max(1), hidden, head, targets, factor, want)
}

/// The same, `at_once` rows at a time.
fn in_parts(at_once: usize, hidden: Value, head: Head, targets: &[i32], factor: f64, want: Want) -> Result<Loss> {
    let Head { weight, bias, added, squash, half } = head;
    let (width, vocab) = (hidden.dims()[R - 1], weight.dims()[R - 2]);
    if let Some(bad) = targets.iter().find(|&&t| t < 0 || t as usize >= vocab) {
        return Err(PluginError::new(format!("token id {bad} is outside of the model's vocabulary of {vocab}")));
    }
    let hidden = hidden.into_float()?.reshape([targets.len(), width]);
    let weight = match weight.as_stored() {
        Some(stored) => Weight::Stored(stored.clone()),
        None => Weight::Dense(weight.into_float()?.reshape([vocab, width]), half),
    };
    let bias = bias.map(|b| Ok::<_, PluginError>(b.into_float()?.reshape([1, vocab]))).transpose()?;
    let added = match added {
        Some((features, more)) => {
            let r = more.dims()[R - 1];
            Some((features.into_float()?.reshape([targets.len(), r]), more.into_float()?.reshape([vocab, r])))
        }
        None => None,
    };
    let device = hidden.device();
    let (mut sum, mut d_hidden, mut d_weight, mut d_bias) = (None, Vec::new(), None, None);
    let (mut d_features, mut d_more) = (Vec::new(), None);
    let all = targets.len();
    let targets: Burn<2, Int> = transfer::ints(targets.to_vec(), [all, 1], &device);
    let alone = added.is_none() && !(want.weight || want.bias);
    // A kernel on the processor holds no logits of all rows, however many they are.
    let at_once = if alone && on_processor(&device) { all } else { at_once };
    for start in (0..all).step_by(at_once) {
        let rows = at_once.min(all - start);
        let h: Burn<2> = hidden.clone().slice_dim(0, start..start + rows);
        if alone {
            let targets = targets.clone().slice_dim(0, start..start + rows);
            let (losses, grad) =
                weight.losses(h, bias.clone(), targets, How { squash, factor: want.hidden.then_some(factor), half });
            add(&mut sum, losses.sum().reshape([1, 1]));
            d_hidden.extend(grad);
            continue;
        }
        let mut logits = weight.product(h.clone());
        if let Some(bias) = &bias {
            logits = logits + bias.clone();
        }
        let part_of = |features: &Burn<2>| features.clone().slice_dim(0, start..start + rows);
        if let Some((features, more)) = &added {
            logits = logits + product(part_of(features), more.clone().transpose(), half);
        }
        let (logits, slope) = squash.with_slopes(logits);
        let targets = targets.clone().slice_dim(0, start..start + rows);
        let (losses, d_logits) = cross_entropy(logits, targets, factor);
        add(&mut sum, losses.sum().reshape([1, 1]));
        let d_logits = match slope {
            Some(slope) => d_logits * slope,
            None => d_logits,
        };
        if want.bias {
            add(&mut d_bias, d_logits.clone().sum_dim(0));
        }
        if want.weight {
            add(&mut d_weight, product(d_logits.clone().transpose(), h, half));
        }
        if let Some((features, more)) = added.as_ref().filter(|_| want.hidden) {
            d_features.push(product(d_logits.clone(), more.clone(), half));
            add(&mut d_more, product(d_logits.clone().transpose(), part_of(features), half));
        }
        if want.hidden {
            d_hidden.push(weight.back(d_logits));
        }
    }
    let joined = |parts: Vec<Burn<2>>| (!parts.is_empty()).then(|| Burn::cat(parts, 0));
    let (d_hidden, d_features) = (joined(d_hidden), joined(d_features));
    let value = |t: Option<Burn<2>>, rank| {
        t.map(|t| {
            let [rows, columns] = t.dims();
            Value::float(t.reshape([1, 1, 1, rows, columns]), rank)
        })
    };
    let sum = value(sum, 1).ok_or_else(|| PluginError::new("a loss of nothing"))?;
    let added = value(d_features, 2).zip(value(d_more, 2));
    Ok(Loss { sum, hidden: value(d_hidden, 2), weight: value(d_weight, 2), bias: value(d_bias, 1), added })
}

fn add(total: &mut Option<Burn<2>>, part: Burn<2>) {
    *total = Some(match total.take() {
        Some(t) => t + part,
        None => part,
    });
}

#[cfg(test)]
mod tests;
