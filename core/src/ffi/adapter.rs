//! Adapters on the boundary.

use super::{RawContext, RawError, RawResult, RawTensor, declared, filled, from_json, guard, receive, to_json};
use crate::{
    Adapted, Adapter, AdapterPlan, Attach, Ctx, Merged, ModelSpec, Param, PluginError, Result, Site, Tensor, Weight,
    features::require,
};
use abi_stable::{
    sabi_trait,
    sabi_trait::TD_Opaque,
    std_types::{RBox, ROption, RResult, RStr, RString, RVec, Tuple2},
};

#[sabi_trait]
pub trait AdapterFfi: Send + Sync + 'static {
    fn options(&self) -> RResult<RString, RawError>;
    #[sabi(last_prefix_field)]
    fn open(&self, model: RStr<'_>) -> RResult<RawAdapted, RawError>;
}

pub type RawAdapter = AdapterFfi_TO<RBox<()>>;

#[sabi_trait]
pub trait AdaptedFfi: Send + Sync + 'static {
    fn plan(&self) -> RResult<RString, RawError>;
    fn linear(&self, cx: RawContext, site: usize, x: RawTensor) -> RResult<RawTensor, RawError>;
    fn embed(&self, cx: RawContext, site: usize, ids: RawTensor, embedded: RawTensor) -> RResult<RawTensor, RawError>;
    fn output(&self, cx: RawContext, site: usize, hidden: RawTensor)
    -> RResult<Tuple2<RawTensor, RawTensor>, RawError>;
    fn prompt(&self, cx: RawContext) -> RResult<RawTensor, RawError>;
    fn prefix(&self, cx: RawContext, attention: usize) -> RResult<Tuple2<RawTensor, RawTensor>, RawError>;
    fn initial(&self, cx: RawContext, param: usize) -> RResult<RawTensor, RawError>;
    fn merge(
        &self,
        cx: RawContext,
        site: usize,
        weight: RawTensor,
        bias: ROption<RawTensor>,
    ) -> RResult<Tuple2<RawTensor, ROption<RawTensor>>, RawError>;
    #[sabi(last_prefix_field)]
    fn saved(&self, cx: RawContext) -> RResult<RVec<RawTensor>, RawError>;
}

pub type RawAdapted = AdaptedFfi_TO<RBox<()>>;

struct Export<T>(T);

impl<T: Adapter> AdapterFfi for Export<T> {
    fn options(&self) -> RawResult<RString> {
        guard(|| filled(&self.0))
    }
    fn open(&self, model: RStr<'_>) -> RawResult<RawAdapted> {
        guard(|| {
            let model: ModelSpec = from_json(&model)?;
            let attach = Attach::new(&model);
            let network = self.0.build(&model, &attach)?;
            let plan = attach.finish();
            let site = |(index, module): (usize, &String)| {
                let weight = model.params.iter().find(|p| p.module() == module);
                let missing = || PluginError::new(format!("it intercepts `{module}`, which the model does not have"));
                Ok(Site { index, weight: model.weight(weight.ok_or_else(missing)?) })
            };
            let sites = plan.sites.iter().enumerate().map(site).collect::<Result<_>>()?;
            let first = (model.network, model.params.len());
            Ok(AdaptedFfi_TO::from_value(Attached { network, plan: to_json(&plan)?, sites, first }, TD_Opaque))
        })
    }
}

/// An adapter's network with its plan.
struct Attached<N> {
    network: N,
    plan: RString,
    sites: Vec<Site>,
    /// The model's network, and the index of the adapter's first parameter.
    first: (u32, usize),
}

impl<N: Adapted> Attached<N> {
    fn site(&self, index: usize) -> Result<Site> {
        self.sites.get(index).copied().ok_or_else(|| PluginError::new(format!("there is no site {index}")))
    }
}

fn pair((a, b): (Tensor, Tensor)) -> Tuple2<RawTensor, RawTensor> {
    Tuple2(a.0, b.0)
}

impl<N: Adapted> AdaptedFfi for Attached<N> {
    fn plan(&self) -> RawResult<RString> {
        guard(|| Ok(self.plan.clone()))
    }
    fn linear(&self, cx: RawContext, site: usize, x: RawTensor) -> RawResult<RawTensor> {
        guard(|| Ok(self.network.linear(&Ctx::new(cx), self.site(site)?, Tensor(x)).0))
    }
    fn embed(&self, cx: RawContext, site: usize, ids: RawTensor, embedded: RawTensor) -> RawResult<RawTensor> {
        guard(|| Ok(self.network.embed(&Ctx::new(cx), self.site(site)?, Tensor(ids), Tensor(embedded)).0))
    }
    fn output(&self, cx: RawContext, site: usize, hidden: RawTensor) -> RawResult<Tuple2<RawTensor, RawTensor>> {
        guard(|| Ok(pair(self.network.output(&Ctx::new(cx), self.site(site)?, Tensor(hidden)))))
    }
    fn prompt(&self, cx: RawContext) -> RawResult<RawTensor> {
        guard(|| Ok(self.network.prompt(&Ctx::new(cx)).0))
    }
    fn prefix(&self, cx: RawContext, attention: usize) -> RawResult<Tuple2<RawTensor, RawTensor>> {
        guard(|| Ok(pair(self.network.prefix(&Ctx::new(cx), attention))))
    }
    fn initial(&self, cx: RawContext, param: usize) -> RawResult<RawTensor> {
        guard(|| Ok(self.network.initial(&Ctx::new(cx), Weight::new(self.first.0, self.first.1 + param)).0))
    }
    fn merge(
        &self,
        cx: RawContext,
        site: usize,
        weight: RawTensor,
        bias: ROption<RawTensor>,
    ) -> RawResult<Tuple2<RawTensor, ROption<RawTensor>>> {
        guard(|| {
            let module = Merged { weight: Tensor(weight), bias: bias.into_option().map(Tensor) };
            let Merged { weight, bias } = self.network.merge(&Ctx::new(cx), self.site(site)?, module)?;
            Ok(Tuple2(weight.0, bias.map(|bias| bias.0).into()))
        })
    }
    fn saved(&self, cx: RawContext) -> RawResult<RVec<RawTensor>> {
        guard(|| Ok(self.network.saved(&Ctx::new(cx)).into_iter().map(|tensor| tensor.0).collect()))
    }
}

