//! Building blocks that architectures share.

use crate::{Activation, Ctx, Init, ModelSpec, Role, Rotary, Tensor};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `[batch, time, heads * size]` to `[batch, heads, time, size]`.
pub fn split_heads(x: Tensor, heads: usize) -> Tensor {
    let (batch, time, width) = (x.dim(0), x.dim(1), x.dim(2));
    x.reshape([batch as i64, time as i64, heads as i64, (width / heads) as i64]).swap_dims(1, 2)
}

/// `[batch, heads, time, size]` to `[batch, time, heads * size]`.
pub fn merge_heads(x: Tensor) -> Tensor {
    let (batch, time) = (x.dim(0), x.dim(2));
    x.swap_dims(1, 2).reshape([batch as i64, time as i64, -1])
}

/// Rotary position embedding of the first `size` elements of each head: angle per position `base^(-2i / size)`.
pub fn rotary(size: usize, base: f64) -> Rotary {
    let inv_freq = (0..size / 2).map(|i| base.powf(-2.0 * i as f64 / size as f64)).collect();
    Rotary { inv_freq, scale: 1.0, interleaved: false }
}

/// Layer normalisation with the parameters `module.weight` and `module.bias`.
pub fn layer_norm(cx: &Ctx, module: &str, x: impl Into<Tensor>, eps: f64) -> Tensor {
    x.into().layer_norm(cx.param(&format!("{module}.weight")), cx.param(&format!("{module}.bias")), eps)
}

/// Declares the parameters of [`layer_norm`]: scale 1, shift 0.
pub fn declare_layer_norm(spec: &mut ModelSpec, module: &str, size: usize) {
    spec.param(format!("{module}.weight"), &[size], Init::Ones, Role::Norm);
    spec.param(format!("{module}.bias"), &[size], Init::Zeros, Role::Norm);
}

/// An activation by the name that `hidden_act` gives it in a Hugging Face `config.json`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HiddenAct {
    /// GELU by the error function.
    #[default]
    #[serde(alias = "gelu_python")]
    Gelu,
    /// GELU by the hyperbolic tangent, also called `gelu_fast` and `gelu_pytorch_tanh`.
    #[serde(alias = "gelu_fast", alias = "gelu_pytorch_tanh", alias = "gelu_python_tanh")]
    GeluNew,
    /// The positive part.
    Relu,
    /// `x · sigmoid(x)`, also called `swish`.
    #[serde(alias = "swish")]
    Silu,
}

impl From<HiddenAct> for Activation {
    fn from(act: HiddenAct) -> Self {
        match act {
            HiddenAct::Gelu => Activation::Gelu,
            HiddenAct::GeluNew => Activation::GeluTanh,
            HiddenAct::Relu => Activation::Relu,
            HiddenAct::Silu => Activation::Silu,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rotary_angles_fall_from_one() {
        let rotary = rotary(4, 100.0);
        assert_eq!(rotary.inv_freq[..], [1.0, 0.1]);
        assert!(!rotary.interleaved && rotary.scale == 1.0);
    }

    #[test]
    fn activations_are_read_by_all_their_names() {
        let read = |name: &str| serde_json::from_value::<HiddenAct>(name.into()).map(Activation::from);
        assert_eq!(read("gelu").unwrap(), Activation::Gelu);
        for name in ["gelu_new", "gelu_fast", "gelu_pytorch_tanh"] {
            assert_eq!(read(name).unwrap(), Activation::GeluTanh);
        }
        assert_eq!(read("swish").unwrap(), Activation::Silu);
        assert!(read("mish").unwrap_err().to_string().starts_with("unknown variant `mish`, expected one of `gelu`"));
    }
}
