//! A teacher that is known by its likeliest tokens alone.

use super::{LOGITS, projection::Projection};
use crate::transfer;
use burn::tensor::{Device, IndexingUpdateOp, Int, Tensor as Burn, activation::log_softmax};
use framework_core::{PluginError, Result};
use std::ops::Range;

/// The likeliest tokens of each row and their logarithmic probabilities, `k` a row. What is missing to a sum of 1 is one
/// more class, which stands for all other tokens.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TopK {
    /// Tokens of a row.
    pub k: usize,
    /// Ids `[rows, k]`.
    pub ids: Vec<i32>,
    /// Natural logarithms of their probabilities `[rows, k]`.
    pub log_probs: Vec<f32>,
}

/// The same on a device.
pub(in super::super) struct Likeliest {
    ids: Burn<2, Int>,
    log_probs: Burn<2>,
}

impl Likeliest {
    pub fn new(known: &TopK, rows: usize, vocab: usize, device: &Device) -> Result<Self> {
        let TopK { k, ids, log_probs } = known;
        if ids.len() != rows * k || log_probs.len() != rows * k {
            let message = format!("the teacher's likeliest tokens are {} of {k} each, not of {rows} rows", ids.len());
            return Err(PluginError::new(message));
        }
        if let Some(bad) = ids.iter().find(|id| usize::try_from(**id).map_or(true, |id| id >= vocab)) {
            let message = format!("the teacher's token id {bad} is outside of the model's vocabulary of {vocab}");
            return Err(PluginError::new(message));
        }
        let ids = transfer::ints(ids.clone(), [rows, *k], device);
        Ok(Self { ids, log_probs: transfer::floats(log_probs.clone(), [rows, *k], device) })
    }

    /// `KL(t ‖ s)` over the `k + 1` classes `[n, 1]`, and its derivative by the student's logits.
    pub fn divergence(&self, student: Burn<2>, rows: Range<usize>) -> (Burn<2>, Burn<2>) {
        let (ids, t) = (self.ids.clone().slice_dim(0, rows.clone()), self.log_probs.clone().slice_dim(0, rows));
        let s = log_softmax(student, 1);
        let (q, of_ids) = (t.clone().exp(), s.clone().gather(1, ids.clone()));
        let rest = |p: Burn<2>| p.sum_dim(1).neg().add_scalar(1.0).clamp_min(1e-7);
        let (p, chosen) = (s.exp(), of_ids.clone().exp());
        let (rest_t, rest_s) = (rest(q.clone()), rest(chosen.clone()));
        let more = rest_t.clone() * (rest_t.clone().log() - rest_s.clone().log());
        let apart = (q.clone() * (t - of_ids)).sum_dim(1) + more;
        // p - q for the known tokens, p - p · rest(t) / rest(s) for all others.
        let share = rest_t / rest_s;
        let of_known = share.clone() * chosen - q;
        let slopes = p * share.neg().add_scalar(1.0);
        (apart, slopes.scatter(1, ids, of_known, IndexingUpdateOp::Add))
    }
}

impl Projection {
    /// The `k` likeliest tokens of each row, at a temperature.
    pub fn likeliest(&self, k: usize, temperature: f64) -> Result<TopK> {
        let (rows, k) = (self.hidden.dims()[0], k.min(self.vocab));
        let (mut ids, mut log_probs) = (Vec::with_capacity(rows * k), Vec::with_capacity(rows * k));
        let step = (LOGITS / self.vocab).max(1);
        for start in (0..rows).step_by(step) {
            let logits = self.logits(start..(start + step).min(rows)).0.div_scalar(temperature);
            let (values, places) = log_softmax(logits, 1).topk_with_indices(k, 1);
            log_probs.extend(transfer::read(|| values.into_data())?);
            ids.extend(transfer::read(|| places.into_data())?.into_iter().map(|id| id as i32));
        }
        Ok(TopK { k, ids, log_probs })
    }
}
