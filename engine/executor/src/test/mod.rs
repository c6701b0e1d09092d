//! What the executor's tests compute with.

pub mod probe;

use crate::{Device, Value};
use framework_core::{Op, Result, ffi::HostTensor};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Numbers between -1 and 1.
pub fn random(count: usize, seed: u64) -> Vec<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..count).map(|_| (f64::from(rng.next_u32()) / f64::from(u32::MAX) * 2.0 - 1.0) as f32).collect()
}

/// A tensor of such numbers.
pub fn floats(shape: &[usize], seed: u64) -> Value {
    value(random(shape.iter().product(), seed), shape)
}

pub fn value(data: Vec<f32>, shape: &[usize]) -> Value {
    Value::from_f32(data, shape, &Device::cpu()).unwrap()
}

pub fn ints(data: &[i32], shape: &[usize]) -> Value {
    Value::from_ints(data.to_vec(), shape, &Device::cpu()).unwrap()
}

pub fn run(op: Op, operands: &[&Value]) -> Result<Value> {
    Value::execute(op, operands.iter().map(|v| (*v).clone()).collect())
}

/// What goes with `x` into an operator: in the gradient graph if `x` is.
pub fn beside(x: &Value, other: Value) -> Value {
    let tracked = x.is_tracked();
    if tracked { other.tracked() } else { other }
}

#[track_caller]
pub fn close(found: &[f32], expected: &[f32], limit: f32) {
    assert_eq!(found.len(), expected.len());
    for (i, (a, b)) in found.iter().zip(expected).enumerate() {
        // Written so that a number that is none fails, too.
        assert!((a - b).abs() <= limit, "element {i} is {a}, not {b}: {found:?}, {expected:?}");
    }
}

/// Asserts that the gradient of `sum(weights * f(inputs))` is that of finite differences, for every input.
#[track_caller]
pub fn differentiates(what: &str, inputs: &[Value], f: impl Fn(Vec<Value>) -> Value) {
    let plain = f(inputs.to_vec());
    let weights = floats(&plain.shape(), 99);
    let objective = |out: Value| run(Op::Mul, &[&out, &weights]).unwrap().to_f32().unwrap().iter().sum::<f32>();
    let leaves: Vec<Value> = inputs.iter().map(|v| v.clone().leaf().unwrap()).collect();
    let out = f(leaves.clone());
    close(&out.to_f32().unwrap(), &plain.to_f32().unwrap(), 1e-5);
    let product = out.into_float().unwrap() * weights.clone().tracked().into_float().unwrap();
    let mut grads = product.sum().backward();
    for (i, (input, leaf)) in inputs.iter().zip(leaves).enumerate() {
        let grad = leaf.into_float().unwrap().grad_remove(&mut grads);
        let grad = Value::float(grad.unwrap_or_else(|| panic!("{what}: input {i} has no gradient")), input.rank);
        let data = input.to_f32().unwrap();
        let moved = |at: usize, by: f32| {
            let (mut all, mut data) = (inputs.to_vec(), data.clone());
            data[at] += by;
            all[i] = value(data, &input.shape());
            objective(f(all))
        };
        const STEP: f32 = 4e-3;
        let slope = |at: usize| (moved(at, STEP) - moved(at, -STEP)) / (2.0 * STEP);
        let expected: Vec<f32> = (0..data.len()).map(slope).collect();
        for (at, (a, b)) in grad.to_f32().unwrap().iter().zip(&expected).enumerate() {
            assert!((a - b).abs() <= 2e-3 * (1.0 + b.abs()), "{what}: input {i}, element {at}: {a}, not {b}");
        }
    }
}
