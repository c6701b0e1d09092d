//! Optimizers on the boundary.

use super::{RawError, RawResult, RawTensor, declared, filled, from_json, guard, receive, to_json};
use crate::{Needs, Optimizer, Param, PluginError, Result, StateSpec, Tensor, Update};
use abi_stable::{
    sabi_trait,
    sabi_trait::TD_Opaque,
    std_types::{RBox, RResult, RStr, RString, RVec},
};
use std::sync::Arc;

#[sabi_trait]
pub trait OptimizerFfi: Send + Sync + 'static {
    fn options(&self) -> RResult<RString, RawError>;
    fn learning_rate(&self) -> RResult<f64, RawError>;
    /// Opens the optimizer for parameters, which calls name by their index from here on.
    #[sabi(last_prefix_field)]
    fn open(&self, params: RStr<'_>) -> RResult<RawOptimizing, RawError>;
    /// What it needs of the run. Libraries of earlier SDKs lack this function, and need nothing.
    fn needs(&self) -> RResult<RString, RawError> {
        RResult::ROk(RString::from("{}"))
    }
}

pub type RawOptimizer = OptimizerFfi_TO<RBox<()>>;

#[sabi_trait]
pub trait OptimizingFfi: Send + Sync + 'static {
    /// The state of each parameter.
    fn states(&self) -> RResult<RString, RawError>;
    /// Tensors in: parameter, gradient, state. Tensors out: parameter, state.
    #[sabi(last_prefix_field)]
    fn update(
        &self,
        learning_rate: f64,
        step: u64,
        param: usize,
        tensors: RVec<RawTensor>,
    ) -> RResult<RVec<RawTensor>, RawError>;
}

pub type RawOptimizing = OptimizingFfi_TO<RBox<()>>;

/// Shared with what is opened from it.
struct Export<T>(Arc<T>);

/// An optimizer with the parameters that it moves.
struct Opened<T> {
    options: Arc<T>,
    params: Vec<Param>,
}

impl<T: Optimizer> OptimizerFfi for Export<T> {
    fn options(&self) -> RawResult<RString> {
        guard(|| filled(&*self.0))
    }
    fn learning_rate(&self) -> RawResult<f64> {
        guard(|| Ok(self.0.learning_rate()))
    }
    fn needs(&self) -> RawResult<RString> {
        guard(|| to_json(&self.0.needs()))
    }
    fn open(&self, params: RStr<'_>) -> RawResult<RawOptimizing> {
        guard(|| {
            let opened = Opened { options: self.0.clone(), params: from_json(&params)? };
            Ok(OptimizingFfi_TO::from_value(opened, TD_Opaque))
        })
    }
}

impl<T: Optimizer> OptimizingFfi for Opened<T> {
    fn states(&self) -> RawResult<RString> {
        guard(|| to_json(&self.params.iter().map(|param| self.options.state(param)).collect::<Vec<_>>()))
    }
    fn update(
        &self,
        learning_rate: f64,
        step: u64,
        param: usize,
        tensors: RVec<RawTensor>,
    ) -> RawResult<RVec<RawTensor>> {
        guard(|| {
            let mut tensors = tensors.into_iter().map(Tensor);
            let missing = || PluginError::new("an update takes a parameter, its gradient and its state");
            let param = self.params.get(param).ok_or_else(missing)?;
            let value = tensors.next().ok_or_else(missing)?;
            let grad = tensors.next().ok_or_else(missing)?;
            let state: Vec<Tensor> = tensors.collect();
            let count = state.len();
            let update = Update { learning_rate, step, param };
            let (value, state) = self.options.update(&update, value, grad, state);
            if state.len() != count {
                let message = format!("update of `{}` returned {} of {count} states", param.name, state.len());
                return Err(PluginError::new(message));
            }
            Ok(std::iter::once(value).chain(state).map(|t| t.0).collect())
        })
    }
}

pub(super) extern "C" fn build<T: Optimizer>(options: RStr<'_>) -> RawResult<RawOptimizer> {
    guard(|| {
        let options: T = super::from_json(&options)?;
        options.validate()?;
        Ok(OptimizerFfi_TO::from_value(Export(Arc::new(options)), TD_Opaque))
    })
}

/// An optimizer, linked in or loaded.
pub struct OptimizerObject {
    pub(super) raw: RawOptimizer,
    pub(super) plugin: String,
}

impl OptimizerObject {
    /// All options, defaults included, as JSON.
    pub fn options(&self) -> Result<serde_json::Value> {
        super::named(&self.plugin, || from_json(&receive(self.raw.options())?))
    }

    /// See [`Optimizer::learning_rate`].
    pub fn learning_rate(&self) -> Result<f64> {
        super::named(&self.plugin, || receive(self.raw.learning_rate()))
    }

    /// See [`Optimizer::needs`].
    pub fn needs(&self) -> Result<Needs> {
        super::named(&self.plugin, || declared(&receive(self.raw.needs())?))
    }

    /// Opens it for parameters, which all are named by their index from here on.
    pub fn open(&self, params: &[Param]) -> Result<OptimizingObject> {
        super::named(&self.plugin, || {
            let raw = receive(self.raw.open(to_json(params)?.as_rstr()))?;
            let states: Vec<Vec<StateSpec>> = declared(&receive(raw.states())?)?;
            if states.len() != params.len() {
                return Err(PluginError::new(format!("{} of {} parameters have a state", states.len(), params.len())));
            }
            Ok(OptimizingObject { raw, plugin: self.plugin.clone(), params: params.to_vec(), states })
        })
    }
}

/// An optimizer, opened for parameters.
pub struct OptimizingObject {
    raw: RawOptimizing,
    plugin: String,
    params: Vec<Param>,
    states: Vec<Vec<StateSpec>>,
}

impl OptimizingObject {
    /// The state of each parameter: see [`Optimizer::state`].
    pub fn states(&self) -> &[Vec<StateSpec>] {
        &self.states
    }

    /// See [`Optimizer::update`], of the parameter of this index. The gradient must have its shape; so does the result.
    pub fn update(
        &self,
        learning_rate: f64,
        step: u64,
        index: usize,
        tensors: (Tensor, Tensor),
        state: Vec<Tensor>,
    ) -> Result<(Tensor, Vec<Tensor>)> {
        super::named(&self.plugin, || {
            let tensors = [tensors.0, tensors.1].into_iter().chain(state).map(|t| t.0).collect();
            let out = receive(self.raw.update(learning_rate, step, index, tensors))?;
            let mut out = out.into_iter().map(Tensor);
            let value = out.next().ok_or_else(|| PluginError::new("the update returned nothing"))?;
            let param = &self.params[index];
            if value.shape() != param.shape {
                let (name, shape) = (&param.name, value.shape());
                return Err(PluginError::new(format!("update of `{name}` changed its shape to {shape:?}")));
            }
            Ok((value, out.collect()))
        })
    }
}
