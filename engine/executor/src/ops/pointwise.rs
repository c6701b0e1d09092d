//! Element by element.

use super::{
    super::{
        groups::EqualTo,
        kernels::activation::{Curve, activated, gated},
        value::{About, Data, Held, R, Value},
    },
    Operands,
};
use burn::tensor::{Int, Tensor as Burn, activation};
use framework_core::{Activation, Op, PluginError, Result, ffi::HostTensor};
use std::sync::Arc;

fn unknown(op: &Op, x: &Value) -> PluginError {
    PluginError::new(format!("{op:?} is not defined for elements of type {:?}", x.dtype()))
}

/// The kernel's name of a non-linearity, if it has it.
fn curve(activation: Activation) -> Option<Curve> {
    Some(match activation {
        Activation::Relu => Curve::Relu,
        Activation::Gelu => Curve::Gelu,
        Activation::GeluTanh => Curve::GeluTanh,
        Activation::Silu => Curve::Silu,
        _ => return None,
    })
}

/// A non-linearity, times `up`.
pub(super) fn gate(x: Burn<R>, up: Burn<R>, activation: Activation) -> Result<Burn<R>> {
    match curve(activation).filter(|_| x.dims() == up.dims()) {
        Some(curve) => Ok(gated(x, up, curve)),
        None => Ok(activate(x, activation)? * up),
    }
}

/// A non-linearity.
pub(super) fn activate(x: Burn<R>, activation: Activation) -> Result<Burn<R>> {
    if let Some(curve) = curve(activation) {
        return Ok(activated(x, curve));
    }
    Ok(match activation {
        // Where e^x would overflow, it is x.
        Activation::Softplus => activation::relu(x.clone()) + x.abs().neg().exp().log1p(),
        other => {
            let message = format!("{other:?} is not known to this version of the framework: update it");
            return Err(PluginError::new(message));
        }
    })
}

pub(super) fn unary(op: &Op, x: Value) -> Result<Value> {
    let rank = x.rank;
    let x = match x.into_data() {
        Data::Float(t) => t,
        Data::Int(t) => return int_unary(op, t, rank),
        Data::Bool(t) => return Err(unknown(op, &Value::bool(t, rank))),
    };
    let y = match *op {
        Op::AddScalar(s) => x.add_scalar(s),
        Op::MulScalar(s) => x.mul_scalar(s),
        Op::PowScalar(2.0) => x.square(),
        Op::PowScalar(s) => x.powf_scalar(s),
        Op::Clamp { min, max } => x.clamp(min, max),
        Op::Neg => x.neg(),
        Op::Exp => x.exp(),
        Op::Log => x.log(),
        Op::Sqrt => x.sqrt(),
        Op::Recip => x.recip(),
        Op::Abs => x.abs(),
        Op::Sign => x.sign(),
        Op::Tanh => x.tanh(),
        Op::Sigmoid => activation::sigmoid(x),
        Op::Sin => x.sin(),
        Op::Cos => x.cos(),
        Op::Erf => x.erf(),
        Op::Activate(activation) => activate(x, activation)?,
        _ => return Err(unknown(op, &Value::float(x, rank))),
    };
    Ok(Value::float(y, rank))
}

fn int_unary(op: &Op, x: Burn<R, Int>, rank: usize) -> Result<Value> {
    let y = match *op {
        Op::AddScalar(s) => x.add_scalar(s as i64),
        Op::MulScalar(s) => x.mul_scalar(s as i64),
        Op::Clamp { min, max } => x.clamp(min as i64, max as i64),
        Op::Neg => x.neg(),
        Op::Abs => x.abs(),
        Op::Sign => x.sign(),
        _ => return Err(unknown(op, &Value::int(x, rank))),
    };
    Ok(Value::int(y, rank))
}

