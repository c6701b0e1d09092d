//! Along one dimension.

use super::{
    super::value::{Data, Value},
    axis,
};
use burn::tensor::activation;
use framework_core::{Op, PluginError, Result};

pub(super) fn reduce(op: &Op, x: Value) -> Result<Value> {
    let rank = x.rank;
    let dim = match op {
        Op::TopK { .. } => axis(-1, &x)?,
        Op::Softmax { dim }
        | Op::LogSoftmax { dim }
        | Op::Sum { dim }
        | Op::Mean { dim }
        | Op::Max { dim }
        | Op::ArgMax { dim } => axis(*dim, &x)?,
        _ => return Err(PluginError::new(format!("{op:?} does not reduce"))),
    };
    match x.into_data() {
        Data::Float(t) => Ok(match op {
            Op::Softmax { .. } => Value::float(activation::softmax(t, dim), rank),
            Op::LogSoftmax { .. } => Value::float(activation::log_softmax(t, dim), rank),
            Op::Sum { .. } => Value::float(t.sum_dim(dim), rank),
            Op::Mean { .. } => Value::float(t.mean_dim(dim), rank),
            Op::Max { .. } => Value::float(t.max_dim(dim), rank),
            Op::ArgMax { .. } => Value::int(t.argmax(dim), rank),
            Op::TopK { k } => Value::int(t.topk_with_indices(*k as usize, dim).1, rank),
            _ => unreachable!("matched above"),
        }),
        Data::Int(t) => Ok(match op {
            Op::Sum { .. } => Value::int(t.sum_dim(dim), rank),
            Op::Max { .. } => Value::int(t.max_dim(dim), rank),
            Op::ArgMax { .. } => Value::int(t.argmax(dim), rank),
            _ => return Err(PluginError::new(format!("{op:?} is not defined for integers; cast to a float type"))),
        }),
        Data::Bool(_) => Err(PluginError::new(format!("{op:?} is not defined for masks"))),
    }
}
