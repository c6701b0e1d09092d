//! Adapters on the boundary.

use super::{RawContext, RawError, RawResult, RawTensor, from_json, guard, receive, to_json};
use crate::{Adapter, AdapterPlan, Ctx, ModelSpec, Result, Tensor};
use abi_stable::{
    sabi_trait,
    sabi_trait::TD_Opaque,
    std_types::{RBox, RResult, RStr, RString, Tuple2},
};

#[sabi_trait]
pub trait AdapterFfi: Send + Sync + 'static {
    fn options(&self) -> RResult<RString, RawError>;
    fn plan(&self, model: RStr<'_>) -> RResult<RString, RawError>;
    fn linear(&self, cx: RawContext, module: RStr<'_>, x: RawTensor) -> RResult<RawTensor, RawError>;
    fn embed(&self, cx: RawContext, hidden: RawTensor) -> RResult<RawTensor, RawError>;
    fn keys_values(
        &self,
        cx: RawContext,
        block: usize,
        keys: RawTensor,
        values: RawTensor,
    ) -> RResult<Tuple2<RawTensor, RawTensor>, RawError>;
    #[sabi(last_prefix_field)]
    fn merge(&self, cx: RawContext, module: RStr<'_>, weight: RawTensor) -> RResult<RawTensor, RawError>;
}

pub type RawAdapter = AdapterFfi_TO<RBox<()>>;

struct Export<T>(T);

impl<T: Adapter> AdapterFfi for Export<T> {
    fn options(&self) -> RawResult<RString> {
        guard(|| to_json(&self.0))
    }
    fn plan(&self, model: RStr<'_>) -> RawResult<RString> {
        guard(|| to_json(&self.0.plan(&from_json::<ModelSpec>(&model)?)?))
    }
    fn linear(&self, cx: RawContext, module: RStr<'_>, x: RawTensor) -> RawResult<RawTensor> {
        guard(|| Ok(self.0.linear(&Ctx::new(cx), &module, Tensor(x)).0))
    }
    fn embed(&self, cx: RawContext, hidden: RawTensor) -> RawResult<RawTensor> {
        guard(|| Ok(self.0.embed(&Ctx::new(cx), Tensor(hidden)).0))
    }
    fn keys_values(
        &self,
        cx: RawContext,
        block: usize,
        keys: RawTensor,
        values: RawTensor,
    ) -> RawResult<Tuple2<RawTensor, RawTensor>> {
        guard(|| {
            let (k, v) = self.0.keys_values(&Ctx::new(cx), block, Tensor(keys), Tensor(values));
            Ok(Tuple2(k.0, v.0))
        })
    }
    fn merge(&self, cx: RawContext, module: RStr<'_>, weight: RawTensor) -> RawResult<RawTensor> {
        guard(|| Ok(self.0.merge(&Ctx::new(cx), &module, Tensor(weight)).0))
    }
}

pub(super) extern "C" fn build<T: Adapter>(options: RStr<'_>) -> RawResult<RawAdapter> {
    guard(|| {
        let options: T = super::from_json(&options)?;
        options.validate()?;
        Ok(AdapterFfi_TO::from_value(Export(options), TD_Opaque))
    })
}

pub(super) extern "C" fn from_peft<T: Adapter>(config: RStr<'_>) -> RawResult<RString> {
    guard(|| to_json(&T::from_peft(&from_json(&config)?)?))
}

/// An adapter, linked in or loaded.
pub struct AdapterObject {
    pub(super) raw: RawAdapter,
    pub(super) plugin: String,
}

impl AdapterObject {
    /// The plugin's name and origin, for messages.
    pub fn plugin(&self) -> &str {
        &self.plugin
    }

    /// All options, defaults included, as JSON.
    pub fn options(&self) -> Result<serde_json::Value> {
        super::named(&self.plugin, || from_json(&receive(self.raw.options())?))
    }

    /// See [`Adapter::plan`].
    pub fn plan(&self, model: &ModelSpec) -> Result<AdapterPlan> {
        super::named(&self.plugin, || from_json(&receive(self.raw.plan(to_json(model)?.as_rstr()))?))
    }

    /// See [`Adapter::linear`].
    pub fn linear(&self, cx: &Ctx, module: &str, x: Tensor) -> Result<Tensor> {
        super::named(&self.plugin, || Ok(Tensor(receive(self.raw.linear(cx.raw.clone(), module.into(), x.0))?)))
    }

    /// See [`Adapter::embed`].
    pub fn embed(&self, cx: &Ctx, hidden: Tensor) -> Result<Tensor> {
        super::named(&self.plugin, || Ok(Tensor(receive(self.raw.embed(cx.raw.clone(), hidden.0))?)))
    }

    /// See [`Adapter::keys_values`].
    pub fn keys_values(&self, cx: &Ctx, block: usize, keys: Tensor, values: Tensor) -> Result<(Tensor, Tensor)> {
        super::named(&self.plugin, || {
            let Tuple2(k, v) = receive(self.raw.keys_values(cx.raw.clone(), block, keys.0, values.0))?;
            Ok((Tensor(k), Tensor(v)))
        })
    }

    /// See [`Adapter::merge`].
    pub fn merge(&self, cx: &Ctx, module: &str, weight: Tensor) -> Result<Tensor> {
        super::named(&self.plugin, || Ok(Tensor(receive(self.raw.merge(cx.raw.clone(), module.into(), weight.0))?)))
    }
}
