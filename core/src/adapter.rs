//! Adapters.

use crate::{Ctx, ModelSpec, Options, Param, PluginError, Result, Tensor};
use serde::{Deserialize, Serialize};

/// What an adapter does to a model's parameters.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct AdapterPlan {
    /// New parameters, all trained. Their names are the keys under which PEFT saves them.
    pub params: Vec<Param>,
    /// Names of the base model's parameters that are trained too. All others are frozen.
    pub trained: Vec<String>,
    /// Modules whose [`Ctx::linear`] goes through [`Adapter::linear`].
    pub linears: Vec<String>,
    /// Whether [`Adapter::embed`] and [`Adapter::keys_values`] are to be called.
    #[serde(default)]
    pub hooks: bool,
    /// What the options choose among other things and the model does not have, a sentence each: an error in a recipe,
    /// a warning for an adapter that has been trained.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unmatched: Vec<String>,
    /// PEFT's `adapter_config.json`, without the base model's path. None: the whole model is saved instead.
    pub peft_config: Option<serde_json::Value>,
}

/// What is trained, and how it takes part in the base model's computation.
pub trait Adapter: Options {
    /// An error if the options contradict each other or are out of range: what types cannot express.
    fn validate(&self) -> Result<()> {
        Ok(())
    }

    /// Reads PEFT's `adapter_config.json`.
    fn from_peft(config: &serde_json::Value) -> Result<Self> {
        let _ = config;
        Err(PluginError::new("has no PEFT format to be read from"))
    }

    /// Decides what is added, trained and intercepted. Targets that match nothing are an error.
    fn plan(&self, model: &ModelSpec) -> Result<AdapterPlan>;

    /// Stands in for the projection `module` of `x`; [`Ctx::base_linear`] computes the base model's own.
    fn linear(&self, cx: &Ctx, module: &str, x: Tensor) -> Tensor {
        cx.base_linear(module, x)
    }

    /// Changes the hidden states `[batch, time, hidden]` that enter the first block.
    fn embed(&self, cx: &Ctx, hidden: Tensor) -> Tensor {
        let _ = cx;
        hidden
    }

    /// Changes the keys and values `[batch, heads, time, head size]` of a block's attention, after rotation.
    fn keys_values(&self, cx: &Ctx, block: usize, keys: Tensor, values: Tensor) -> (Tensor, Tensor) {
        let _ = (cx, block);
        (keys, values)
    }

    /// The weight of `module` with the adapter folded in, for a merged export.
    fn merge(&self, cx: &Ctx, module: &str, weight: Tensor) -> Tensor {
        let _ = (cx, module);
        weight
    }
}
