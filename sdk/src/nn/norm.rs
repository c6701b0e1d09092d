//! Normalisations with parameters.

use crate::{Ctx, Init, ModelSpec, Role, Tensor};

/// Layer normalisation with the parameters `module.weight` and `module.bias`.
pub fn layer_norm(cx: &Ctx, module: &str, x: impl Into<Tensor>, eps: f64) -> Tensor {
    x.into().layer_norm(cx.param(&format!("{module}.weight")), cx.param(&format!("{module}.bias")), eps)
}

/// Declares the parameters of [`layer_norm`]: scale 1, shift 0.
pub fn declare_layer_norm(spec: &mut ModelSpec, module: &str, size: usize) {
    spec.param(format!("{module}.weight"), &[size], Init::Ones, Role::Norm);
    spec.param(format!("{module}.bias"), &[size], Init::Zeros, Role::Norm);
}

/// Root-mean-square normalisation with the parameter `module.weight`.
pub fn rms_norm(cx: &Ctx, module: &str, x: impl Into<Tensor>, eps: f64) -> Tensor {
    x.into().rms_norm(cx.param(&format!("{module}.weight")), eps)
}

/// Declares the parameter of [`rms_norm`]: scale 1.
pub fn declare_rms_norm(spec: &mut ModelSpec, module: &str, size: usize) {
    spec.param(format!("{module}.weight"), &[size], Init::Ones, Role::Norm);
}
