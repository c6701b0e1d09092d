use super::*;
use crate::{
    test::{differentiates, floats, random},
    value::Value,
};
use burn::{
    backend::{Flex, ops::FloatTensorOps},
    tensor::TensorData,
};

const CURVES: [Curve; 4] = [Curve::Relu, Curve::Gelu, Curve::GeluTanh, Curve::Silu];

fn tensor(seed: u64) -> FloatTensor<Flex> {
    let data = random(3 * 4099, seed).into_iter().map(|x| 6.0 * x).collect();
    Flex::float_from_data(TensorData::new::<f32, _>(data, [3, 4099]), &Default::default())
}

fn numbers(x: FloatTensor<Flex>) -> Vec<f32> {
    x.into_data().try_into_vec().unwrap()
}

#[track_caller]
fn close(found: Vec<f32>, expected: Vec<f32>) {
    for (i, (a, b)) in found.iter().zip(&expected).enumerate() {
        assert!((a - b).abs() <= 8e-6 * (1.0 + b.abs()), "{i}: {a}, not {b}");
    }
}

/// The processor's loops and burn's operators, whose error function is the less exact one, for more elements than a task has rows of.
#[test]
fn native_and_portable_code_agree() {
    for curve in CURVES {
        close(numbers(Flex::activated(tensor(1), curve)), numbers(curve.values::<Flex>(tensor(1))));
        let slopes = Flex::float_mul(curve.slopes::<Flex>(tensor(1)), tensor(2));
        close(numbers(Flex::activated_back(tensor(1), tensor(2), curve)), numbers(slopes));
        let product = Flex::float_mul(curve.values::<Flex>(tensor(1)), tensor(2));
        close(numbers(Flex::gated(tensor(1), tensor(2), curve)), numbers(product));
    }
}

#[test]
fn are_differentiated() {
    for curve in CURVES {
        let value = |x: Burn<5>| Value::float(x, 2);
        differentiates("activation", &[floats(&[3, 5], 1)], |mut x| {
            value(activated(x.remove(0).into_float().unwrap(), curve))
        });
        differentiates("gate", &[floats(&[3, 5], 1), floats(&[3, 5], 2)], |x| {
            let [x, up] = <[Value; 2]>::try_from(x).ok().unwrap().map(|x| x.into_float().unwrap());
            value(gated(x, up, curve))
        });
    }
}
