//! Against finite differences.

use super::*;
use crate::test::differentiates;
use std::slice::from_ref;

/// Numbers far from where a function has a corner.
fn apart(shape: &[usize]) -> Value {
    let count = shape.iter().product();
    let number = |i: usize| (i * 7 % count) as f32 * 0.17 - 0.08 * count as f32 + 0.03;
    value((0..count).map(number).collect(), shape)
}

#[test]
fn of_point_wise_operators() {
    let x = apart(&[2, 5]);
    let smooth = [
        Op::AddScalar(2.0),
        Op::MulScalar(-3.0),
        Op::PowScalar(2.0),
        Op::PowScalar(3.0),
        Op::Neg,
        Op::Exp,
        Op::Abs,
        Op::Tanh,
        Op::Sigmoid,
        Op::Sin,
        Op::Cos,
        Op::Erf,
        Op::Clamp { min: -0.3, max: 0.45 },
        Op::Activate(Activation::Relu),
        Op::Activate(Activation::Gelu),
        Op::Activate(Activation::GeluTanh),
        Op::Activate(Activation::Silu),
    ];
    for op in smooth {
        differentiates(&format!("{op:?}"), from_ref(&x), |x| Value::execute(op.clone(), x).unwrap());
    }
    let positive = run(Op::AddScalar(2.0), &[&x]).unwrap();
    for op in [Op::Log, Op::Sqrt, Op::Recip, Op::PowScalar(0.5), Op::PowScalar(-1.5)] {
        differentiates(&format!("{op:?}"), from_ref(&positive), |x| Value::execute(op.clone(), x).unwrap());
    }
}

#[test]
fn of_binary_operators_that_broadcast() {
    let (x, y) = (apart(&[2, 1, 3]), run(Op::AddScalar(2.0), &[&apart(&[4, 1])]).unwrap());
    for op in [Op::Add, Op::Sub, Op::Mul, Op::Div, Op::Maximum, Op::Minimum] {
        let both = [x.clone(), y.clone()];
        differentiates(&format!("{op:?}"), &both, |both| Value::execute(op.clone(), both).unwrap());
    }
    for activation in [Activation::Silu, Activation::Gelu, Activation::GeluTanh] {
        let both = [apart(&[2, 3]), floats(&[2, 3], 4)];
        let op = Op::GatedActivate(activation);
        differentiates(&format!("{op:?}"), &both, |both| Value::execute(op.clone(), both).unwrap());
    }
    differentiates("where", &[apart(&[3, 2]), floats(&[2], 3)], |mut both| {
        let y = both.pop().unwrap();
        let x = both.pop().unwrap();
        let mask = run(Op::GreaterScalar(0.0), &[&x]).unwrap();
        run(Op::Where, &[&mask, &x, &y]).unwrap()
    });
}

#[test]
fn along_dimensions() {
    let x = apart(&[2, 3, 4]);
    for dim in [0, 1, -1] {
        for op in [
            Op::Softmax { dim },
            Op::LogSoftmax { dim },
            Op::Sum { dim },
            Op::Mean { dim },
            Op::Max { dim },
            Op::Slice { dim, start: 1, end: 2 },
            Op::SwapDims { a: dim, b: 1 },
        ] {
            differentiates(&format!("{op:?}"), from_ref(&x), |x| Value::execute(op.clone(), x).unwrap());
        }
        let op = Op::Concat { dim };
        let both = [x.clone(), floats(&[2, 3, 4], 2)];
        differentiates(&format!("{op:?}"), &both, |both| Value::execute(op.clone(), both).unwrap());
    }
    for op in [Op::Reshape { shape: vec![4, -1].into() }, Op::Expand { shape: vec![5, 2, 3, 4].into() }] {
        differentiates(&format!("{op:?}"), from_ref(&x), |x| Value::execute(op.clone(), x).unwrap());
    }
}

