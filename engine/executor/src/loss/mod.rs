//! Vocabulary projection and loss in one, with their gradients.
//!
//! The logits `[rows, vocab]` are never held whole: rows are taken a few at a time, and each part's gradient is
//! computed while its probabilities are at hand. No backward pass runs through it.

mod criterion;
mod divergence;
mod projection;
mod top_k;

pub use criterion::Tokens;
pub(super) use criterion::{Criterion, Taught};
pub use divergence::Divergence;
pub(super) use projection::{Head, Projection};
pub(super) use top_k::Likeliest;
pub use top_k::TopK;

use super::{
    backend::on_processor,
    kernels::{
        head::How,
        trained_head::{self, trained_head},
    },
    precision::product,
    transfer,
    value::Value,
};
use burn::tensor::{Int, Tensor as Burn};
use framework_core::{PluginError, Result};
use projection::Weight;

/// Logits held at a time: 16 Mi numbers, 64 MiB.
pub(super) const LOGITS: usize = 1 << 24;

/// Logits held at a time: with other criteria than cross-entropy there are more tensors of their size.
pub(super) fn at_most(plain: bool) -> usize {
    if plain { LOGITS } else { LOGITS / 4 }
}

/// What is wanted beside the loss.
#[derive(Clone, Copy, Default)]
pub(super) struct Want {
    pub hidden: bool,
    pub weight: bool,
    pub bias: bool,
    /// How far each target's logit is below the largest, where no gradient is wanted.
    pub below: bool,
}

/// What is summed over rows.
pub(super) struct Cost<'a> {
    /// One token per row.
    pub targets: &'a [i32],
    pub criterion: Criterion<'a>,
    /// What gradients are multiplied with.
    pub factor: f64,
    /// What the loss of each row counts, and its gradient; 1 without.
    pub weights: Option<&'a [f32]>,
}

impl<'a> Cost<'a> {
    /// Of cross-entropy.
    pub fn plain(targets: &'a [i32], factor: f64) -> Self {
        Self { targets, criterion: Criterion::Tokens(Tokens::default()), factor, weights: None }
    }
}

/// The summed loss, and the gradients that were asked for.
pub(super) struct Loss {
    pub sum: Value,
    /// The loss of each row `[rows]`, without its weight.
    pub rows: Value,
    /// How far each target's logit is below the largest `[rows]`.
    pub below: Option<Value>,
    pub hidden: Option<Value>,
    pub weight: Option<Value>,
    pub bias: Option<Value>,
    /// Those of what was added, with `hidden`.
    pub added: Option<(Value, Value)>,
}

/// The sum over rows of what `squash(hidden · weightᵀ + features · moreᵀ + bias)` costs, and its gradients.
///
/// Shapes: hidden `[rows, width]`, weight `[vocab, width]`, bias `[vocab]`; one target per row.
pub(super) fn projected_loss(hidden: Value, head: Head, cost: &Cost, want: Want) -> Result<Loss> {
    let projection = Projection::new(hidden, head, cost.targets.len())?;
    in_parts((at_most(cost.criterion.is_plain()) / projection.vocab).max(1), &projection, cost, want)
}

