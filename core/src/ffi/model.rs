//! Model architectures on the boundary.

use super::{RawContext, RawError, RawResult, RawTensor, from_json, guard, receive, to_json};
use crate::{Ctx, ModelArch, ModelSpec, Result, Tensor};
use abi_stable::{
    sabi_trait,
    sabi_trait::TD_Opaque,
    std_types::{RBox, RResult, RStr, RString},
};

#[sabi_trait]
pub trait ModelFfi: Send + Sync + 'static {
    fn options(&self) -> RResult<RString, RawError>;
    fn spec(&self) -> RResult<RString, RawError>;
    fn embed(&self, cx: RawContext, ids: RawTensor) -> RResult<RawTensor, RawError>;
    fn block(&self, cx: RawContext, index: usize, hidden: RawTensor) -> RResult<RawTensor, RawError>;
    #[sabi(last_prefix_field)]
    fn head(&self, cx: RawContext, hidden: RawTensor) -> RResult<RawTensor, RawError>;
}

pub type RawModel = ModelFfi_TO<RBox<()>>;

struct Export<T>(T);

impl<T: ModelArch> ModelFfi for Export<T> {
    fn options(&self) -> RawResult<RString> {
        guard(|| to_json(&self.0))
    }
    fn spec(&self) -> RawResult<RString> {
        guard(|| to_json(&self.0.spec()?))
    }
    fn embed(&self, cx: RawContext, ids: RawTensor) -> RawResult<RawTensor> {
        guard(|| Ok(self.0.embed(&Ctx::new(cx), Tensor(ids)).0))
    }
    fn block(&self, cx: RawContext, index: usize, hidden: RawTensor) -> RawResult<RawTensor> {
        guard(|| Ok(self.0.block(&Ctx::new(cx), index, Tensor(hidden)).0))
    }
    fn head(&self, cx: RawContext, hidden: RawTensor) -> RawResult<RawTensor> {
        guard(|| Ok(self.0.head(&Ctx::new(cx), Tensor(hidden)).0))
    }
}

pub(super) extern "C" fn build<T: ModelArch>(config: RStr<'_>) -> RawResult<RawModel> {
    guard(|| {
        let model = T::from_config(from_json(&config)?)?;
        model.validate()?;
        Ok(ModelFfi_TO::from_value(Export(model), TD_Opaque))
    })
}

/// A model architecture, linked in or loaded.
pub struct ModelObject {
    pub(super) raw: RawModel,
    pub(super) plugin: String,
}

impl ModelObject {
    /// The plugin's name and origin, for messages.
    pub fn plugin(&self) -> &str {
        &self.plugin
    }

    /// The configuration, defaults included, as JSON.
    pub fn options(&self) -> Result<serde_json::Value> {
        super::named(&self.plugin, || from_json(&receive(self.raw.options())?))
    }

    /// See [`ModelArch::spec`].
    pub fn spec(&self) -> Result<ModelSpec> {
        super::named(&self.plugin, || from_json(&receive(self.raw.spec())?))
    }

    /// See [`ModelArch::embed`].
    pub fn embed(&self, cx: &Ctx, ids: Tensor) -> Result<Tensor> {
        super::named(&self.plugin, || Ok(Tensor(receive(self.raw.embed(cx.raw.clone(), ids.0))?)))
    }

    /// See [`ModelArch::block`].
    pub fn block(&self, cx: &Ctx, index: usize, hidden: Tensor) -> Result<Tensor> {
        super::named(&self.plugin, || Ok(Tensor(receive(self.raw.block(cx.raw.clone(), index, hidden.0))?)))
    }

    /// See [`ModelArch::head`].
    pub fn head(&self, cx: &Ctx, hidden: Tensor) -> Result<Tensor> {
        super::named(&self.plugin, || Ok(Tensor(receive(self.raw.head(cx.raw.clone(), hidden.0))?)))
    }
}
