//! One number as a tensor, to compare updates with PyTorch's.

use framework_sdk::{
    DType, Init, Kind, Op, Param, PluginError, Result, Role, Tensor,
    ffi::{HostTensor, unwrap, wrap},
    serde_json::Value,
    test,
};

#[derive(Clone)]
struct Scalar(f64);

impl HostTensor for Scalar {
    fn shape(&self) -> Vec<usize> {
        Vec::new()
    }
    fn dtype(&self) -> DType {
        DType::F32
    }
    fn execute(op: Op, operands: Vec<Self>) -> Result<Self> {
        let (x, y) = (operands[0].0, operands.get(1).map_or(f64::NAN, |t| t.0));
        Ok(Self(match op {
            Op::Add => x + y,
            Op::Sub => x - y,
            Op::Mul => x * y,
            Op::Div => x / y,
            Op::AddScalar(s) => x + s,
            Op::MulScalar(s) => x * s,
            Op::Sqrt => x.sqrt(),
            other => return Err(PluginError::new(format!("{other:?} of one number"))),
        }))
    }
}

/// The parameter, 1.5 at first, after each step along `grads` with the optimizer `name`.
pub fn steps(name: &str, options: &Value, role: Role, grads: &[f64]) -> Vec<f64> {
    let optimizer = test::declaration(Kind::Optimizer, name).build.optimizer(name, options).unwrap();
    // The shape is what the optimizer is told; the tensors themselves are single numbers.
    let param = Param::new("w", &[], Init::Zeros, role);
    let number = |x: f64| -> Tensor { wrap(Scalar(x)) };
    let (rate, opened) = (optimizer.learning_rate().unwrap(), optimizer.open(&[param]).unwrap());
    let (mut value, mut state) = (1.5, vec![0.0; opened.states()[0].len()]);
    let step = |(index, &grad): (usize, &f64)| {
        let before = state.iter().map(|&x| number(x)).collect();
        let (next, after) = opened.update(rate, index as u64 + 1, 0, (number(value), number(grad)), before).unwrap();
        value = unwrap::<Scalar>(next).unwrap().0;
        state = after.into_iter().map(|t| unwrap::<Scalar>(t).unwrap().0).collect();
        value
    };
    grads.iter().enumerate().map(step).collect()
}

/// Panics unless the two agree to the last few bits.
#[track_caller]
pub fn assert_close(found: &[f64], expected: &[f64]) {
    assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12), "{found:?} is not {expected:?}");
}

/// The message with which options are refused.
pub fn refused(name: &str, options: &Value) -> String {
    let built = test::declaration(Kind::Optimizer, name).build.optimizer(name, options);
    built.err().unwrap_or_else(|| panic!("{options} is accepted")).message
}
