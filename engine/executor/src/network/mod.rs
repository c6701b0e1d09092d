//! A model with its parameters and its adapter.

mod adapted;
mod generate;
mod lowest;
mod stages;

pub(crate) use stages::Picked;

use crate::{Device, Value, layout::Virtual};
use framework_core::{
    AdapterPlan, ModelSpec, Param, PluginError, Result, Role,
    ffi::{AdaptedObject, AdapterObject, HostTensor, ModelObject},
};
use lowest::lowest_trained;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{PoisonError, RwLock},
};

/// What a network is made of.
pub struct Parts {
    /// The architecture.
    pub model: ModelObject,
    /// What is trained and attached; none for the base model alone.
    pub adapter: Option<AdapterObject>,
    /// Where it computes.
    pub device: Device,
}

/// A model with its parameters and its adapter, on a device.
pub struct Network {
    model: ModelObject,
    spec: ModelSpec,
    adapter: Option<AdaptedObject>,
    plan: AdapterPlan,
    /// For each of the model's parameters: the adapter's site whose weight it is, and the bias that goes with it.
    modules: Vec<(Option<usize>, Option<usize>)>,
    trained: BTreeSet<String>,
    /// The first block that has to be differentiated; none if the embeddings have to be, too.
    lowest: Option<usize>,
    device: Device,
    params: RwLock<BTreeMap<String, Value>>,
    pub(crate) noise: f64,
}

impl Network {
    /// A network without parameters; [`Network::set`] gives it them.
    pub fn new(parts: Parts) -> Result<Self> {
        let spec = parts.model.spec()?;
        let adapter = parts.adapter.map(|adapter| adapter.open(&spec)).transpose()?;
        let plan = adapter.as_ref().map_or_else(AdapterPlan::default, |adapter| adapter.plan().clone());
        let bias = |param: &Param| {
            let name = param.name.strip_suffix(".weight").map(|module| format!("{module}.bias"));
            name.and_then(|name| spec.params.iter().position(|other| other.name == name))
        };
        let site = |param: &Param| adapter.as_ref().and_then(|adapter| adapter.site(param));
        let modules = spec.params.iter().map(|p| (site(p), bias(p))).collect();
        let trained = plan.trained_names();
        let Parts { model, device, .. } = parts;
        let lowest = lowest_trained(&model, &spec, &plan, &trained)?;
        let params = RwLock::default();
        Ok(Self { model, spec, adapter, plan, modules, trained, lowest, device, params, noise: 0.0 })
    }

    /// Trains these parameters no more.
    pub fn freeze(&mut self, names: &BTreeSet<String>) -> Result<()> {
        self.trained.retain(|name| !names.contains(name));
        self.lowest = lowest_trained(&self.model, &self.spec, &self.plan, &self.trained)?;
        Ok(())
    }

    pub(crate) fn lowest_trained(&self) -> Option<usize> {
        self.lowest
    }

    /// What the architecture declares.
    pub fn spec(&self) -> &ModelSpec {
        &self.spec
    }

    /// What the adapter does.
    pub fn plan(&self) -> &AdapterPlan {
        &self.plan
    }

    /// The architecture's configuration, defaults included.
    pub fn config(&self) -> Result<serde_json::Value> {
        self.model.options()
    }

    /// Where it computes.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Declarations of the parameters that are trained, the adapter's and the base model's, in name order.
    pub fn trained(&self) -> Vec<&Param> {
        self.named(&self.trained)
    }

    /// The same, with those that have been frozen: what an adapter's file holds.
    pub fn adapted(&self) -> Vec<&Param> {
        self.named(&self.plan.trained_names())
    }

    fn named(&self, names: &BTreeSet<String>) -> Vec<&Param> {
        let all = self.plan.params.iter().chain(&self.spec.params);
        let mut found: Vec<_> = all.filter(|param| names.contains(&param.name)).collect();
        found.sort_by(|a, b| a.name.cmp(&b.name));
        found
    }

    /// Whether a parameter is trained.
    pub fn is_trained(&self, name: &str) -> bool {
        self.trained.contains(name)
    }

    /// Whether no parameter of the base model is trained.
    pub fn keeps_base(&self) -> bool {
        !self.spec.params.iter().any(|param| self.is_trained(&param.name))
    }

    /// The index of the bias that goes with a weight.
    pub(crate) fn bias_of(&self, weight: usize) -> Option<usize> {
        self.modules[weight].1
    }

    /// The adapter, if the module of this weight goes through it, and its site.
    pub(crate) fn site_of(&self, weight: usize) -> Option<(&AdaptedObject, usize)> {
        Some((self.adapter.as_ref()?, self.modules[weight].0?))
    }

    /// The sites of modules whose weights have this role.
    pub(crate) fn sites(&self, role: Role) -> impl Iterator<Item = (&AdaptedObject, usize)> {
        let all = self.spec.params.iter().filter(move |param| param.role == role);
        all.flat_map(|param| self.adapter.iter().flat_map(move |a| a.sites(param).map(move |site| (a, site))))
    }

    pub(crate) fn adapter(&self) -> Option<&AdaptedObject> {
        self.adapter.as_ref()
    }

    /// Virtual tokens that the adapter puts before each sequence.
    pub fn virtual_tokens(&self) -> Virtual {
        Virtual { prompt: self.plan.prompt, prefix: self.plan.prefix }
    }

    /// The parameters that are there.
    pub fn names(&self) -> Vec<String> {
        self.read().keys().cloned().collect()
    }

    /// A parameter's present value, as it is kept.
    pub fn param(&self, name: &str) -> Option<Value> {
        self.read().get(name).cloned()
    }

    /// Takes a parameter out, so that it can be changed in place.
    pub fn take(&self, name: &str) -> Option<Value> {
        self.params.write().unwrap_or_else(PoisonError::into_inner).remove(name)
    }

    /// Gives a parameter its value; its shape must be the declared one.
    pub fn set(&self, name: &str, value: Value) -> Result<()> {
        let declared = self.spec.get(name).or_else(|| self.plan.params.iter().find(|p| p.name == name));
        let declared = declared.ok_or_else(|| PluginError::new(format!("parameter `{name}` is not declared")))?;
        if value.shape() != declared.shape {
            let (found, expected) = (value.shape(), &declared.shape);
            return Err(PluginError::new(format!("parameter `{name}` has shape {found:?}, not {expected:?}")));
        }
        self.params.write().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), value);
        Ok(())
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, BTreeMap<String, Value>> {
        self.params.read().unwrap_or_else(PoisonError::into_inner)
    }
}
