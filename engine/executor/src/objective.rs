//! What a step's loss is a function of.

use super::{
    Network, Value,
    layout::Layout,
    loss::{
        Cost, Criterion, Divergence, Head, Likeliest, Loss, Projection, Taught, Tokens, TopK, Want, projected_loss,
    },
    network::Picked,
    pass::Setup,
    train::{placed, supervised},
};
use burn::tensor::Device;
use framework_base::Batch;
use framework_core::{Op, PluginError, Result, ffi::HostTensor};
use std::sync::Arc;

/// What a step's loss is.
pub enum Objective<'a> {
    /// The cross-entropy of each label, times the weight of its sequence.
    Tokens(Tokens),
    /// A function of the labels' probabilities.
    Likelihoods(&'a dyn Likelihoods),
    /// Cross-entropy mixed with the distance from a teacher's distribution, times the weight of each sequence.
    Distillation {
        /// The distance's share, from 0 to 1; the rest is cross-entropy.
        share: f64,
        /// Both models' logits are divided by it, and the distance is multiplied with its square.
        temperature: f64,
        /// The teacher.
        teacher: Teacher<'a>,
    },
}

impl Default for Objective<'_> {
    fn default() -> Self {
        Self::Tokens(Tokens::default())
    }
}

/// A loss that is a function of the labels' probabilities.
pub trait Likelihoods: Sync {
    /// The loss of a batch, from `-log p` of its labels, row by row, and its derivative by each of them.
    fn loss(&self, batch: &Batch, losses: &[f32]) -> Result<(f64, Vec<f32>)>;
}

/// Where a teacher's distributions come from.
#[derive(Clone, Copy)]
pub enum Teacher<'a> {
    /// A network with a vocabulary of the same ids; `bare`: without its adapter.
    Network {
        /// The network.
        network: &'a Arc<Network>,
        /// Leave its adapter out.
        bare: bool,
        /// How the distance is measured.
        divergence: Divergence,
    },
    /// The likeliest tokens for each of the batch's labels, row by row; the distance is `KL(teacher ‖ student)`.
    Likeliest(&'a TopK),
}

/// What a teacher has found out about a batch.
pub(super) enum Known {
    Nothing,
    Logits(Box<Projection>, Divergence),
    Likeliest(Box<Likeliest>),
}

impl Known {
    /// How rows of logits become losses.
    pub fn criterion<'a>(&'a self, objective: &Objective) -> Criterion<'a> {
        let of = |teacher| match *objective {
            Objective::Distillation { share, temperature, .. } => {
                Criterion::Distillation { share, temperature, teacher }
            }
            _ => Criterion::Tokens(Tokens::default()),
        };
        match (self, objective) {
            (Self::Logits(projection, divergence), _) => of(Taught::Logits { projection, divergence: *divergence }),
            (Self::Likeliest(likeliest), _) => of(Taught::Likeliest(likeliest)),
            (Self::Nothing, Objective::Tokens(tokens)) => Criterion::Tokens(*tokens),
            (Self::Nothing, _) => Criterion::Tokens(Tokens::default()),
        }
    }
}

impl Objective<'_> {
    /// Asks the teacher, if there is one, about a batch's labels; `vocab` and `device` are the student's.
    pub(super) fn ask(&self, batch: &Batch, vocab: usize, device: &Device) -> Result<Known> {
        let Self::Distillation { teacher, .. } = self else { return Ok(Known::Nothing) };
        let labels = supervised(batch).1.len();
        match *teacher {
            Teacher::Likeliest(known) => Ok(Known::Likeliest(Box::new(Likeliest::new(known, labels, vocab, device)?))),
            Teacher::Network { network, bare, divergence } => {
                let picked = network.predicting(batch, bare)?;
                Ok(Known::Logits(Box::new(network.projection(picked, labels)?), divergence))
            }
        }
    }
}

/// The weight of each label, if sequences have any.
pub(super) fn weights(batch: &Batch) -> Option<Vec<f32>> {
    let counts = batch.labels_by_sequence();
    let each = |(weight, n): (&f32, usize)| std::iter::repeat_n(*weight, n);
    (!batch.weights.is_empty()).then(|| batch.weights.iter().zip(counts).flat_map(each).collect())
}

impl Network {
    /// Hidden states that a batch's labels are predicted from.
    pub(super) fn predicting(self: &Arc<Self>, batch: &Batch, bare: bool) -> Result<Picked> {
        let ids = batch.ids.iter().map(|&id| id as i32).collect();
        let setup = Setup { segments: batch.segments.clone(), bare, ..Setup::plain(batch.rows, batch.time) };
        self.hidden(ids, setup, |layout: &Layout| placed(supervised(batch).0, layout))
    }

