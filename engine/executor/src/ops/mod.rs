//! Every operator in burn's terms, one portable form each.
//!
//! What is worth a fused kernel (attention, norms, rotary, gated activations, linear, linear with cross-entropy) is a
//! single function, here or beside this folder, that a kernel can replace.

mod eigen;
mod fused;
mod index;
mod pointwise;
mod reduce;
mod rotary;
mod shape;
mod size;
mod svd;

pub(super) use fused::linear;
pub(super) use rotary::Angles;

use super::{
    chain,
    value::{R, Value},
};
use framework_core::{Op, PluginError, Result, ffi::HostTensor};

/// The operands of one call, taken in order.
pub(super) struct Operands<'a> {
    op: &'a Op,
    values: std::vec::IntoIter<Value>,
    taken: usize,
}

impl Operands<'_> {
    pub(super) fn next(&mut self) -> Result<Value> {
        self.taken += 1;
        self.values.next().ok_or_else(|| PluginError::new(format!("{:?} needs operand {}", self.op, self.taken)))
    }
}

pub(super) fn execute(op: &Op, values: Vec<Value>) -> Result<Value> {
    size::check(op, &values)?;
    if let Some(later) = chain::put_off(op, &values) {
        return Ok(later);
    }
    let mut operands = Operands { op, values: values.into_iter(), taken: 0 };
    let x = operands.next()?;
    match op {
        Op::Add
        | Op::Sub
        | Op::Mul
        | Op::Div
        | Op::Maximum
        | Op::Minimum
        | Op::Equal
        | Op::Greater
        | Op::Less
        | Op::EqualScalar(_)
        | Op::GreaterScalar(_)
        | Op::LessScalar(_)
        | Op::Where => pointwise::binary(op, x, operands),
        Op::AddScalar(_)
        | Op::MulScalar(_)
        | Op::PowScalar(_)
        | Op::Clamp { .. }
        | Op::Neg
        | Op::Exp
        | Op::Log
        | Op::Sqrt
        | Op::Recip
        | Op::Abs
        | Op::Sign
        | Op::Tanh
        | Op::Sigmoid
        | Op::Sin
        | Op::Cos
        | Op::Erf
        | Op::Activate(_) => pointwise::unary(op, x),
        Op::Softmax { .. }
        | Op::LogSoftmax { .. }
        | Op::Sum { .. }
        | Op::Mean { .. }
        | Op::Max { .. }
        | Op::ArgMax { .. }
        | Op::TopK { .. } => reduce::reduce(op, x),
        Op::Matmul | Op::Linear | Op::LayerNorm { .. } | Op::RmsNorm { .. } | Op::Rotary(_) | Op::GatedActivate(_) => {
            fused::fused(op, x, operands)
        }
        Op::Reshape { .. }
        | Op::SwapDims { .. }
        | Op::Slice { .. }
        | Op::Concat { .. }
        | Op::Expand { .. }
        | Op::Cast { .. }
        | Op::Detach
        | Op::Full { .. }
        | Op::Arange { .. } => shape::shape(op, x, operands),
        Op::Embedding | Op::Gather { .. } | Op::IndexSelect { .. } | Op::IndexAdd { .. } | Op::NonZero => {
            index::index(op, x, operands)
        }
        Op::Svd { k } => svd::svd(x, *k as usize),
        other => Err(PluginError::new(format!("operator {other:?} is not known to this version of the framework"))),
    }
}

/// Where a dimension of `x` is among burn's.
pub(super) fn axis(dim: i64, x: &Value) -> Result<usize> {
    let rank = x.rank as i64;
    let index = if dim < 0 { rank + dim } else { dim };
    if (0..rank).contains(&index) {
        return Ok(R - x.rank + index as usize);
    }
    Err(PluginError::new(format!("dimension {dim} does not exist in {:?}", x.shape())))
}

#[cfg(test)]
mod tests;
