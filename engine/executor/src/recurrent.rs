//! Layers with a state that goes from token to token: causal convolution and linear recurrence.
//!
//! A sequence begins with nothing before it, wherever it stands in its row, and padding in front of it leaves no trace.

use super::{
    Device,
    value::{R, Value},
};
use burn::tensor::{Int, Tensor as Burn};
use framework_core::{PluginError, Result, ffi::HostTensor};

/// Where tokens stand in their sequences, `[rows, time]`.
pub(super) struct Steps<'a> {
    pub positions: Burn<2, Int>,
    pub rows: usize,
    pub time: usize,
    pub device: &'a Device,
    /// Whether a gradient graph is built.
    pub graph: bool,
}

impl Steps<'_> {
    /// 1 where a token has at least `distance` tokens of its sequence before it, else 0.
    fn mask(&self, distance: usize, rank: usize) -> Burn<R> {
        let mut dims = [1; R];
        (dims[R - rank], dims[R - rank + 1]) = (self.rows, self.time);
        let mask = self.positions.clone().greater_equal_scalar(distance as i64).float().reshape(dims);
        if self.graph { mask.autodiff() } else { mask }
    }
}

/// `y[t] = Σⱼ w[c, j] · x[t - kernel + 1 + j]` for `x` `[rows, time, channels]` behind the last inputs of the pass
/// before, `[rows, kernel - 1, channels]`; also the last inputs of this one.
pub(super) fn conv(steps: &Steps, x: Value, weight: Value, before: Option<Value>) -> Result<(Value, Value)> {
    let ([_, _, rows, time, channels], kernel) = (x.dims(), weight.dims()[R - 1]);
    if x.rank != 3 || weight.dims()[R - 2] != channels || kernel == 0 {
        let message = format!("a convolution of {:?} with {:?}", x.shape(), weight.shape());
        return Err(PluginError::new(message));
    }
    let (x, weight) = (x.into_float()?, weight.into_float()?);
    let before = match before {
        Some(before) => before.into_float()?,
        None => {
            let zeros = Burn::zeros([1, 1, rows, kernel - 1, channels], &steps.device.burn);
            if steps.graph { zeros.autodiff() } else { zeros }
        }
    };
    let all = if kernel > 1 { Burn::cat(vec![before, x], 3) } else { x };
    let mut sum: Option<Burn<R>> = None;
    for distance in 0..kernel {
        let from = kernel - 1 - distance;
        let factor = weight.clone().slice_dim(R - 1, from..from + 1).reshape([1, 1, 1, 1, channels]);
        let mut part = all.clone().slice_dim(3, from..from + time) * factor;
        if distance > 0 {
            part = part * steps.mask(distance, 3);
        }
        sum = Some(match sum {
            Some(sum) => sum + part,
            None => part,
        });
    }
    let y = sum.ok_or_else(|| PluginError::new("a convolution over nothing"))?;
    let last = all.slice_dim(3, time..time + kernel - 1);
    Ok((Value::float(y, 3), Value::float(last, 3)))
}

/// `h[t] = decay[t] · h[t - 1] + input[t]` for `[rows, time, …]` behind the state `[rows, 1, …]` of the pass before; also
/// the last state.
///
/// All tokens at once, in `log₂(time)` rounds (Hillis and Steele, 1986).
pub(super) fn scan(steps: &Steps, decay: Value, input: Value, before: Option<Value>) -> Result<(Value, Value)> {
    let (rank, time) = (decay.rank, steps.time);
    if rank < 3 || decay.shape() != input.shape() || decay.shape()[..2] != [steps.rows, time] {
        let message = format!("a recurrence of {:?} and {:?}", decay.shape(), input.shape());
        return Err(PluginError::new(message));
    }
    let axis = R - rank + 1;
    // What is before a sequence does not reach into it.
    let mut a = decay.into_float()? * steps.mask(1, rank);
    let mut b = input.into_float()?;
    if let Some(before) = before {
        let first = b.clone().slice_dim(axis, 0..1) + a.clone().slice_dim(axis, 0..1) * before.into_float()?;
        b = if time > 1 { Burn::cat(vec![first, b.slice_dim(axis, 1..time)], axis) } else { first };
    }
    let mut reach = 1;
    while reach < time {
        let part = |x: &Burn<R>, from: usize, to: usize| x.clone().slice_dim(axis, from..to);
        let (near, far) = (part(&a, reach, time), part(&b, 0, time - reach));
        let later = near.clone() * far + part(&b, reach, time);
        b = Burn::cat(vec![part(&b, 0, reach), later], axis);
        if 2 * reach < time {
            let products = near * part(&a, 0, time - reach);
            a = Burn::cat(vec![part(&a, 0, reach), products], axis);
        }
        reach *= 2;
    }
    let last = b.clone().slice_dim(axis, time - 1..time);
    Ok((Value::float(b, rank), Value::float(last, rank)))
}

#[cfg(test)]
#[path = "recurrent_tests.rs"]
mod tests;
