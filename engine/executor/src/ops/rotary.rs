//! Rotary position embedding (Su et al., 2021, arXiv:2104.09864).

use super::super::{
    transfer,
    value::{R, Value},
};
use burn::tensor::Tensor as Burn;
use framework_core::{PluginError, Result, Rotary};

/// Sine and cosine `[1, batch, 1, time, pairs]` of the angles at some positions.
#[derive(Clone)]
pub(in super::super) struct Angles {
    cos: Burn<R>,
    sin: Burn<R>,
    interleaved: bool,
}

impl Angles {
    /// The angles at positions `[batch, time]`.
    pub fn new(positions: Value, rotary: &Rotary) -> Result<Self> {
        let positions = positions.into_int()?;
        let [_, _, _, batch, time] = positions.dims();
        let pairs = rotary.inv_freq.len();
        let inv_freq: Vec<f32> = rotary.inv_freq.iter().map(|&f| f as f32).collect();
        let inv_freq: Burn<R> = transfer::floats(inv_freq, [1, 1, 1, 1, pairs], &positions.device());
        let angles = positions.reshape([1, batch, 1, time, 1]).float() * inv_freq;
        let (mut cos, mut sin) = (angles.clone().cos(), angles.sin());
        if rotary.scale != 1.0 {
            (cos, sin) = (cos.mul_scalar(rotary.scale), sin.mul_scalar(rotary.scale));
        }
        Ok(Self { cos, sin, interleaved: rotary.interleaved })
    }

    /// Rotates `[batch, heads, time, size]`.
    pub fn rotate(self, x: Value) -> Result<Value> {
        let rank = x.rank;
        let x = x.into_float()?;
        let Self { mut cos, mut sin, interleaved } = self;
        if x.is_autodiff() {
            (cos, sin) = (cos.autodiff(), sin.autodiff());
        }
        let ([_, n, h, time, size], [_, batch, _, steps, half]) = (x.dims(), cos.dims());
        if 2 * half > size || steps != time {
            let shapes = format!("rotary of {:?} at positions [{batch}, {steps}] with {half} angles", x.dims());
            return Err(PluginError::new(shapes));
        }
        let part = |from: usize, to: usize| x.clone().slice_dim(R - 1, from..to);
        let pairs = || {
            let pairs = part(0, 2 * half).reshape([n, h, time, half, 2]);
            let column = |i: usize| pairs.clone().slice_dim(4, i..i + 1).reshape([1, n, h, time, half]);
            (column(0), column(1))
        };
        let (a, b) = if interleaved { pairs() } else { (part(0, half), part(half, 2 * half)) };
        let first = a.clone() * cos.clone() - b.clone() * sin.clone();
        let second = b * cos + a * sin;
        let mut parts = if interleaved {
            let column = |x: Burn<R>| x.reshape([n, h, time, half, 1]);
            let joined = Burn::cat(vec![column(first), column(second)], 4);
            vec![joined.reshape([1, n, h, time, 2 * half])]
        } else {
            vec![first, second]
        };
        if 2 * half < size {
            parts.push(part(2 * half, size));
        }
        Ok(Value::float(Burn::cat(parts, R - 1), rank))
    }
}
