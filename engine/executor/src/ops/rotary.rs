//! Rotary position embedding (Su et al., 2021, arXiv:2104.09864).

use super::super::{
    kernels::rotary::rotated,
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
        let ([_, n, _, time, size], [_, batch, _, steps, half]) = (x.dims(), cos.dims());
        if 2 * half > size || steps != time || !(batch == 1 || batch == n) {
            let shapes = format!("rotary of {:?} at positions [{batch}, {steps}] with {half} angles", x.dims());
            return Err(PluginError::new(shapes));
        }
        Ok(Value::float(rotated(x, cos, sin, interleaved), rank))
    }
}
