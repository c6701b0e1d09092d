//! Shapes, types and constants.

use super::{
    super::{
        kernels::{
            reshape::reshape,
            slice::{Part, part},
        },
        value::{Data, R, Value, padded, reshaped},
    },
    Operands, axis,
};
use burn::tensor::{Bool, FloatDType, Int, Tensor as Burn};
use framework_core::{DType, Op, PluginError, Result, ffi::HostTensor};

/// Applies the same expression to whatever kind a value is.
macro_rules! each_kind {
    ($x:expr, $t:ident => $e:expr) => {
        match $x {
            Data::Float($t) => Data::Float($e),
            Data::Int($t) => Data::Int($e),
            Data::Bool($t) => Data::Bool($e),
        }
    };
}

pub(super) fn shape(op: &Op, x: Value, rest: Operands) -> Result<Value> {
    let rank = x.rank;
    Ok(match op {
        Op::Reshape { shape } => {
            let shape = resolve(&x.shape(), shape)?;
            let full = padded(&shape)?;
            let data = match x.into_data() {
                Data::Float(t) if !full.contains(&0) => Data::Float(reshape(t, full)),
                other => each_kind!(other, t => reshaped!(t, full)),
            };
            Value::dense(data, shape.len())
        }
        Op::SwapDims { a, b } => {
            let (a, b) = (axis(*a, &x)?, axis(*b, &x)?);
            Value::dense(each_kind!(x.into_data(), t => t.swap_dims(a, b)), rank)
        }
        Op::Slice { dim, start, end } => {
            let dim = axis(*dim, &x)?;
            let (start, end) = (*start as usize, *end as usize);
            if start > end || end > x.dims()[dim] {
                return Err(PluginError::new(format!("slice {start}..{end} of {:?}", x.shape())));
            }
            match x.into_data() {
                Data::Float(t) => Value::float(part(t, Part { dim, range: start..end }), rank),
                Data::Int(t) => Value::int(t.slice_dim(dim, start..end), rank),
                Data::Bool(t) => Value::bool(t.slice_dim(dim, start..end), rank),
            }
        }
        Op::Expand { shape } => {
            let shape: Vec<usize> = shape.iter().map(|&n| n as usize).collect();
            let full = padded(&shape)?;
            Value::dense(each_kind!(x.into_data(), t => t.expand(full)), shape.len())
        }
        Op::Concat { dim } => concat(*dim, x, rest)?,
        Op::Cast { dtype } => cast(x, *dtype)?,
        Op::Detach => match x.into_data() {
            Data::Float(t) => Value::float(t.detach(), rank),
            other => Value::dense(other, rank),
        },
        Op::Full { shape, value, dtype } => {
            let shape: Vec<usize> = shape.iter().map(|&n| n as usize).collect();
            full(&x, &shape, *value, *dtype)?
        }
        Op::Arange { start, end } => {
            let t = Burn::<1, Int>::arange(*start..*end, &device(&x));
            let n = t.dims()[0];
            Value::int(t.reshape([1, 1, 1, 1, n]), 1)
        }
        _ => return Err(PluginError::new(format!("{op:?} does not shape"))),
    })
}

fn device(x: &Value) -> burn::tensor::Device {
    x.device()
}

fn resolve(from: &[usize], to: &[i64]) -> Result<Vec<usize>> {
    let count: usize = from.iter().product();
    let known: usize = to.iter().filter(|&&n| n >= 0).map(|&n| n as usize).product();
    let shape: Vec<usize> =
        to.iter().map(|&n| if n < 0 { count.checked_div(known).unwrap_or(0) } else { n as usize }).collect();
    if shape.iter().product::<usize>() == count {
        return Ok(shape);
    }
    Err(PluginError::new(format!("{from:?} cannot be reshaped to {to:?}")))
}

fn concat(dim: i64, first: Value, mut rest: Operands) -> Result<Value> {
    let (dim, rank) = (axis(dim, &first)?, first.rank);
    match first.into_data() {
        Data::Float(t) => {
            let mut all = vec![t];
            while let Ok(next) = rest.next() {
                all.push(next.into_float()?);
            }
            Ok(Value::float(Burn::cat(all, dim), rank))
        }
        Data::Int(t) => {
            let mut all = vec![t];
            while let Ok(next) = rest.next() {
                all.push(next.into_int()?);
            }
            Ok(Value::int(Burn::cat(all, dim), rank))
        }
        Data::Bool(_) => Err(PluginError::new("masks cannot be joined; cast them to integers")),
    }
}

fn cast(x: Value, dtype: DType) -> Result<Value> {
    let rank = x.rank;
    let float = match dtype {
        DType::F16 => FloatDType::F16,
        DType::BF16 => FloatDType::BF16,
        DType::F32 | DType::Int | DType::Bool => FloatDType::F32,
        other => {
            let message = format!("{other:?} is not known to this version of the framework: update it");
            return Err(PluginError::new(message));
        }
    };
    Ok(match (x.into_data(), dtype) {
        (Data::Float(t), DType::Int) => Value::int(t.int(), rank),
        (Data::Float(t), DType::Bool) => Value::bool(t.not_equal_scalar(0.0f32), rank),
        (Data::Float(t), _) => Value::float(t.cast(float), rank),
        (Data::Int(t), DType::Bool) => Value::bool(t.not_equal_scalar(0i64), rank),
        (Data::Int(t), DType::Int) => Value::int(t, rank),
        (Data::Int(t), _) => Value::float(t.float().cast(float), rank),
        (Data::Bool(t), DType::Bool) => Value::bool(t, rank),
        (Data::Bool(t), DType::Int) => Value::int(t.int(), rank),
        (Data::Bool(t), _) => Value::float(t.float().cast(float), rank),
    })
}

fn full(like: &Value, shape: &[usize], value: f64, dtype: DType) -> Result<Value> {
    let (dims, device, rank) = (padded(shape)?, device(like), shape.len());
    Ok(match dtype {
        DType::Int => Value::int(Burn::<R, Int>::full(dims, value as i64, &device), rank),
        DType::Bool => {
            let zeros = Burn::<R, Int>::full(dims, (value != 0.0) as i64, &device);
            let mask: Burn<R, Bool> = zeros.not_equal_scalar(0i64);
            Value::bool(mask, rank)
        }
        _ => cast(Value::float(Burn::<R>::full(dims, value, &device), rank), dtype)?,
    })
}
