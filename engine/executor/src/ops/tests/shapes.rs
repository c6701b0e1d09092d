//! Shapes and types are those that the meta executor plans with.

use super::*;
use framework_core::{ModelSpec, Tensor, ffi, meta::MetaHost};
use std::sync::Arc;

fn mask(shape: &[usize]) -> Value {
    run(Op::GreaterScalar(0.0), &[&floats(shape, 1)]).unwrap()
}

/// One call of an operator on operands of these shapes and types.
pub(super) fn calls() -> Vec<(Op, Vec<Value>)> {
    let x = || floats(&[2, 3, 4], 1);
    let i = || ints(&[1, 0], &[2]);
    let mut calls: Vec<(Op, Vec<Value>)> = Vec::new();
    for op in [Op::Add, Op::Sub, Op::Mul, Op::Div, Op::Maximum, Op::Minimum, Op::Equal, Op::Greater, Op::Less] {
        calls.push((op.clone(), vec![x(), floats(&[3, 1], 2)]));
        calls.push((op.clone(), vec![floats(&[4], 2), x()]));
        calls.push((op, vec![i(), ints(&[2, 1], &[2])]));
    }
    for op in [
        Op::AddScalar(1.0),
        Op::MulScalar(2.0),
        Op::PowScalar(2.0),
        Op::Clamp { min: 0.0, max: 1.0 },
        Op::Neg,
        Op::Exp,
        Op::Log,
        Op::Sqrt,
        Op::Recip,
        Op::Abs,
        Op::Sign,
        Op::Tanh,
        Op::Sigmoid,
        Op::Sin,
        Op::Cos,
        Op::Erf,
        Op::Activate(Activation::Silu),
        Op::EqualScalar(0.0),
        Op::GreaterScalar(0.0),
        Op::LessScalar(0.0),
        Op::TopK { k: 2 },
        Op::Detach,
        Op::Reshape { shape: vec![3, -1, 2, 2].into() },
        Op::Reshape { shape: vec![24].into() },
        Op::Expand { shape: vec![5, 2, 3, 4].into() },
        Op::Full { shape: vec![2, 2].into(), value: 1.0, dtype: DType::F32 },
        Op::Full { shape: vec![].into(), value: 1.0, dtype: DType::Bool },
        Op::Full { shape: vec![3].into(), value: 1.0, dtype: DType::Int },
        Op::Arange { start: 2, end: 6 },
    ] {
        calls.push((op, vec![x()]));
    }
    for op in [Op::AddScalar(1.0), Op::MulScalar(2.0), Op::Neg, Op::Abs, Op::Sign, Op::GreaterScalar(0.0)] {
        calls.push((op, vec![i()]));
    }
    for dim in [0, 2, -1, -2] {
        calls.push((Op::SwapDims { a: dim, b: 1 }, vec![x()]));
        calls.push((Op::Slice { dim, start: 1, end: 2 }, vec![x()]));
        calls.push((Op::Slice { dim, start: 1, end: 1 }, vec![x()]));
        calls.push((Op::Concat { dim }, vec![x(), x(), x()]));
        calls.push((Op::IndexSelect { dim }, vec![x(), i()]));
        for op in [
            Op::Softmax { dim },
            Op::LogSoftmax { dim },
            Op::Sum { dim },
            Op::Mean { dim },
            Op::Max { dim },
            Op::ArgMax { dim },
        ] {
            calls.push((op, vec![x()]));
        }
    }
    for dtype in [DType::F32, DType::F16, DType::BF16, DType::Int, DType::Bool] {
        for from in [x(), i(), mask(&[2, 2])] {
            calls.push((Op::Cast { dtype }, vec![from]));
        }
    }
    let rotary = Rotary { inv_freq: vec![1.0].into(), scale: 1.0, interleaved: true };
    calls.extend([
        (Op::GatedActivate(Activation::Gelu), vec![x(), x()]),
        (Op::Matmul, vec![x(), floats(&[5, 1, 4, 2], 2)]),
        (Op::Linear, vec![x(), floats(&[5, 4], 2)]),
        (Op::Linear, vec![floats(&[4], 1), floats(&[5, 4], 2)]),
        (Op::LayerNorm { eps: 1e-5 }, vec![x(), floats(&[4], 1), floats(&[4], 2)]),
        (Op::RmsNorm { eps: 1e-5 }, vec![x(), floats(&[4], 1)]),
        (Op::Rotary(rotary), vec![floats(&[2, 2, 3, 4], 1), ints(&[0; 6], &[2, 3])]),
        (Op::Embedding, vec![floats(&[5, 4], 1), ints(&[0; 6], &[2, 3])]),
        (Op::Gather { dim: -1 }, vec![x(), ints(&[0; 12], &[2, 3, 2])]),
        (Op::Gather { dim: 0 }, vec![i(), i()]),
        (Op::IndexAdd { dim: 1 }, vec![x(), i(), floats(&[2, 2, 4], 1)]),
        (Op::Where, vec![mask(&[3, 1]), x(), floats(&[4], 1)]),
        (Op::Where, vec![mask(&[2]), i(), i()]),
        (Op::NonZero, vec![run(Op::EqualScalar(1.0), &[&ints(&[1, 1, 1], &[3])]).unwrap()]),
        (Op::Maximum, vec![mask(&[2]), mask(&[3, 2])]),
        (Op::Svd { k: 2 }, vec![floats(&[3, 5], 1)]),
        (Op::Svd { k: 3 }, vec![floats(&[5, 3], 1)]),
    ]);
    calls
}

/// What the meta executor makes of a call.
pub(super) fn planned(host: &Arc<MetaHost>, op: &Op, operands: &[Value]) -> Tensor {
    let mut planned = operands.iter().map(|v| host.tensor(&v.shape(), v.dtype()));
    let first = planned.next().unwrap();
    let planned = match (planned.next(), planned.next()) {
        (None, _) => ffi::guard(|| Ok(first.execute(op.clone(), []))),
        (Some(second), None) => ffi::guard(|| Ok(first.execute(op.clone(), [second]))),
        (Some(second), Some(third)) => ffi::guard(|| Ok(first.execute(op.clone(), [second, third]))),
    };
    planned.into_result().unwrap_or_else(|e| panic!("{op:?}: {e:?}"))
}

#[test]
fn are_those_that_are_planned_with() {
    let host = MetaHost::new(&ModelSpec::default(), None, 2, 3).unwrap();
    for (op, operands) in calls() {
        let planned = planned(&host, &op, &operands);
        let shapes: Vec<_> = operands.iter().map(|v| v.shape()).collect();
        let out = run(op.clone(), &operands.iter().collect::<Vec<_>>()).unwrap_or_else(|e| panic!("{op:?}: {e}"));
        assert_eq!((out.shape(), out.dtype()), (planned.shape(), planned.dtype()), "{op:?} of {shapes:?}");
    }
}
