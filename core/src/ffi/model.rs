//! Model architectures on the boundary.

use super::{RawContext, RawError, RawResult, RawTensor, declared, filled, from_json, guard, receive, to_json};
use crate::{Ctx, ModelArch, ModelSpec, Network, Result, Tensor, features::require, model::built};
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
    fn start(&self, cx: RawContext, embedded: RawTensor) -> RResult<RawTensor, RawError>;
    fn block(&self, cx: RawContext, index: usize, hidden: RawTensor) -> RResult<RawTensor, RawError>;
    #[sabi(last_prefix_field)]
    fn head(&self, cx: RawContext, hidden: RawTensor) -> RResult<RawTensor, RawError>;
}

pub type RawModel = ModelFfi_TO<RBox<()>>;

/// An architecture's options with the network that they describe.
struct Export<T: ModelArch> {
    options: T,
    spec: RString,
    network: T::Net,
}

impl<T: ModelArch> ModelFfi for Export<T> {
    fn options(&self) -> RawResult<RString> {
        guard(|| filled(&self.options))
    }
    fn spec(&self) -> RawResult<RString> {
        guard(|| Ok(self.spec.clone()))
    }
    fn embed(&self, cx: RawContext, ids: RawTensor) -> RawResult<RawTensor> {
        guard(|| Ok(self.network.embed(&Ctx::new(cx), Tensor(ids)).0))
    }
    fn start(&self, cx: RawContext, embedded: RawTensor) -> RawResult<RawTensor> {
        guard(|| Ok(self.network.start(&Ctx::new(cx), Tensor(embedded)).0))
    }
    fn block(&self, cx: RawContext, index: usize, hidden: RawTensor) -> RawResult<RawTensor> {
        guard(|| Ok(self.network.block(&Ctx::new(cx), index, Tensor(hidden)).0))
    }
    fn head(&self, cx: RawContext, hidden: RawTensor) -> RawResult<RawTensor> {
        guard(|| Ok(self.network.head(&Ctx::new(cx), Tensor(hidden)).0))
    }
}

pub(super) extern "C" fn build<T: ModelArch>(config: RStr<'_>) -> RawResult<RawModel> {
    guard(|| object(T::from_config(from_json(&config)?)?))
}

fn object<T: ModelArch>(options: T) -> Result<RawModel> {
    options.validate()?;
    let (network, spec) = built(&options)?;
    Ok(ModelFfi_TO::from_value(Export { options, spec: to_json(&spec)?, network }, TD_Opaque))
}

/// A model that is not registered, for tests.
pub fn model_object<T: ModelArch>(options: T, plugin: &str) -> Result<ModelObject> {
    Ok(ModelObject { raw: object(options)?, plugin: plugin.to_owned() })
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

    /// What the network declares.
    pub fn spec(&self) -> Result<ModelSpec> {
        super::named(&self.plugin, || {
            let spec: ModelSpec = declared(&receive(self.raw.spec())?)?;
            require(&spec.requires)?;
            Ok(spec)
        })
    }

    /// See [`Network::embed`].
    pub fn embed(&self, cx: &Ctx, ids: Tensor) -> Result<Tensor> {
        super::named(&self.plugin, || Ok(Tensor(receive(self.raw.embed(cx.raw.clone(), ids.0))?)))
    }

    /// See [`Network::start`].
    pub fn start(&self, cx: &Ctx, embedded: Tensor) -> Result<Tensor> {
        super::named(&self.plugin, || Ok(Tensor(receive(self.raw.start(cx.raw.clone(), embedded.0))?)))
    }

    /// See [`Network::block`].
    pub fn block(&self, cx: &Ctx, index: usize, hidden: Tensor) -> Result<Tensor> {
        super::named(&self.plugin, || Ok(Tensor(receive(self.raw.block(cx.raw.clone(), index, hidden.0))?)))
    }

    /// See [`Network::head`].
    pub fn head(&self, cx: &Ctx, hidden: Tensor) -> Result<Tensor> {
        super::named(&self.plugin, || Ok(Tensor(receive(self.raw.head(cx.raw.clone(), hidden.0))?)))
    }
}
