//! A model with its parameters and its adapter.

use super::{
    Cache, Device, Value,
    highest::{self, Wanted},
    kernels::squash::Squash,
    layout::{Layout, Virtual},
    ops,
    pass::{Mode, Pass, Setup, Stage},
    train,
};
use framework_core::{
    AdapterPlan, DType, ModelSpec, Param, PluginError, Result, Role, Tensor,
    ffi::{self, AdaptedObject, AdapterObject, HostTensor, ModelObject},
    meta::{self, MetaHost},
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
    adapter: Option<AdaptedObject>,
    plan: AdapterPlan,
    /// For each of the model's parameters: the adapter's site whose weight it is, and the bias that goes with it.
    modules: Vec<(Option<usize>, Option<usize>)>,
    trained: BTreeSet<String>,
    /// The first block that has to be differentiated; none if the embeddings have to be, too.
    lowest: Option<usize>,
    device: Device,
    params: RwLock<BTreeMap<String, Value>>,
    pub(super) noise: f64,
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
    pub(super) fn bias_of(&self, weight: usize) -> Option<usize> {
        self.modules[weight].1
    }

    /// The adapter, if the module of this weight goes through it, and its site.
    pub(super) fn site_of(&self, weight: usize) -> Option<(&AdaptedObject, usize)> {
        Some((self.adapter.as_ref()?, self.modules[weight].0?))
    }

    /// The sites of modules whose weights have this role.
    fn sites(&self, role: Role) -> impl Iterator<Item = (&AdaptedObject, usize)> {
        let all = self.spec.params.iter().filter(move |param| param.role == role);
        all.flat_map(|param| self.adapter.iter().flat_map(move |a| a.sites(param).map(move |site| (a, site))))
    }

    pub(super) fn adapter(&self) -> Option<&AdaptedObject> {
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

    /// Runs one stage. Ids go into [`Stage::Embed`], which comes as far as the first block, hidden states into the others.
    pub(super) fn stage(&self, pass: &Arc<Pass>, stage: Stage, input: Value) -> Result<Value> {
        pass.enter(stage);
        let (cx, input) = (pass.context(), ffi::wrap(input));
        let out = match stage {
            Stage::Embed => {
                let mut embedded = self.model.embed(&cx, input.clone())?;
                for (adapter, site) in self.sites(Role::Embedding).filter(|_| !pass.is_bare()) {
                    embedded = adapter.embed(&cx, site, input.clone(), embedded)?;
                }
                let embedded = self.noised(pass, embedded)?;
                let embedded = self.behind_prompt(pass, embedded)?;
                pass.enter(Stage::Start);
                self.model.start(&cx, embedded)?
            }
            Stage::Start => self.model.start(&cx, input)?,
            Stage::Block(i) => self.model.block(&cx, i, input)?,
            Stage::Head => self.model.head(&cx, input)?,
        };
        ffi::unwrap(out)
    }

    /// Embeddings `[rows, time, hidden]` with an adapter's virtual tokens before each sequence.
    fn behind_prompt(&self, pass: &Arc<Pass>, embedded: Tensor) -> Result<Tensor> {
        let Some((adapter, sources)) = self.adapter.as_ref().zip(pass.layout().sources()) else { return Ok(embedded) };
        let prompt = adapter.prompt(&pass.context())?;
        let width = self.spec.hidden_size as i64;
        let expected = [self.plan.prompt, self.spec.hidden_size];
        if prompt.shape() != expected {
            return Err(PluginError::new(format!("the prompt is {:?}, not {expected:?}", prompt.shape())));
        }
        let all = Tensor::concat([embedded.reshape([-1, width]), prompt], 0);
        let count = sources.len();
        let mut sources = Value::from_ints(sources, &[count], &self.device)?;
        if ffi::unwrap::<Value>(all.clone())?.is_tracked() {
            sources = sources.tracked();
        }
        let rows = pass.layout().rows as i64;
        Ok(all.index_select(0, ffi::wrap(sources)).reshape([rows, -1, width]))
    }

    /// What the adapter adds to the vocabulary projection of `hidden` `[n, hidden]`.
    pub(super) fn output_added(&self, pass: &Arc<Pass>, hidden: &Value) -> Result<Option<(Value, Value)>> {
        let Some((adapter, site)) = self.sites(Role::Output).next().filter(|_| !pass.is_bare()) else {
            return Ok(None);
        };
        let (features, weight) = adapter.output(&pass.context(), site, ffi::wrap(hidden.clone()))?;
        Ok(Some((ffi::unwrap(features)?, ffi::unwrap(weight)?)))
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

    /// The hidden states `[n, hidden]` after the last block, those that `pick` chooses by the numbers of their tokens.
    pub(super) fn hidden(
        self: &Arc<Self>,
        ids: Vec<i32>,
        setup: Setup,
        pick: impl FnOnce(&Layout) -> Vec<i32>,
    ) -> Result<Picked> {
        let ids = self.ids(ids, setup.rows, setup.time)?;
        let pass = Pass::new(self, setup);
        let mut hidden = self.stage(&pass, Stage::Embed, ids)?;
        for i in 0..self.spec.blocks {
            hidden = self.stage(&pass, Stage::Block(i), hidden)?;
        }
        let hidden = self.stage(&pass, Stage::Head, hidden)?;
        let hidden = train::pick(hidden, pick(pass.layout()), &self.device)?;
        let added = self.output_added(&pass, &hidden)?;
        Ok(Picked { hidden, added, time: pass.layout().time })
    }

    pub(super) fn output(&self) -> Result<(Value, Option<Value>)> {
        let get = |name: &String| {
            self.param(name)
                .ok_or_else(|| PluginError::new(format!("the vocabulary projection `{name}` has no weights")))
        };
        Ok((get(&self.spec.output)?, self.spec.output_bias.as_ref().map(get).transpose()?))
    }

    pub(super) fn project(&self, Picked { hidden, added, .. }: Picked) -> Result<Value> {
        let (weight, bias) = self.output()?;
        let half = self.device.half;
        let mut logits = ops::linear(hidden, weight, bias, half)?;
        if let Some((features, weight)) = added {
            logits = logits.plus(ops::linear(features, weight, None, half)?)?;
        }
        let rank = logits.rank;
        Ok(Value::float(self.logits_of().of(logits.into_float()?), rank))
    }

    /// What becomes of the projection's result.
    pub(super) fn logits_of(&self) -> Squash {
        Squash { scale: self.spec.output_scale, softcap: self.spec.output_softcap }
    }

    /// Logits `[rows, time, vocab]` of ids `[rows, time]`, row-major.
    pub fn logits(self: &Arc<Self>, ids: Vec<i32>, rows: usize) -> Result<Vec<f32>> {
        let time = ids.len() / rows.max(1);
        let hidden = self.hidden(ids, Setup::plain(rows, time), Layout::places)?;
        self.project(hidden)?.to_f32()
    }

    /// Reads prompts of any lengths into a fresh cache and returns it with the logits `[rows, vocab]` that follow.
    pub fn prefill(self: &Arc<Self>, prompts: &[Vec<u32>], pad: u32) -> Result<(Arc<Mutex<Cache>>, Vec<f32>)> {
        self.prefill_for(prompts, pad, Wanted::default())
    }

    /// The same, for somebody who looks at the highest scores alone, here and after each [step](Self::step).
    pub fn prefill_for(
        self: &Arc<Self>,
        prompts: &[Vec<u32>],
        pad: u32,
        wanted: Wanted,
    ) -> Result<(Arc<Mutex<Cache>>, Vec<f32>)> {
        let (time, pad) = (prompts.iter().map(Vec::len).max().unwrap_or(0), self.padding(pad));
        let starts: Vec<usize> = prompts.iter().map(|p| time - p.len()).collect();
        let padded =
            prompts.iter().zip(&starts).flat_map(|(p, &n)| std::iter::repeat_n(pad, n).chain(p.iter().copied()));
        let ids: Vec<i32> = padded.map(|id| id as i32).collect();
        let mut cache = Cache::new(starts);
        cache.wanted = wanted;
        let cache = Arc::new(Mutex::new(cache));
        let logits = self.extend(&cache, ids, prompts.len())?;
        Ok((cache, logits))
    }

    /// Appends one token to each row of a cache and returns the logits `[rows, vocab]` that follow.
    pub fn step(self: &Arc<Self>, cache: &Arc<Mutex<Cache>>, tokens: &[u32]) -> Result<Vec<f32>> {
        self.extend(cache, tokens.iter().map(|&t| t as i32).collect(), tokens.len())
    }

    fn extend(self: &Arc<Self>, cache: &Arc<Mutex<Cache>>, ids: Vec<i32>, rows: usize) -> Result<Vec<f32>> {
        let time = ids.len() / rows.max(1);
        let last = |layout: &Layout| (1..=rows).map(|row| (row * layout.time - 1) as i32).collect();
        let hidden =
            self.hidden(ids, Setup { mode: Mode::Generate(cache.clone()), ..Setup::plain(rows, time) }, last)?;
        let wanted = {
            let mut cache = cache.lock().unwrap_or_else(PoisonError::into_inner);
            cache.length += hidden.time;
            cache.wanted
        };
        highest::scores(self.project(hidden)?, wanted)
    }

    /// Gives the adapter's parameters that depend on the base weights their start.
    pub fn start_adapter(self: &Arc<Self>) -> Result<()> {
        let Some(adapter) = &self.adapter else { return Ok(()) };
        for &index in &self.plan.initial {
            let pass = Pass::new(self, Setup::plain(1, 1));
            let start = adapter.initial(&pass.context(), index)?;
            self.set(&self.plan.params[index].name, ffi::unwrap(start)?)?;
        }
        Ok(())
    }

    /// The tensors of PEFT's file, where they are not the parameters themselves.
    pub fn saved(self: &Arc<Self>) -> Result<Vec<Value>> {
        let Some(adapter) = &self.adapter else { return Ok(Vec::new()) };
        let pass = Pass::new(self, Setup::plain(1, 1));
        adapter.saved(&pass.context())?.into_iter().map(ffi::unwrap).collect()
    }

    /// A parameter of the base model with the adapter folded in.
    ///
    /// # Errors
    /// The adapter cannot be folded into weights.
    pub fn merged(self: &Arc<Self>, name: &str) -> Result<Option<Value>> {
        let Some(value) = self.param(name) else { return Ok(None) };
        if self.plan.prompt + self.plan.prefix > 0 {
            let message = "the adapter puts virtual tokens before each sequence, which no weight can hold; export it as an adapter";
            return Err(PluginError::new(message));
        }
        let index = self.spec.params.iter().position(|p| p.name == name);
        // A bias goes with its weight.
        let of_bias = index.and_then(|i| self.modules.iter().position(|(_, bias)| *bias == Some(i)));
        let Some((weight, (adapter, _))) = of_bias.or(index).and_then(|i| Some((i, self.site_of(i)?))) else {
            return Ok(Some(value));
        };
        let bias = self.bias_of(weight).and_then(|bias| self.param(&self.spec.params[bias].name));
        let mut module = (self.param(&self.spec.params[weight].name).unwrap_or(value), bias);
        let pass = Pass::new(self, Setup::plain(1, 1));
        let own = self.spec.params[weight].module();
        for site in adapter.plan().sites.iter().enumerate().filter(|(_, site)| *site == own).map(|(i, _)| i) {
            let (weight, bias) = (ffi::wrap(module.0), module.1.map(ffi::wrap));
            let (weight, bias) = adapter.merge(&pass.context(), site, weight, bias)?;
            module = (ffi::unwrap(weight)?, bias.map(ffi::unwrap).transpose()?);
        }
        Ok(if of_bias.is_some() { module.1 } else { Some(module.0) })
    }
}

/// Hidden states, what the adapter adds to their projection, and the tokens of a row in the pass.
pub(super) struct Picked {
    pub hidden: Value,
    pub added: Option<(Value, Value)>,
    pub time: usize,
}

/// The earliest stage in which a trained parameter takes part, found by running the stages on shapes alone.
fn lowest_trained(
    model: &ModelObject,
    spec: &ModelSpec,
    plan: &AdapterPlan,
    trained: &BTreeSet<String>,
) -> Result<Option<usize>> {
    if plan.prompt + plan.prefix > 0 || plan.params.iter().any(|p| p.block.is_none()) {
        return Ok(None);
    }
    let first = |used: BTreeSet<String>| used.iter().any(|name| trained.contains(name));
    let host = MetaHost::new(spec, None, 1, 2)?;
    meta::embed(model, &host)?;
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
