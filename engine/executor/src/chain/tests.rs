use super::*;
use crate::test::{floats, run};
use framework_core::ffi::HostTensor;

/// What an optimizer does, with operators of which some are no step of a chain.
fn update(param: Value, grad: Value, state: Value) -> Vec<Value> {
    let op = |op: Op, all: &[&Value]| run(op, all).unwrap();
    let grad = op(Op::MulScalar(0.3), &[&grad]);
    let square = op(Op::Mul, &[&grad, &grad]);
    let state = op(Op::Add, &[&op(Op::MulScalar(0.9), &[&state]), &square]);
    let root = op(Op::AddScalar(1e-8), &[&op(Op::Sqrt, &[&op(Op::Mul, &[&state, &state])])]);
    let step = op(Op::Div, &[&op(Op::Neg, &[&grad]), &root]);
    let signs = op(Op::Sign, &[&step]);
    vec![op(Op::Sub, &[&op(Op::Sub, &[&param, &step]), &signs]), state, grad.clone(), grad, param]
}

#[test]
fn chains_give_the_numbers_of_their_operators() {
    for shape in [vec![70, 100], vec![3, 5], vec![4096 * 9 + 7]] {
        let inputs = || [1, 2, 3].map(|seed| floats(&shape, seed));
        let [p, g, s] = inputs();
        let expected = update(p, g, s);
        let [p, g, s] = inputs().map(Value::put_off);
        let found = Value::computed(update(p, g, s)).unwrap();
        for (i, (a, b)) in found.iter().zip(&expected).enumerate() {
            assert_eq!((a.shape(), a.to_f32().unwrap()), (b.shape(), b.to_f32().unwrap()), "{shape:?}, {i}");
        }
    }
}

#[test]
fn what_is_held_elsewhere_is_not_changed() {
    let (kept, before) = (floats(&[80, 80], 1), floats(&[80, 80], 1).to_f32().unwrap());
    let later = kept.clone().put_off();
    let twice = run(Op::MulScalar(2.0), &[&later]).unwrap();
    // Other operators get the number at once.
    assert_eq!(run(Op::Exp, &[&twice]).unwrap().to_f32().unwrap()[7], (before[7] * 2.0).exp());
    let twice = Value::computed(vec![twice]).unwrap().remove(0).to_f32().unwrap();
    assert_eq!((twice[5], kept.to_f32().unwrap(), later.to_f32().unwrap()), (before[5] * 2.0, before.clone(), before));
}

#[test]
fn different_shapes_do_not_meet() {
    let (a, b) = (floats(&[80, 80], 1).put_off(), floats(&[1, 80], 2).put_off());
    let sum = run(Op::Add, &[&a, &b]).unwrap();
    let both = Value::computed(vec![run(Op::Neg, &[&a]).unwrap(), sum.clone(), b]).unwrap();
    assert_eq!(both[1].shape(), [80, 80]);
    assert_eq!(both[1].to_f32().unwrap(), sum.to_f32().unwrap());
}