#[test]
fn of_norms_and_products() {
    let x = apart(&[2, 3, 4]);
    let [weight, bias] = [floats(&[4], 1), floats(&[4], 2)];
    for (op, inputs) in [
        (Op::LayerNorm { eps: 1e-2 }, vec![x.clone(), weight.clone(), bias]),
        (Op::RmsNorm { eps: 1e-2 }, vec![x.clone(), weight]),
        (Op::Linear, vec![x.clone(), floats(&[5, 4], 3)]),
        (Op::Matmul, vec![x.clone(), floats(&[4, 2], 3)]),
        (Op::Matmul, vec![floats(&[5, 1, 2, 3], 4), x]),
    ] {
        differentiates(&format!("{op:?}"), &inputs, |inputs| Value::execute(op.clone(), inputs).unwrap());
    }
}

#[test]
fn by_index() {
    let x = apart(&[3, 4]);
    let repeated = ints(&[2, 0, 2], &[3]);
    differentiates("index select", from_ref(&x), |x| {
        run(Op::IndexSelect { dim: 0 }, &[&x[0], &beside(&x[0], repeated.clone())]).unwrap()
    });
    differentiates("index add", &[x.clone(), floats(&[3, 4], 2)], |x| {
        run(Op::IndexAdd { dim: 0 }, &[&x[0], &beside(&x[0], repeated.clone()), &x[1]]).unwrap()
    });
    let chosen = ints(&[3, 0, 0, 1, 2, 2], &[3, 2]);
    differentiates("gather", from_ref(&x), |x| {
        run(Op::Gather { dim: 1 }, &[&x[0], &beside(&x[0], chosen.clone())]).unwrap()
    });
    differentiates("embedding", from_ref(&x), |x| {
        run(Op::Embedding, &[&x[0], &beside(&x[0], ints(&[1, 2, 1, 0], &[2, 2]))]).unwrap()
    });
}

#[test]
fn of_rotary() {
    for interleaved in [false, true] {
        let rotary = Rotary { inv_freq: vec![1.0, 0.1].into(), scale: 1.5, interleaved };
        differentiates("rotary", &[floats(&[1, 2, 3, 5], 1)], |x| {
            run(Op::Rotary(rotary.clone()), &[&x[0], &beside(&x[0], ints(&[0, 4, 2], &[1, 3]))]).unwrap()
        });
    }
}

/// As an expert to which no token is routed: it adds nothing and disturbs nothing.
#[test]
fn past_what_is_empty() {
    let [x, weight] = [floats(&[3, 4], 1), floats(&[4, 4], 2)].map(|v| v.leaf().unwrap());
    let chosen = run(Op::NonZero, &[&run(Op::GreaterScalar(5.0), &[&floats(&[3], 3).tracked()]).unwrap()]).unwrap();
    assert_eq!(chosen.shape(), [0]);
    let rows = run(Op::IndexSelect { dim: 0 }, &[&x, &chosen]).unwrap();
    let out = run(Op::Activate(Activation::Silu), &[&run(Op::Linear, &[&rows, &weight]).unwrap()]).unwrap();
    let out = run(Op::Reshape { shape: vec![-1, 4].into() }, &[&run(Op::Mul, &[&out, &rows]).unwrap()]).unwrap();
    assert_eq!(out.shape(), [0, 4]);
    let sum = run(Op::IndexAdd { dim: 0 }, &[&x, &chosen, &out]).unwrap();
    assert_eq!(sum.to_f32().unwrap(), x.to_f32().unwrap());
    let grad = x.into_float().unwrap().grad_remove(&mut sum.into_float().unwrap().sum().backward()).unwrap();
    assert_eq!(Value::float(grad, 2).to_f32().unwrap(), [1.0; 12]);
}

/// No gradient flows through what is detached, and the rest is not disturbed.
#[test]
fn not_through_what_is_detached() {
    let x = apart(&[4]).leaf().unwrap();
    let fixed = run(Op::Detach, &[&x]).unwrap();
    let sum = run(Op::Mul, &[&x, &fixed]).unwrap().into_float().unwrap().sum();
    let grad = x.clone().into_float().unwrap().grad_remove(&mut sum.backward()).unwrap();
    assert_eq!(Value::float(grad, 1).to_f32().unwrap(), x.to_f32().unwrap());
}