pub(super) fn binary(op: &Op, x: Value, mut rest: Operands) -> Result<Value> {
    match op {
        Op::EqualScalar(s) | Op::GreaterScalar(s) | Op::LessScalar(s) => return compare_scalar(op, x, *s),
        Op::Where => {
            let (a, b) = (rest.next()?, rest.next()?);
            return choose(x, a, b);
        }
        _ => {}
    }
    let y = rest.next()?;
    let rank = x.rank.max(y.rank);
    match (x.into_data(), y.into_data()) {
        (Data::Float(a), Data::Float(b)) => Ok(match op {
            Op::Add => Value::float(a.add(b), rank),
            Op::Sub => Value::float(a.sub(b), rank),
            Op::Mul => Value::float(a.mul(b), rank),
            Op::Div => Value::float(a.div(b), rank),
            Op::Maximum => Value::float(a.max_pair(b), rank),
            Op::Minimum => Value::float(a.min_pair(b), rank),
            Op::Equal => Value::bool(a.equal(b), rank),
            Op::Greater => Value::bool(a.greater(b), rank),
            _ => Value::bool(a.lower(b), rank),
        }),
        (Data::Int(a), Data::Int(b)) => Ok(match op {
            Op::Add => Value::int(a.add(b), rank),
            Op::Sub => Value::int(a.sub(b), rank),
            Op::Mul => Value::int(a.mul(b), rank),
            Op::Div => Value::int(a.div(b), rank),
            Op::Maximum => Value::int(a.max_pair(b), rank),
            Op::Minimum => Value::int(a.min_pair(b), rank),
            Op::Equal => Value::bool(a.equal(b), rank),
            Op::Greater => Value::bool(a.greater(b), rank),
            _ => Value::bool(a.lower(b), rank),
        }),
        (Data::Bool(a), Data::Bool(b)) => Ok(match op {
            Op::Mul | Op::Minimum => Value::bool(a.bool_and(b), rank),
            Op::Add | Op::Maximum => Value::bool(a.bool_or(b), rank),
            Op::Equal => Value::bool(a.equal(b), rank),
            _ => return Err(PluginError::new(format!("{op:?} is not defined for masks"))),
        }),
        _ => Err(PluginError::new(format!("{op:?} of two different element types; cast one of them"))),
    }
}

fn compare_scalar(op: &Op, x: Value, s: f64) -> Result<Value> {
    let rank = x.rank;
    let about = equal_to(op, &x, s);
    let mask = Value::bool(
        match (op, x.into_data()) {
            (Op::EqualScalar(_), Data::Float(t)) => t.equal_scalar(s as f32),
            (Op::GreaterScalar(_), Data::Float(t)) => t.greater_scalar(s),
            (_, Data::Float(t)) => t.lower_scalar(s),
            // No integer is equal to a fraction.
            (Op::EqualScalar(_), Data::Int(t)) if s.fract() != 0.0 => t.clone().lower(t),
            (Op::EqualScalar(_), Data::Int(t)) => t.equal_scalar(s as i64),
            (Op::GreaterScalar(_), Data::Int(t)) => t.greater_scalar(s.floor() as i64),
            (_, Data::Int(t)) => t.lower_scalar(s.ceil() as i64),
            (op, Data::Bool(t)) => return Err(unknown(op, &Value::bool(t, rank))),
        },
        rank,
    );
    Ok(Value { about, ..mask })
}

/// What a mask is that compares a list of integers with one of them.
fn equal_to(op: &Op, x: &Value, s: f64) -> Option<About> {
    match (op, &x.held, &x.about) {
        (Op::EqualScalar(_), Held::Dense(Data::Int(list)), Some(About::List(groups)))
            if x.rank == 1 && s == f64::from(s as i32) =>
        {
            let (list, groups) = (list.clone(), groups.clone());
            Some(About::Equal(Arc::new(EqualTo { list, groups, value: s as i32 })))
        }
        _ => None,
    }
}

fn choose(mask: Value, a: Value, b: Value) -> Result<Value> {
    let rank = mask.rank.max(a.rank).max(b.rank);
    let mut dims = mask.dims();
    for other in [a.dims(), b.dims()] {
        for (d, n) in dims.iter_mut().zip(other) {
            *d = (*d).max(n);
        }
    }
    let mask = mask.into_bool()?.expand(dims);
    match (a.into_data(), b.into_data()) {
        (Data::Float(a), Data::Float(b)) => Ok(Value::float(b.expand(dims).mask_where(mask, a.expand(dims)), rank)),
        (Data::Int(a), Data::Int(b)) => Ok(Value::int(b.expand(dims).mask_where(mask, a.expand(dims)), rank)),
        _ => Err(PluginError::new("`choose` takes two numbers of the same element type")),
    }
}