    pub(super) fn head_with(&self, added: Option<(Value, Value)>) -> Result<Head> {
        let (weight, bias) = self.output()?;
        Ok(Head { weight, bias, added, squash: self.logits_of(), half: self.device().half })
    }

    pub(super) fn projection(&self, picked: Picked, rows: usize) -> Result<Projection> {
        Projection::new(picked.hidden, self.head_with(picked.added)?, rows)
    }

    /// `-log p` of a batch's labels, row by row; `bare`: without the adapter.
    pub fn label_losses(self: &Arc<Self>, batch: &Batch, bare: bool) -> Result<Vec<f32>> {
        let targets = supervised(batch).1;
        if targets.is_empty() {
            return Ok(Vec::new());
        }
        let picked = self.predicting(batch, bare)?;
        let (hidden, head) = (picked.hidden, self.head_with(picked.added)?);
        projected_loss(hidden, head, &Cost::plain(&targets, 1.0), Want::default())?.rows.to_f32()
    }

    /// The `k` likeliest tokens for each of a batch's labels, at a temperature; `bare`: without the adapter.
    pub fn likeliest(self: &Arc<Self>, batch: &Batch, k: usize, temperature: f64, bare: bool) -> Result<TopK> {
        let rows = supervised(batch).1.len();
        if rows == 0 {
            return Ok(TopK { k, ..TopK::default() });
        }
        self.projection(self.predicting(batch, bare)?, rows)?.likeliest(k, temperature)
    }

    /// The summed loss of a batch, without gradients and random factors.
    pub fn loss(self: &Arc<Self>, batch: &Batch, objective: &Objective) -> Result<f64> {
        if let Objective::Likelihoods(likelihoods) = objective {
            return Ok(likelihoods.loss(batch, &self.label_losses(batch, false)?)?.0);
        }
        let targets = supervised(batch).1;
        if targets.is_empty() {
            return Ok(0.0);
        }
        let known = objective.ask(batch, self.spec().vocab_size, &self.device().burn)?;
        let picked = self.predicting(batch, false)?;
        let rows = (picked.hidden, self.head_with(picked.added)?);
        let (sum, _) = loss(objective, batch, rows, (&targets, &known), (1.0, Want::default()))?;
        Ok(f64::from(sum.scalar()?))
    }
}

/// The loss of rows of hidden states under an objective, and `factor` times its gradients.
pub(super) fn loss(
    objective: &Objective,
    batch: &Batch,
    (hidden, head): (Value, Head),
    (targets, known): (&[i32], &Known),
    (factor, want): (f64, Want),
) -> Result<(Value, Loss)> {
    let Objective::Likelihoods(likelihoods) = objective else {
        let weights = weights(batch);
        let criterion = known.criterion(objective);
        let cost = Cost { targets, criterion, factor, weights: weights.as_deref() };
        let loss = projected_loss(hidden, head, &cost, want)?;
        return Ok((loss.sum.clone(), loss));
    };
    let alone = !want.weight && !want.bias && head.added.is_none();
    // The gradient of a row's hidden state is its weight times that of its label's loss: one pass does, unless there are
    // gradients that are sums over rows.
    let first = Want { hidden: alone && want.hidden, ..Want::default() };
    let mut found = projected_loss(hidden.clone(), head.clone(), &Cost::plain(targets, 1.0), first)?;
    let (sum, weights) = likelihoods.loss(batch, &found.rows.to_f32()?)?;
    if weights.len() != targets.len() {
        return Err(PluginError::new(format!("an objective weighs {} labels of {}", weights.len(), targets.len())));
    }
    let device = hidden.device();
    let sum = Value::float(crate::transfer::floats(vec![sum as f32], [1, 1, 1, 1, 1], &device), 1);
    if !alone {
        let cost = Cost { weights: Some(&weights), ..Cost::plain(targets, factor) };
        return Ok((sum, projected_loss(hidden, head, &cost, want)?));
    }
    if let Some(grad) = found.hidden.take() {
        let weights = weights.iter().map(|weight| weight * factor as f32).collect();
        let weights = crate::transfer::floats(weights, [1, 1, 1, targets.len(), 1], &device);
        found.hidden = Some(Value::execute(Op::Mul, vec![grad, Value::float(weights, 2)])?);
    }
    Ok((sum, found))
}

#[cfg(test)]
mod tests;
