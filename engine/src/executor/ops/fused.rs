//! Operators that are worth a kernel of their own.

use super::{
    super::value::{R, Value},
    Operands, pointwise,
};
use burn::tensor::{Int, Tensor as Burn, TensorData, module};
use framework_core::{Op, PluginError, Result, Rotary, ffi::HostTensor};

pub(super) fn fused(op: &Op, x: Value, mut rest: Operands) -> Result<Value> {
    let rank = x.rank;
    match op {
        Op::Matmul => {
            let y = rest.next()?;
            let rank = rank.max(y.rank);
            Ok(Value::float(x.into_float()?.matmul(y.into_float()?), rank))
        }
        Op::Linear => linear(x, rest.next()?, None),
        Op::LayerNorm { eps } => {
            let (weight, bias) = (vector(rest.next()?)?, vector(rest.next()?)?);
            Ok(Value::float(module::layer_norm(x.into_float()?, weight, Some(bias), *eps), rank))
        }
        Op::RmsNorm { eps } => {
            let weight = rest.next()?.into_float()?;
            let x = x.into_float()?;
            let scale = x.clone().square().mean_dim(R - 1).add_scalar(*eps).sqrt().recip();
            Ok(Value::float(x * scale * weight, rank))
        }
        Op::GatedActivate(activation) => {
            let up = rest.next()?.into_float()?;
            Ok(Value::float(pointwise::activate(x.into_float()?, *activation) * up, rank))
        }
        Op::Rotary(rotary) => {
            let positions = rest.next()?.into_int()?;
            Ok(Value::float(rotate(x.into_float()?, positions, rotary)?, rank))
        }
        _ => Err(PluginError::new(format!("{op:?} is not fused"))),
    }
}

fn vector(x: Value) -> Result<Burn<1>> {
    let n = x.dims()[R - 1];
    Ok(x.into_float()?.reshape([n]))
}

/// `x · weightᵀ + bias` for a weight `[out, in]`, as one matrix product over all rows.
pub(in super::super) fn linear(x: Value, weight: Value, bias: Option<Value>) -> Result<Value> {
    let (mut dims, rank, shape) = (x.dims(), x.rank, weight.dims());
    let (out, input) = (shape[R - 2], shape[R - 1]);
    if dims[R - 1] != input || weight.rank != 2 {
        let shapes = format!("input {:?} does not fit a weight {:?} of [out, in]", x.shape(), weight.shape());
        return Err(PluginError::new(shapes));
    }
    let rows = dims[..R - 1].iter().product::<usize>();
    dims[R - 1] = out;
    if rows == 0 {
        return Ok(Value::float(Burn::empty(dims, &x.into_float()?.device()), rank));
    }
    let x = x.into_float()?.reshape([rows, input]);
    let weight = weight.into_float()?.reshape([out, input]);
    let mut y = x.matmul(weight.transpose());
    if let Some(bias) = bias {
        y = y + bias.into_float()?.reshape([1, out]);
    }
    Ok(Value::float(y.reshape(dims), rank))
}

/// Rotates `[batch, heads, time, size]` by the angles at `positions [batch, time]`.
fn rotate(x: Burn<R>, positions: Burn<R, Int>, rotary: &Rotary) -> Result<Burn<R>> {
    let [_, _, _, time, size] = x.dims();
    let [_, _, _, batch, steps] = positions.dims();
    let half = rotary.inv_freq.len();
    if 2 * half > size || steps != time {
        let shapes = format!("rotary of {:?} at positions [{batch}, {steps}] with {half} angles", x.dims());
        return Err(PluginError::new(shapes));
    }
    let inv_freq: Vec<f32> = rotary.inv_freq.iter().map(|&f| f as f32).collect();
    let inv_freq = Burn::<R>::from_data(TensorData::new(inv_freq, [1, 1, 1, 1, half]), &positions.device());
    let angles = positions.reshape([1, batch, 1, steps, 1]).float() * inv_freq;
    let (mut cos, mut sin) = (angles.clone().cos(), angles.sin());
    if rotary.scale != 1.0 {
        (cos, sin) = (cos.mul_scalar(rotary.scale), sin.mul_scalar(rotary.scale));
    }
    let part = |from: usize, to: usize| x.clone().slice_dim(R - 1, from..to);
    let pairs = || {
        let dims = x.dims();
        let pairs = part(0, 2 * half).reshape([dims[1], dims[2], dims[3], half, 2]);
        let column = |i: usize| pairs.clone().slice_dim(4, i..i + 1).reshape([1, dims[1], dims[2], dims[3], half]);
        (column(0), column(1))
    };
    let (a, b) = if rotary.interleaved { pairs() } else { (part(0, half), part(half, 2 * half)) };
    let first = a.clone() * cos.clone() - b.clone() * sin.clone();
    let second = b * cos + a * sin;
    let mut parts = if rotary.interleaved {
        let [_, n, h, t, _] = x.dims();
        let joined = Burn::cat(vec![first.reshape([n, h, t, half, 1]), second.reshape([n, h, t, half, 1])], 4);
        vec![joined.reshape([1, n, h, t, 2 * half])]
    } else {
        vec![first, second]
    };
    if 2 * half < size {
        parts.push(part(2 * half, size));
    }
    Ok(Burn::cat(parts, R - 1))
}
