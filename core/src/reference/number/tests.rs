//! Derivatives against differences, and values from tables.

use super::*;

type Function = Box<dyn Fn(Dual) -> Dual>;

/// Each derivative against a difference of the function.
#[test]
fn derivatives_are_those_of_the_functions() {
    let activation = |activation| move |x: Dual| x.activate(activation).unwrap();
    let functions: [(&str, Function); 16] = [
        ("recip", Box::new(Dual::recip)),
        ("pow", Box::new(|x| x.pow(2.5))),
        ("exp", Box::new(Dual::exp)),
        ("ln", Box::new(Dual::ln)),
        ("sqrt", Box::new(Dual::sqrt)),
        ("abs", Box::new(Dual::abs)),
        ("sin", Box::new(Dual::sin)),
        ("cos", Box::new(Dual::cos)),
        ("tanh", Box::new(Dual::tanh)),
        ("sigmoid", Box::new(Dual::sigmoid)),
        ("erf", Box::new(Dual::erf)),
        ("gelu", Box::new(activation(Activation::Gelu))),
        ("gelu_tanh", Box::new(activation(Activation::GeluTanh))),
        ("silu", Box::new(activation(Activation::Silu))),
        ("softplus", Box::new(activation(Activation::Softplus))),
        ("quotient", Box::new(|x| (x * x - Dual::from(1.0)) / (x + Dual::from(3.0)))),
    ];
    for (name, function) in functions {
        for at in [0.3, 0.9, 2.4] {
            let slope = function(Dual { value: at, slope: 2.0 }).slope;
            let value = |x: f64| function(x.into()).value;
            let expected = 2.0 * (value(at + 1e-6) - value(at - 1e-6)) / 2e-6;
            assert!((slope - expected).abs() < 1e-7 * expected.abs().max(1.0), "{name} at {at}: {slope}, {expected}");
        }
    }
}

/// Values from Abramowitz and Stegun, table 7.1.
#[test]
fn the_error_function() {
    for (x, expected) in [(0.0, 0.0), (0.5, 0.520_499_877_8), (1.0, 0.842_700_792_9), (2.0, 0.995_322_265_0)] {
        assert!((erf(x) - expected).abs() < 1e-10 && (erf(-x) + expected).abs() < 1e-10, "{x}");
    }
}
