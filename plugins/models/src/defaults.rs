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

/// What is so unless a file says otherwise.
pub fn yes() -> bool {
    true
}

/// What is added to the mean square in norms if nothing is given.
pub fn rms_norm_eps() -> f64 {
    1e-6
}

/// The sliding window if none is given.
pub fn window() -> Option<usize> {
    Some(4096)
}

/// Heads of keys and values of Mistral and Mixtral if none are given.
pub fn kv_heads() -> Option<usize> {
    Some(8)
}
