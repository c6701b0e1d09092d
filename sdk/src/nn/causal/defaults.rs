//! Defaults of options, for `#[serde(default = "…")]`.

use crate::nn::HiddenAct;

/// `silu`.
pub fn silu() -> HiddenAct {
    HiddenAct::Silu
}

/// `gelu_new`.
pub fn gelu_new() -> HiddenAct {
    HiddenAct::GeluNew
}

/// True.
pub fn yes() -> bool {
    true
}

/// A number: `#[serde(default = "size::<2048>")]`.
pub fn size<const N: usize>() -> usize {
    N
}

/// A number that may be null.
pub fn some<const N: usize>() -> Option<usize> {
    Some(N)
}

/// A whole number where others may have a fraction.
pub fn float<const N: u32>() -> f64 {
    f64::from(N)
}

/// An id that may be null.
pub fn id<const N: i64>() -> Option<i64> {
    Some(N)
}

/// 0.02, for `initializer_range`.
pub fn initializer_range() -> f64 {
    0.02
}

/// 1e-6, for `rms_norm_eps`.
pub fn rms_norm_eps() -> f64 {
    1e-6
}

/// 1e-5, for `layer_norm_eps`.
pub fn layer_norm_eps() -> f64 {
    1e-5
}
