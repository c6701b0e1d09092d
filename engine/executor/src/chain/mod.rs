//! Chains of elementwise operators that are put off until their results are asked for, and then computed together, a few
//! numbers at a time: an optimizer's update reads and writes memory once instead of once for each operator.
//!
//! Each operator is computed as it would be alone, so that the numbers are the same.

mod program;
#[cfg(test)]
mod tests;

use super::{
    backend::on_processor,
    value::{Data, Held, R, Value},
};
use burn::tensor::Tensor as Burn;
use framework_core::{Op, PluginError, Result};
use program::{Known, Program};
use std::sync::Arc;

/// Numbers of a tensor below which there is nothing to gain.
const LEAST: usize = 1 << 12;

/// What an operator does with two numbers, or with one and a constant.
#[derive(Clone, Copy)]
enum Step {
    Add,
    Sub,
    Mul,
    Div,
    AddScalar(f32),
    MulScalar(f32),
    Neg,
    Sqrt,
}

impl Step {
    fn of(op: &Op) -> Option<(Self, usize)> {
        Some(match op {
            Op::Add => (Self::Add, 2),
            Op::Sub => (Self::Sub, 2),
            Op::Mul => (Self::Mul, 2),
            Op::Div => (Self::Div, 2),
            Op::AddScalar(s) => (Self::AddScalar(*s as f32), 1),
            Op::MulScalar(s) => (Self::MulScalar(*s as f32), 1),
            Op::Neg => (Self::Neg, 1),
            Op::Sqrt => (Self::Sqrt, 1),
            _ => return None,
        })
    }

    #[inline(always)]
    fn compute(self, a: &[f32], b: &[f32], out: &mut [f32]) {
        #[inline(always)]
        fn each(a: &[f32], b: &[f32], out: &mut [f32], f: impl Fn(f32, f32) -> f32) {
            out.iter_mut().zip(a.iter().zip(b)).for_each(|(out, (a, b))| *out = f(*a, *b));
        }
        match self {
            Self::Add => each(a, b, out, |a, b| a + b),
            Self::Sub => each(a, b, out, |a, b| a - b),
            Self::Mul => each(a, b, out, |a, b| a * b),
            Self::Div => each(a, b, out, |a, b| a / b),
            Self::AddScalar(s) => each(a, a, out, |a, _| a + s),
            Self::MulScalar(s) => each(a, a, out, |a, _| a * s),
            Self::Neg => each(a, a, out, |a, _| -a),
            Self::Sqrt => each(a, a, out, |a, _| a.sqrt()),
        }
    }
}

/// A tensor that is there, or an operator that is put off.
pub(super) struct Later {
    pub(super) dims: [usize; R],
    what: What,
}

#[expect(clippy::large_enum_variant, reason = "there are a few of them in an update")]
enum What {
    There(Burn<R>),
    Computed(Step, [Arc<Later>; 2]),
}

impl Later {
    pub(super) fn device(&self) -> burn::tensor::Device {
        match &self.what {
            What::There(t) => t.device(),
            What::Computed(_, [a, _]) => a.device(),
        }
    }
}

impl Later {
    /// Computes it alone.
    pub(super) fn computed(self: Arc<Self>) -> Burn<R> {
        if let What::There(t) = &self.what {
            return t.clone();
        }
        let mut program = Program::new(self.dims);
        let root = program.add(&self, &mut Known::new());
        program.roots.push(root);
        drop(self);
        program.run().expect("a chain of 32-bit numbers has a result").remove(0)
    }
}

impl Value {
    /// The same; what elementwise operators make of it is put off, where that is worth it.
    pub fn put_off(self) -> Self {
        let Self { held, rank, about } = self;
        let worth =
            |t: &Burn<R>| t.dims().iter().product::<usize>() >= LEAST && !t.is_autodiff() && on_processor(&t.device());
        match held {
            Held::Dense(Data::Float(t)) if worth(&t) && t.dtype() == burn::tensor::DType::F32 => {
                let later = Later { dims: t.dims(), what: What::There(t) };
                Self { held: Held::Later(Arc::new(later)), rank, about: None }
            }
            held => Self { held, rank, about },
        }
    }

    /// Computes all that is put off in these values: together, if they are of one shape. Tensors that nobody else holds are
    /// made the results.
    pub fn computed(values: Vec<Self>) -> Result<Vec<Self>> {
        let mut groups: Vec<(Program, Known)> = Vec::new();
        let mut places = Vec::new();
        for value in values {
            places.push(match value.held {
                Held::Later(later) => {
                    let group = groups.iter().position(|(program, _)| program.dims == later.dims);
                    let group = group.unwrap_or_else(|| {
                        groups.push((Program::new(later.dims), Known::new()));
                        groups.len() - 1
                    });
                    let (program, known) = &mut groups[group];
                    let node = program.add(&later, known);
                    program.roots.push(node);
                    Place::Computed { group, rank: value.rank }
                }
                held => Place::There(Self { held, ..value }),
            });
        }
        let mut results = Vec::new();
        for (program, known) in groups {
            // It holds the leaves, too, without which they can be changed in place.
            drop(known);
            results.push(program.run()?.into_iter());
        }
        let of_place = |place| match place {
            Place::There(value) => Ok(value),
            Place::Computed { group, rank } => {
                let result: Option<Burn<R>> = results[group].next();
                result.map(|t| Self::float(t, rank)).ok_or_else(|| PluginError::new("a result was lost"))
            }
        };
        places.into_iter().map(of_place).collect()
    }
}

#[expect(clippy::large_enum_variant, reason = "there are a few of them in an update")]
enum Place {
    There(Value),
    Computed { group: usize, rank: usize },
}

/// The operator put off, if it can be: one of them at least has been put off before.
pub(super) fn put_off(op: &Op, values: &[Value]) -> Option<Value> {
    let (step, count) = Step::of(op)?;
    let operand = |value: &Value| match &value.held {
        Held::Later(later) => Some(later.clone()),
        _ => None,
    };
    let operands: Option<Vec<_>> = values.iter().take(count).map(operand).collect();
    let operands = operands.filter(|all| all.len() == count && all[0].dims == all[count - 1].dims)?;
    let [a, b] = [operands[0].clone(), operands[count - 1].clone()];
    let (dims, rank) = (a.dims, values[0].rank.max(values[count - 1].rank));
    let later = Later { dims, what: What::Computed(step, [a, b]) };
    Some(Value { held: Held::Later(Arc::new(later)), rank, about: None })
}