pub(super) extern "C" fn build<T: Adapter>(options: RStr<'_>) -> RawResult<RawAdapter> {
    guard(|| {
        let options: T = super::from_json(&options)?;
        options.validate()?;
        Ok(AdapterFfi_TO::from_value(Export(options), TD_Opaque))
    })
}

/// An adapter that is not registered, for checks.
pub fn adapter_object<T: Adapter>(options: T, plugin: &str) -> Result<AdapterObject> {
    options.validate()?;
    Ok(AdapterObject { raw: AdapterFfi_TO::from_value(Export(options), TD_Opaque), plugin: plugin.to_owned() })
}

/// Options of an adapter from PEFT's configuration; null if another adapter is to read it.
pub(super) extern "C" fn from_peft<T: Adapter>(config: RStr<'_>) -> RawResult<RString> {
    guard(|| {
        let config = from_json(&config)?;
        if T::reads(&config) { to_json(&T::from_peft(&config)?) } else { Ok("null".into()) }
    })
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

    /// Attaches it to a model: see [`Adapter::build`].
    pub fn open(&self, model: &ModelSpec) -> Result<AdaptedObject> {
        super::named(&self.plugin, || {
            let raw = receive(self.raw.open(to_json(model)?.as_rstr()))?;
            let plan: AdapterPlan = declared(&receive(raw.plan())?)?;
            require(&plan.requires)?;
            Ok(AdaptedObject { raw, plan, plugin: self.plugin.clone() })
        })
    }

    /// What it does to a model.
    pub fn plan(&self, model: &ModelSpec) -> Result<AdapterPlan> {
        Ok(self.open(model)?.plan)
    }
}

/// An adapter that is attached to a model.
pub struct AdaptedObject {
    raw: RawAdapted,
    plan: AdapterPlan,
    plugin: String,
}

impl AdaptedObject {
    /// What it does to the model.
    pub fn plan(&self) -> &AdapterPlan {
        &self.plan
    }

    /// The site of a module, if it goes through the adapter.
    pub fn site(&self, weight: &Param) -> Option<usize> {
        self.plan.sites.iter().position(|site| site == weight.module())
    }

    /// All sites of a module.
    pub fn sites(&self, weight: &Param) -> impl Iterator<Item = usize> {
        let own = weight.module().to_owned();
        self.plan.sites.iter().enumerate().filter(move |(_, site)| **site == own).map(|(i, _)| i)
    }

    fn call<T>(&self, f: impl FnOnce() -> Result<T>) -> Result<T> {
        super::named(&self.plugin, f)
    }

    /// See [`Adapted::linear`].
    pub fn linear(&self, cx: &Ctx, site: usize, x: Tensor) -> Result<Tensor> {
        self.call(|| Ok(Tensor(receive(self.raw.linear(cx.raw.clone(), site, x.0))?)))
    }

    /// See [`Adapted::embed`].
    pub fn embed(&self, cx: &Ctx, site: usize, ids: Tensor, embedded: Tensor) -> Result<Tensor> {
        self.call(|| Ok(Tensor(receive(self.raw.embed(cx.raw.clone(), site, ids.0, embedded.0))?)))
    }

    /// See [`Adapted::output`].
    pub fn output(&self, cx: &Ctx, site: usize, hidden: Tensor) -> Result<(Tensor, Tensor)> {
        self.call(|| {
            let Tuple2(features, weight) = receive(self.raw.output(cx.raw.clone(), site, hidden.0))?;
            Ok((Tensor(features), Tensor(weight)))
        })
    }

    /// See [`Adapted::prompt`].
    pub fn prompt(&self, cx: &Ctx) -> Result<Tensor> {
        self.call(|| Ok(Tensor(receive(self.raw.prompt(cx.raw.clone()))?)))
    }

    /// See [`Adapted::prefix`].
    pub fn prefix(&self, cx: &Ctx, attention: usize) -> Result<(Tensor, Tensor)> {
        self.call(|| {
            let Tuple2(keys, values) = receive(self.raw.prefix(cx.raw.clone(), attention))?;
            Ok((Tensor(keys), Tensor(values)))
        })
    }

    /// See [`Adapted::initial`].
    pub fn initial(&self, cx: &Ctx, param: usize) -> Result<Tensor> {
        self.call(|| Ok(Tensor(receive(self.raw.initial(cx.raw.clone(), param))?)))
    }

    /// See [`Adapted::merge`].
    pub fn merge(
        &self,
        cx: &Ctx,
        site: usize,
        weight: Tensor,
        bias: Option<Tensor>,
    ) -> Result<(Tensor, Option<Tensor>)> {
        self.call(|| {
            let bias = bias.map(|bias| bias.0).into();
            let Tuple2(weight, bias) = receive(self.raw.merge(cx.raw.clone(), site, weight.0, bias))?;
            Ok((Tensor(weight), bias.into_option().map(Tensor)))
        })
    }

    /// See [`Adapted::saved`].
    pub fn saved(&self, cx: &Ctx) -> Result<Vec<Tensor>> {
        self.call(|| Ok(receive(self.raw.saved(cx.raw.clone()))?.into_iter().map(Tensor).collect()))
    }
}
