//! Vocabulary projection and cross-entropy in one, with their gradients.
//!
//! The logits `[rows, vocab]` are never held whole: rows are taken a few at a time, and each part's gradient is
//! computed while its probabilities are at hand. No backward pass runs through it.

use super::value::{R, Value};
use burn::tensor::{IndexingUpdateOp, Int, Tensor as Burn, TensorData};
use framework_core::{PluginError, Result};

/// Logits held at a time: 16 Mi numbers, 64 MiB.
const LOGITS: usize = 1 << 24;

/// What is wanted beside the loss.
#[derive(Clone, Copy, Default)]
pub(super) struct Want {
    pub hidden: bool,
    pub weight: bool,
    pub bias: bool,
}

/// What becomes of the projection's result: `softcap · tanh(scale · x / softcap)`.
#[derive(Clone, Copy, Default)]
pub(super) struct Squash {
    pub scale: Option<f64>,
    pub softcap: Option<f64>,
}

impl Squash {
    /// The logits.
    pub fn of(self, x: Value) -> Result<Value> {
        let rank = x.rank;
        Ok(Value::float(self.apply(x.into_float()?).0, rank))
    }

    /// The logits, and their derivative with respect to `x` unless it is 1.
    fn apply<const D: usize>(self, x: Burn<D>) -> (Burn<D>, Option<Burn<D>>) {
        let scale = self.scale.unwrap_or(1.0);
        let x = if scale == 1.0 { x } else { x.mul_scalar(scale) };
        let Some(cap) = self.softcap else {
            let slope = (scale != 1.0).then(|| x.ones_like().mul_scalar(scale));
            return (x, slope);
        };
        let tanh = x.div_scalar(cap).tanh();
        let slope = tanh.clone().square().neg().add_scalar(1.0).mul_scalar(scale);
        (tanh.mul_scalar(cap), Some(slope))
    }
}

/// The summed loss, and the gradients that were asked for.
pub(super) struct Loss {
    pub sum: f64,
    pub hidden: Option<Value>,
    pub weight: Option<Value>,
    pub bias: Option<Value>,
}

/// Sum over rows of `-log softmax(squash(hidden · weightᵀ + bias))[target]`, and `factor` times its gradients.
///
/// Shapes: hidden `[rows, width]`, weight `[vocab, width]`, bias `[vocab]`; one target per row.
pub(super) fn linear_cross_entropy(
    hidden: Value,
    weight: Value,
    bias: Option<Value>,
    squash: Squash,
    targets: &[i32],
    factor: f64,
    want: Want,
) -> Result<Loss> {
    let vocab = weight.dims()[R - 2];
    in_parts((LOGITS / vocab).max(1), hidden, weight, bias, squash, targets, factor, want)
}

/// The same, `at_once` rows at a time.
fn in_parts(
    at_once: usize,
    hidden: Value,
    weight: Value,
    bias: Option<Value>,
    squash: Squash,
    targets: &[i32],
    factor: f64,
    want: Want,
) -> Result<Loss> {
    let (width, vocab) = (hidden.dims()[R - 1], weight.dims()[R - 2]);
    if let Some(bad) = targets.iter().find(|&&t| t < 0 || t as usize >= vocab) {
        return Err(PluginError::new(format!("token id {bad} is outside of the model's vocabulary of {vocab}")));
    }
    let hidden = hidden.into_float()?.reshape([targets.len(), width]);
    let weight = weight.into_float()?.reshape([vocab, width]);
    let bias = bias.map(|b| Ok::<_, PluginError>(b.into_float()?.reshape([1, vocab]))).transpose()?;
    let device = hidden.device();
    let (mut sum, mut d_hidden, mut d_weight, mut d_bias) = (0.0, Vec::new(), None, None);
    for (part, targets) in targets.chunks(at_once).enumerate() {
        let (start, rows) = (part * at_once, targets.len());
        let h: Burn<2> = hidden.clone().slice_dim(0, start..start + rows);
        let mut logits = h.clone().matmul(weight.clone().transpose());
        if let Some(bias) = &bias {
            logits = logits + bias.clone();
        }
        let (logits, slope) = squash.apply(logits);
        let targets = TensorData::new(targets.to_vec(), [rows, 1]);
        let targets = Burn::<2, Int>::from_data(targets, &device);
        let shifted = logits.clone() - logits.max_dim(1);
        let chosen = shifted.clone().gather(1, targets.clone());
        let exp = shifted.exp();
        let total = exp.clone().sum_dim(1);
        sum += f64::from((total.clone().log() - chosen).sum().into_scalar::<f32>());
        if !(want.hidden || want.weight || want.bias) {
            continue;
        }
        let minus_one = Burn::<2>::full([rows, 1], -factor, &device);
        let d_logits = (exp * total.recip().mul_scalar(factor)).scatter(1, targets, minus_one, IndexingUpdateOp::Add);
        let d_logits = match slope {
            Some(slope) => d_logits * slope,
            None => d_logits,
        };
        if want.bias {
            add(&mut d_bias, d_logits.clone().sum_dim(0));
        }
        if want.weight {
            add(&mut d_weight, d_logits.clone().transpose().matmul(h));
        }
        if want.hidden {
            d_hidden.push(d_logits.matmul(weight.clone()));
        }
    }
    let d_hidden = (!d_hidden.is_empty()).then(|| Burn::cat(d_hidden, 0));
    let value = |t: Option<Burn<2>>, rank| {
        t.map(|t| {
            let [rows, columns] = t.dims();
            Value::float(t.reshape([1, 1, 1, rows, columns]), rank)
        })
    };
    Ok(Loss { sum, hidden: value(d_hidden, 2), weight: value(d_weight, 2), bias: value(d_bias, 1) })
}

fn add(total: &mut Option<Burn<2>>, part: Burn<2>) {
    *total = Some(match total.take() {
        Some(t) => t + part,
        None => part,
    });
}

#[cfg(test)]
#[path = "loss_tests.rs"]
mod tests;