/// The same, `at_once` rows at a time.
fn in_parts(at_once: usize, projection: &Projection, cost: &Cost, want: Want) -> Result<Loss> {
    let Projection { hidden, weight, bias, added, squash, half, vocab } = projection;
    let (half, squash) = (*half, *squash);
    let Cost { targets, criterion, factor, weights } = *cost;
    if let Some(bad) = targets.iter().find(|&&t| t < 0 || t as usize >= *vocab) {
        return Err(PluginError::new(format!("token id {bad} is outside of the model's vocabulary of {vocab}")));
    }
    let (device, all) = (hidden.device(), targets.len());
    let targets: Burn<2, Int> = transfer::ints(targets.to_vec(), [all, 1], &device);
    let weights = weights.map(|weights| transfer::floats(weights.to_vec(), [all, 1], &device));
    let alone = added.is_none() && !(want.weight || want.bias) && criterion.is_plain();
    // A kernel on the processor holds no logits of all rows, however many they are.
    let at_once = if alone && on_processor(&device) { all } else { at_once };
    let mut found = Parts::default();
    if let (Weight::Dense(weight, _), None, None) = (weight, bias, added)
        && (want.weight && criterion.is_plain() && on_processor(&device) && trained_head::pays(half))
    {
        let how = How { squash, factor: Some(factor), half };
        let [losses, of_hidden, of_weight] =
            trained_head(hidden.clone(), weight.clone(), targets, weights.clone(), how);
        found.losses(losses, weights.as_ref());
        found.hidden.extend(want.hidden.then_some(of_hidden));
        found.weight = Some(of_weight);
        return found.done();
    }
    for start in (0..all).step_by(at_once) {
        let rows = start..(start + at_once).min(all);
        let part_of = |x: &Burn<2>| x.clone().slice_dim(0, rows.clone());
        let targets = targets.clone().slice_dim(0, rows.clone());
        let weights = weights.as_ref().map(part_of);
        if alone {
            let how = How { squash, factor: want.hidden.then_some(factor), half };
            let (losses, other) = weight.losses(part_of(hidden), bias.clone(), targets, how);
            found.losses(losses, weights.as_ref());
            match want.hidden {
                true => found.hidden.push(weighed(other, weights)),
                false => found.below.push(other),
            }
            continue;
        }
        let (logits, slope) = projection.logits(rows.clone());
        if want.below {
            found.below.push(logits.clone().max_dim(1) - logits.clone().gather(1, targets.clone()));
        }
        let (losses, d_logits) = criterion.of(logits, targets, rows.clone(), factor);
        found.losses(losses, weights.as_ref());
        let d_logits = match slope {
            Some(slope) => d_logits * slope,
            None => d_logits,
        };
        let d_logits = weighed(d_logits, weights);
        if want.bias {
            add(&mut found.bias, d_logits.clone().sum_dim(0));
        }
        if want.weight {
            add(&mut found.weight, product(d_logits.clone().transpose(), part_of(hidden), half));
        }
        if let Some((features, more)) = added.as_ref().filter(|_| want.hidden) {
            found.features.push(product(d_logits.clone(), more.clone(), half));
            add(&mut found.more, product(d_logits.clone().transpose(), part_of(features), half));
        }
        if want.hidden {
            found.hidden.push(weight.back(d_logits));
        }
    }
    found.done()
}

/// Rows times their weights.
fn weighed(rows: Burn<2>, weights: Option<Burn<2>>) -> Burn<2> {
    match weights {
        Some(weights) => rows * weights,
        None => rows,
    }
}

/// What was found so far.
#[derive(Default)]
struct Parts {
    sum: Option<Burn<2>>,
    rows: Vec<Burn<2>>,
    below: Vec<Burn<2>>,
    hidden: Vec<Burn<2>>,
    weight: Option<Burn<2>>,
    bias: Option<Burn<2>>,
    features: Vec<Burn<2>>,
    more: Option<Burn<2>>,
}

impl Parts {
    fn losses(&mut self, losses: Burn<2>, weights: Option<&Burn<2>>) {
        add(&mut self.sum, weighed(losses.clone(), weights.cloned()).sum().reshape([1, 1]));
        self.rows.push(losses);
    }

    fn done(self) -> Result<Loss> {
        let joined = |parts: Vec<Burn<2>>| (!parts.is_empty()).then(|| Burn::cat(parts, 0));
        let value = |t: Option<Burn<2>>, rank| {
            t.map(|t| {
                let [rows, columns] = t.dims();
                let shape = if rank == 1 { [1, 1, 1, 1, rows * columns] } else { [1, 1, 1, rows, columns] };
                Value::float(t.reshape(shape), rank)
            })
        };
        let nothing = || PluginError::new("a loss of nothing");
        Ok(Loss {
            sum: value(self.sum, 1).ok_or_else(nothing)?,
            rows: value(joined(self.rows), 1).ok_or_else(nothing)?,
            below: value(joined(self.below), 1),
            hidden: value(joined(self.hidden), 2),
            weight: value(self.weight, 2),
            bias: value(self.bias, 1),
            added: value(joined(self.features), 2).zip(value(self.more, 2)),
        })
    }
}

fn add(total: &mut Option<Burn<2>>, part: Burn<2>) {
    *total = Some(match total.take() {
        Some(t) => t + part,
        None => part,
    });
}

#[cfg(test)]
mod tests;
