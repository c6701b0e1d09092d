//! A model with its parameters and its adapter.

use super::{
    Cache, Device, Value,
    loss::{Squash, Want, linear_cross_entropy},
    ops,
    pass::{Pass, Setup, Stage},
    train,
};
use crate::data::Batch;
use framework_core::{
    AdapterPlan, DType, ModelSpec, Param, PluginError, Result,
    ffi::{self, AdapterObject, HostTensor, ModelObject},
    meta::MetaHost,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError, RwLock},
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
    adapter: Option<AdapterObject>,
    plan: AdapterPlan,
    hooked: BTreeSet<String>,
    /// For each of the model's parameters: whether it is the weight of a projection that goes through the adapter, and
    /// the projection's bias.
    projections: Vec<(bool, Option<usize>)>,
    trained: BTreeSet<String>,
    /// The first block that has to be differentiated; none if the embeddings have to be, too.
    lowest: Option<usize>,
    device: Device,
    params: RwLock<BTreeMap<String, Value>>,
}

impl Network {
    /// A network without parameters; [`Network::set`] gives it them.
    pub fn new(parts: Parts) -> Result<Self> {
        let spec = parts.model.spec()?;
        let plan = match &parts.adapter {
            Some(adapter) => adapter.plan(&spec)?,
            None => AdapterPlan::default(),
        };
        let hooked: BTreeSet<String> = plan.linears.iter().cloned().collect();
        let bias = |param: &Param| {
            let name = param.name.strip_suffix(".weight").map(|module| format!("{module}.bias"));
            name.and_then(|name| spec.params.iter().position(|other| other.name == name))
        };
        let projections = spec.params.iter().map(|p| (hooked.contains(p.module()), bias(p))).collect();
        let trained: BTreeSet<String> =
            plan.params.iter().map(|p| p.name.clone()).chain(plan.trained.iter().cloned()).collect();
        let Parts { model, adapter, device } = parts;
        let lowest = lowest_trained(&model, &spec, &plan, &trained)?;
        let params = RwLock::default();
        Ok(Self { model, spec, adapter, plan, hooked, projections, trained, lowest, device, params })
    }

    pub(super) fn lowest_trained(&self) -> Option<usize> {
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
        let mut all: Vec<_> =
            self.plan.params.iter().chain(&self.spec.params).filter(|p| self.trained.contains(&p.name)).collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    }

    /// Whether a parameter is trained.
    pub fn is_trained(&self, name: &str) -> bool {
        self.trained.contains(name)
    }

    /// The index of a projection's weight.
    pub(super) fn weight_of(&self, module: &str) -> Option<usize> {
        self.spec.params.iter().position(|p| p.name.strip_suffix(".weight") == Some(module))
    }

    /// The index of the bias that goes with a weight.
    pub(super) fn bias_of(&self, weight: usize) -> Option<usize> {
        self.projections[weight].1
    }

    /// The adapter that a projection goes through, and the projection's name.
    pub(super) fn hook_at(&self, weight: usize) -> Option<(&AdapterObject, &str)> {
        let adapter = self.adapter.as_ref().filter(|_| self.projections[weight].0)?;
        Some((adapter, self.spec.params[weight].module()))
    }

    /// The parameters that are there.
    pub fn names(&self) -> Vec<String> {
        self.read().keys().cloned().collect()
    }

