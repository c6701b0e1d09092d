//! Results are those of the definitions in 64 bits, which plugins' own tests compute with.

use super::*;
use framework_core::reference::Array;

fn numbers(x: &Value) -> Vec<f64> {
    let x = run(Op::Cast { dtype: DType::F32 }, &[x]).unwrap();
    x.to_f32().unwrap().into_iter().map(f64::from).collect()
}

fn array(x: &Value) -> Array {
    Array { dtype: x.dtype(), ..Array::floats(&x.shape(), numbers(x)) }
}

#[test]
fn are_those_of_the_definitions() {
    let all = [Activation::Relu, Activation::Gelu, Activation::GeluTanh, Activation::Silu, Activation::Softplus];
    let activations = all.map(|activation| (Op::Activate(activation), vec![floats(&[3, 4], 1)]));
    let mut compared = 0;
    for (op, operands) in shapes::calls().into_iter().chain(activations) {
        let found = run(op.clone(), &operands.iter().collect::<Vec<_>>()).unwrap();
        let expected = Array::execute(op.clone(), operands.iter().map(array).collect()).unwrap();
        assert_eq!((found.shape(), found.dtype()), (expected.shape(), expected.dtype()), "{op:?}");
        // A singular vector may point either way.
        let sign = |n: f64| if matches!(op, Op::Svd { .. }) { n.abs() } else { n };
        let limit = if matches!(op, Op::Cast { dtype: DType::F16 | DType::BF16 }) { 1e-2 } else { 1e-5 };
        for (found, expected) in numbers(&found).into_iter().zip(expected.values()) {
            let near = (sign(found) - sign(expected)).abs() <= limit * expected.abs().max(1.0);
            let same = found == expected || (found.is_nan() && expected.is_nan());
            assert!(near || same, "{op:?}: {found}, {expected}");
            compared += 1;
        }
    }
    assert!(compared > 1000, "{compared}");
}
