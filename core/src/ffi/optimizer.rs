//! Optimizers on the boundary.

use super::{RawError, RawResult, RawTensor, from_json, guard, receive, to_json};
use crate::{Optimizer, Param, PluginError, Result, StateSpec, Tensor, Update};
use abi_stable::{
    sabi_trait,
    sabi_trait::TD_Opaque,
    std_types::{RBox, RResult, RStr, RString, RVec},
};

#[sabi_trait]
pub trait OptimizerFfi: Send + Sync + 'static {
    fn options(&self) -> RResult<RString, RawError>;
    fn learning_rate(&self) -> RResult<f64, RawError>;
    fn state(&self, param: RStr<'_>) -> RResult<RString, RawError>;
    /// Tensors in: parameter, gradient, state. Tensors out: parameter, state.
    #[sabi(last_prefix_field)]
    fn update(
        &self,
        learning_rate: f64,
        step: u64,
        param: RStr<'_>,
        tensors: RVec<RawTensor>,
    ) -> RResult<RVec<RawTensor>, RawError>;
}

pub type RawOptimizer = OptimizerFfi_TO<RBox<()>>;

struct Export<T>(T);

impl<T: Optimizer> OptimizerFfi for Export<T> {
    fn options(&self) -> RawResult<RString> {
        guard(|| to_json(&self.0))
    }
    fn learning_rate(&self) -> RawResult<f64> {
        guard(|| Ok(self.0.learning_rate()))
    }
    fn state(&self, param: RStr<'_>) -> RawResult<RString> {
        guard(|| to_json(&self.0.state(&from_json::<Param>(&param)?)))
    }
    fn update(
        &self,
        learning_rate: f64,
        step: u64,
        param: RStr<'_>,
        tensors: RVec<RawTensor>,
    ) -> RawResult<RVec<RawTensor>> {
        guard(|| {
            let mut tensors = tensors.into_iter().map(Tensor);
            let missing = || PluginError::new("an update takes a parameter and a gradient");
            let value = tensors.next().ok_or_else(missing)?;
            let grad = tensors.next().ok_or_else(missing)?;
            let state: Vec<Tensor> = tensors.collect();
            let (count, param) = (state.len(), from_json::<Param>(&param)?);
            let update = Update { learning_rate, step, param: &param };
            let (value, state) = self.0.update(&update, value, grad, state);
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
        Ok(OptimizerFfi_TO::from_value(Export(options), TD_Opaque))
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

    /// See [`Optimizer::state`].
    pub fn state(&self, param: &Param) -> Result<Vec<StateSpec>> {
        super::named(&self.plugin, || from_json(&receive(self.raw.state(to_json(param)?.as_rstr()))?))
    }

    /// See [`Optimizer::update`]. The gradient must have the parameter's shape; so does the result.
    pub fn update(
        &self,
        update: &Update,
        param: Tensor,
        grad: Tensor,
        state: Vec<Tensor>,
    ) -> Result<(Tensor, Vec<Tensor>)> {
        super::named(&self.plugin, || {
            let json = to_json(update.param)?;
            let tensors = [param, grad].into_iter().chain(state).map(|t| t.0).collect();
            let out = receive(self.raw.update(update.learning_rate, update.step, json.as_rstr(), tensors))?;
            let mut out = out.into_iter().map(Tensor);
            let value = out.next().ok_or_else(|| PluginError::new("the update returned nothing"))?;
            if value.shape() != update.param.shape {
                let (name, shape) = (&update.param.name, value.shape());
                return Err(PluginError::new(format!("update of `{name}` changed its shape to {shape:?}")));
            }
            Ok((value, out.collect()))
        })
    }
}
