//! How `A` and `B` start, and PiSSA.

use super::{Bias, Lora};
use framework_sdk::{
    prelude::*,
    schemars::JsonSchema,
    serde::{Deserialize, Serialize},
    serde_json::Map,
};

/// How `A` and `B` start.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(crate = "framework_sdk::serde", untagged, expecting = "expected true or \"pissa\"")]
#[schemars(crate = "framework_sdk::schemars")]
pub enum Start {
    /// `true`: `A` at random, `B` at zero.
    Usual(bool),
    /// `"pissa"`, or PEFT's name of a faster approximation.
    Named(String),
}

/// The option of [`Start`].
pub(super) const KEY: &str = "init_lora_weights";

/// What to do with an adapter whose base is not the model's.
const CONVERT: &str = "Convert it with PEFT: \
                       `save_pretrained(FOLDER, path_initial_model_for_weight_conversion=START)`, where START holds the \
                       adapter as it was before training.";

impl Start {
    pub(super) fn is_pissa(&self) -> bool {
        matches!(self, Self::Named(_))
    }

    pub(super) fn validate(&self, lora: &Lora) -> Result<()> {
        match self {
            Self::Usual(true) => return Ok(()),
            Self::Named(name) if name == "pissa" || iterations(name) => {}
            other => {
                let found = json!(other);
                return Err(PluginError::option(
                    KEY,
                    format!("must be true, \"pissa\" or \"pissa_niter_4\", not {found}"),
                ));
            }
        }
        let also = [
            ("use_dora", lora.use_dora),
            ("lora_bias", lora.lora_bias),
            ("bias", lora.bias != Bias::None),
            ("modules_to_save", !lora.modules_to_save.is_empty()),
            ("trainable_token_indices", !lora.trainable_token_indices.is_empty()),
        ];
        match also.iter().find(|(_, set)| *set) {
            None => Ok(()),
            Some((key, _)) => {
                let message = "is not possible with PiSSA, which is saved as the LoRA that PEFT converts it to";
                Err(PluginError::option(key, message).help(format!("Leave out `{key}` or `{KEY}`.")))
            }
        }
    }

    /// Takes what PEFT's file says of PiSSA out of it.
    pub(super) fn take(config: &mut Value) -> Result<Option<Self>> {
        match config[KEY].as_str() {
            Some("pissa") => {
                config[KEY] = json!(true);
                Ok(Some(Self::Named("pissa".into())))
            }
            Some(name) if iterations(name) => {
                let message = format!(
                    "adapter_config.json sets `{KEY}` to \"{name}\", with which PEFT took a random approximation off the \
                     base weights that cannot be found again"
                );
                Err(PluginError::new(message).help(CONVERT))
            }
            _ => Ok(None),
        }
    }
}

/// Whether this is PEFT's name of an approximation, `pissa_niter_4`.
fn iterations(name: &str) -> bool {
    name.strip_prefix("pissa_niter_").is_some_and(|count| count.parse::<u32>().is_ok())
}

impl Lora {
    /// What PEFT's configuration says of ranks and scales: those of what is saved, which has twice the rank with PiSSA.
    pub(super) fn ranks(&self) -> (usize, f64, Map<String, Value>, Map<String, Value>) {
        if !self.init_lora_weights.is_pissa() {
            return (self.r, self.alpha, self.rank_pattern.clone(), self.alpha_pattern.clone());
        }
        let more = if self.rank_stabilised { std::f64::consts::SQRT_2 } else { 2.0 };
        let rank = |r: &Value| json!(r.as_u64().map(|r| 2 * r));
        let alpha = |a: &Value| a.as_f64().map_or(Value::Null, |a| framework_sdk::adapter::number(more * a));
        let each = |table: &Map<String, Value>, f: &dyn Fn(&Value) -> Value| {
            table.iter().map(|(key, value)| (key.clone(), f(value))).collect()
        };
        (2 * self.r, more * self.alpha, each(&self.rank_pattern, &rank), each(&self.alpha_pattern, &alpha))
    }
}

/// The start of `A` and `B`: what PiSSA takes off the base weight.
#[derive(Clone, Copy)]
pub(super) struct Origin {
    pub a: Weight,
    pub b: Weight,
}

impl Origin {
    /// `A` `[r, in]` and `B` `[out, r]` such that `s · B·A` is the part of the weight with the largest singular values.
    pub fn factors(weight: Tensor, rank: usize, scale: f64) -> (Tensor, Tensor) {
        let (left, values, right) = weight.svd(rank);
        let roots = (values * (1.0 / scale)).sqrt();
        (roots.clone().reshape([-1, 1]) * right, left * roots.reshape([1, -1]))
    }

    /// `s · B·A` of the start.
    pub fn product(self, cx: &Ctx, scale: f64) -> Tensor {
        self.b.get(cx).matmul(self.a.get(cx)) * scale
    }
}
