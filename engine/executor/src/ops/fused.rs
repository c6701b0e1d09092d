//! Operators that are worth a kernel of their own.

use super::{
    super::{
        backend::on_processor,
        kernels::{
            bias::biased,
            exact::stacks,
            few::{FEW, few},
            norm::{Norm, normed},
            reshape::reshape,
        },
        precision::{Half, projected},
        value::{R, Value},
    },
    Operands, pointwise,
    rotary::Angles,
};
use burn::tensor::Tensor as Burn;
use framework_core::{Op, PluginError, Result, ffi::HostTensor};

pub(super) fn fused(op: &Op, x: Value, mut rest: Operands) -> Result<Value> {
    let rank = x.rank;
    match op {
        Op::Matmul => {
            let y = rest.next()?;
            let rank = rank.max(y.rank);
            let (x, y) = (x.into_float()?, y.into_float()?);
            let product = if on_processor(&x.device()) { x.matmul(y) } else { stacks(x, y) };
            Ok(Value::float(product, rank))
        }
        Op::Linear => linear(x, rest.next()?, None, None),
        Op::LayerNorm { eps } => {
            let (weight, bias) = (rest.next()?.into_float()?, rest.next()?.into_float()?);
            Ok(Value::float(normed(x.into_float()?, weight, Some(bias), Norm { centred: true, eps: *eps }), rank))
        }
        Op::RmsNorm { eps } => {
            let weight = rest.next()?.into_float()?;
            Ok(Value::float(normed(x.into_float()?, weight, None, Norm { centred: false, eps: *eps }), rank))
        }
        Op::GatedActivate(activation) => {
            let (x, up) = (x.into_float()?, rest.next()?.into_float()?);
            Ok(Value::float(pointwise::gate(x, up, *activation)?, rank))
        }
        Op::Rotary(rotary) => Angles::new(rest.next()?.plain(), rotary)?.rotate(x),
        _ => Err(PluginError::new(format!("{op:?} is not fused"))),
    }
}

/// `x · weightᵀ + bias` for a weight `[out, in]`, as one matrix product over all rows.
pub(in super::super) fn linear(x: Value, weight: Value, bias: Option<Value>, half: Half) -> Result<Value> {
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
    let x = reshape(x.into_float()?, [rows, input]);
    let mut y = match weight.as_stored() {
        Some(stored) => stored.linear(x),
        None => {
            let weight = reshape(weight.into_float()?, [out, input]);
            match rows <= FEW && on_processor(&x.device()) {
                true => few(x, weight),
                false => projected(x, weight, half),
            }
        }
    };
    if let Some(bias) = bias {
        y = biased(y, reshape(bias.into_float()?, [1, out]));
    }
    Ok(Value::float(reshape(y, dims), rank))
}