    /// A parameter's present value, in 32 bits.
    pub fn param(&self, name: &str) -> Option<Value> {
        let kept = self.read().get(name).cloned(); // not locked while it is widened
        kept.map(Value::widened)
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

    pub(super) fn hook(&self, module: &str) -> Option<&AdapterObject> {
        self.adapter.as_ref().filter(|_| self.hooked.contains(module))
    }

    pub(super) fn hooks(&self) -> Option<&AdapterObject> {
        self.adapter.as_ref().filter(|_| self.plan.hooks)
    }

    /// Runs one stage. Ids go into [`Stage::Embed`], hidden states into the others.
    pub(super) fn stage(&self, pass: &Arc<Pass>, stage: Stage, input: Value) -> Result<Value> {
        pass.enter(stage);
        let (cx, input) = (pass.context(), ffi::wrap(input));
        let out = match stage {
            Stage::Embed => {
                let hidden = self.model.embed(&cx, input)?;
                match self.hooks() {
                    Some(adapter) => adapter.embed(&cx, hidden)?,
                    None => hidden,
                }
            }
            Stage::Block(i) => self.model.block(&cx, i, input)?,
            Stage::Head => self.model.head(&cx, input)?,
        };
        ffi::unwrap(out)
    }

    /// Token ids `[rows, time]` as a value: the only way for ids into the model.
    ///
    /// # Errors
    /// An id that the embeddings do not have, which kernels would read beyond the table for.
    pub(super) fn ids(&self, ids: Vec<i32>, rows: usize, time: usize) -> Result<Value> {
        let vocab = self.spec.vocab_size;
        if let Some(bad) = ids.iter().find(|id| usize::try_from(**id).map_or(true, |id| id >= vocab)) {
            return Err(PluginError::new(format!("token id {bad} is outside of the model's vocabulary of {vocab}")));
        }
        Value::from_ints(ids, &[rows, time], &self.device)
    }

    /// The token to fill rows up with: the tokenizer's, or, if the model has no embedding for it, the first. It is
    /// masked.
    pub fn padding(&self, pad: u32) -> u32 {
        if (pad as usize) < self.spec.vocab_size { pad } else { 0 }
    }

    fn hidden(self: &Arc<Self>, ids: Vec<i32>, setup: Setup) -> Result<Value> {
        let ids = self.ids(ids, setup.rows, setup.time)?;
        let pass = Pass::new(self, setup);
        let mut hidden = self.stage(&pass, Stage::Embed, ids)?;
        for i in 0..self.spec.blocks {
            hidden = self.stage(&pass, Stage::Block(i), hidden)?;
        }
        self.stage(&pass, Stage::Head, hidden)
    }

    pub(super) fn output(&self) -> Result<(Value, Option<Value>)> {
        let get = |name: &String| {
            self.param(name)
                .ok_or_else(|| PluginError::new(format!("the vocabulary projection `{name}` has no weights")))
        };
        Ok((get(&self.spec.output)?, self.spec.output_bias.as_ref().map(get).transpose()?))
    }

    fn project(&self, hidden: Value) -> Result<Value> {
        let (weight, bias) = self.output()?;
        self.logits_of().of(ops::linear(hidden, weight, bias)?)
    }

    /// What becomes of the projection's result.
    pub(super) fn logits_of(&self) -> Squash {
        Squash { scale: self.spec.output_scale, softcap: self.spec.output_softcap }
    }

    /// Logits `[rows, time, vocab]` of ids `[rows, time]`, row-major.
    pub fn logits(self: &Arc<Self>, ids: Vec<i32>, rows: usize) -> Result<Vec<f32>> {
        let time = ids.len() / rows.max(1);
        let hidden = self.hidden(ids, Setup::plain(rows, time))?;
        self.project(hidden)?.to_f32()
    }

    /// The summed cross-entropy of a batch's labels, and how many they are.
    pub fn evaluate(self: &Arc<Self>, batch: &Batch) -> Result<(f64, usize)> {
        let (rows, targets) = train::supervised(batch);
        if targets.is_empty() {
            return Ok((0.0, 0));
        }
        let ids = batch.ids.iter().map(|&id| id as i32).collect();
        let segments = batch.segments.clone();
        let hidden = self.hidden(ids, Setup { segments, ..Setup::plain(batch.rows, batch.time) })?;
        let hidden = train::pick(hidden, rows, &self.device)?;
        let (weight, bias) = self.output()?;
        let loss = linear_cross_entropy(hidden, weight, bias, self.logits_of(), &targets, 1.0, Want::default())?;
        Ok((loss.sum, targets.len()))
    }

    /// Reads prompts of any lengths into a fresh cache and returns it with the logits `[rows, vocab]` that follow.
    pub fn prefill(self: &Arc<Self>, prompts: &[Vec<u32>], pad: u32) -> Result<(Arc<Mutex<Cache>>, Vec<f32>)> {
        let (time, pad) = (prompts.iter().map(Vec::len).max().unwrap_or(0), self.padding(pad));
        let starts: Vec<usize> = prompts.iter().map(|p| time - p.len()).collect();
        let padded =
            prompts.iter().zip(&starts).flat_map(|(p, &n)| std::iter::repeat_n(pad, n).chain(p.iter().copied()));
        let ids: Vec<i32> = padded.map(|id| id as i32).collect();
        let cache = Arc::new(Mutex::new(Cache::new(starts)));
        let logits = self.extend(&cache, ids, prompts.len())?;
        Ok((cache, logits))
    }

    /// Appends one token to each row of a cache and returns the logits `[rows, vocab]` that follow.
    pub fn step(self: &Arc<Self>, cache: &Arc<Mutex<Cache>>, tokens: &[u32]) -> Result<Vec<f32>> {
        self.extend(cache, tokens.iter().map(|&t| t as i32).collect(), tokens.len())
    }

    fn extend(self: &Arc<Self>, cache: &Arc<Mutex<Cache>>, ids: Vec<i32>, rows: usize) -> Result<Vec<f32>> {
        let time = ids.len() / rows.max(1);
        let hidden = self.hidden(ids, Setup { cache: Some(cache.clone()), ..Setup::plain(rows, time) })?;
        cache.lock().unwrap_or_else(PoisonError::into_inner).length += time;
        let last = framework_core::Op::Slice { dim: 1, start: time as i64 - 1, end: time as i64 };
        self.project(Value::execute(last, vec![hidden])?)?.to_f32()
    }

    /// A base weight with the adapter folded in.
    pub fn merged(self: &Arc<Self>, name: &str) -> Result<Option<Value>> {
        let Some(value) = self.param(name) else { return Ok(None) };
        let module = name.strip_suffix(".weight").unwrap_or(name);
        let Some(adapter) = self.hook(module) else { return Ok(Some(value)) };
        let pass = Pass::new(self, Setup::plain(1, 1));
        let merged = adapter.merge(&pass.context(), module, ffi::wrap(value))?;
        Ok(Some(ffi::unwrap(merged)?))
    }
}

/// The earliest stage in which a trained parameter takes part, found by running the stages on shapes alone.
fn lowest_trained(
    model: &ModelObject,
    spec: &ModelSpec,
    plan: &AdapterPlan,
    trained: &BTreeSet<String>,
) -> Result<Option<usize>> {
    if plan.hooks || plan.params.iter().any(|p| p.block.is_none()) {
        return Ok(None);
    }
    let first = |used: BTreeSet<String>| used.iter().any(|name| trained.contains(name));
    let host = MetaHost::new(spec, None, 1, 2)?;
    model.embed(&host.context(), host.tensor(&[1, 2], DType::Int))?;
    if first(host.cost().used) {
        return Ok(None);
    }
    let of_adapter = plan.params.iter().filter_map(|p| p.block).min().unwrap_or(spec.blocks);
    for i in 0..of_adapter {
        let host = MetaHost::new(spec, None, 1, 2)?;
        model.block(&host.context(), i, host.tensor(&[1, 2, spec.hidden_size], DType::F32))?;
        if first(host.cost().used) {
            return Ok(Some(i));
        }
    }
    Ok(Some(of_adapter))
}
