//! Activations by their names in configurations.

use crate::Activation;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An activation by the name that `hidden_act` gives it in a Hugging Face `config.json`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HiddenAct {
    /// Exact GELU, computed with the error function.
    #[default]
    #[serde(alias = "gelu_python")]
    Gelu,
    /// The tanh approximation of GELU, also called `gelu_fast` and `gelu_pytorch_tanh`.
    #[serde(alias = "gelu_fast", alias = "gelu_pytorch_tanh", alias = "gelu_python_tanh")]
    GeluNew,
    /// `max(0, x)`.
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
