//! Defaults that several configurations share.

use framework_sdk::nn;

/// The activation if none is given.
pub fn silu() -> nn::HiddenAct {
    nn::HiddenAct::Silu
}

/// The standard deviation of weights at the start if none is given.
pub fn initializer_range() -> f64 {
    0.02
}
