//! What differentiation keeps of a pass: the memory behind the results that the way back needs.

use super::{MetaTensor, infer};
use crate::{Activation, DType, Op};

/// The memory behind a tensor; views share it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Buffer {
    /// Its number; none for a parameter, which is there in any case.
    number: Option<u64>,
    bytes: u64,
}

impl Buffer {
    pub fn of_param() -> Self {
        Self { number: None, bytes: 0 }
    }

    pub fn new(number: u64, shape: &[usize], dtype: DType) -> Self {
        let size = match dtype {
            DType::Bool => 1,
            DType::F16 | DType::BF16 => 2,
            _ => 4,
        };
        Self { number: Some(number), bytes: infer::count(shape).saturating_mul(size) }
    }
}

/// Whether a result is another look at its first operand.
pub(super) fn is_view(op: &Op) -> bool {
    matches!(op, Op::Reshape { .. } | Op::SwapDims { .. } | Op::Slice { .. } | Op::Expand { .. } | Op::Detach)
}

/// Whether a result can have a gradient if an operand has one.
pub(super) fn is_differentiated(op: &Op) -> bool {
    !matches!(
        op,
        Op::Detach
            | Op::Equal
            | Op::Greater
            | Op::Less
            | Op::EqualScalar(_)
            | Op::GreaterScalar(_)
            | Op::LessScalar(_)
            | Op::ArgMax { .. }
            | Op::NonZero
            | Op::Full { .. }
            | Op::Arange { .. }
    )
}

/// Counts what an operator keeps for its gradient: operands, its result, or results on the way to it.
pub(super) fn keep(op: &Op, operands: &[MetaTensor], result: &MetaTensor) {
    if !result.tracked {
        return;
    }
    let operand = |i: usize| operands.get(i);
    let tracked = |i: usize| operand(i).is_some_and(|x| x.tracked);
    match op {
        // Each factor, if the other has a gradient.
        Op::Mul | Op::Matmul | Op::Linear | Op::Div => {
            for (kept, other) in [(0, 1), (1, 0)] {
                operand(kept).filter(|_| tracked(other)).iter().for_each(|x| x.kept());
            }
        }
        Op::PowScalar(_) | Op::Log | Op::Abs | Op::Sign | Op::Sin | Op::Cos | Op::Erf | Op::Clamp { .. } => {
            operand(0).iter().for_each(|x| x.kept());
        }
        Op::Exp | Op::Sqrt | Op::Recip | Op::Tanh | Op::Sigmoid | Op::Softmax { .. } | Op::LogSoftmax { .. } => {
            result.kept();
        }
        Op::Maximum | Op::Minimum | Op::Where => result.more_kept(1, DType::Bool),
        Op::Activate(activation) => activated(*activation, operand(0), result),
        Op::GatedActivate(activation) => {
            // The gate and what it is multiplied with.
            activated(*activation, operand(0), result);
            operand(1).iter().for_each(|x| x.kept());
        }
        Op::RmsNorm { .. } | Op::LayerNorm { .. } => operand(0).iter().for_each(|x| x.kept()),
        _ => {}
    }
}

fn activated(activation: Activation, x: Option<&MetaTensor>, result: &MetaTensor) {
    x.iter().for_each(|x| x.kept());
    if activation == Activation::Softplus {
        result.more_kept(2, DType::F32);
    }
}

impl MetaTensor {
    /// Counts the memory behind the tensor as kept, once.
    pub(super) fn kept(&self) {
        if let Some(number) = self.buffer.number {
            super::tensor::lock(&self.counting).kept.insert(number, self.buffer.bytes);
        }
    }

    /// Counts other tensors of this shape as kept.
    pub(super) fn more_kept(&self, tensors: usize, dtype: DType) {
        let mut counting = super::tensor::lock(&self.counting);
        for _ in 0..tensors {
            let Buffer { number, bytes } = counting.buffer(&self.shape, dtype);
            counting.kept.extend(number.map(|number| (number, bytes)));
        }
    }
}
