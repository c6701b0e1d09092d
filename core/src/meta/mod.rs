//! Shapes without data: runs any architecture before anything is allocated.
//!
//! The planner counts parameters, operations and activations with it; the test kit finds undeclared or misshapen
//! parameters.

mod infer;
mod keep;

use keep::Buffer;

pub use infer::MOST_ELEMENTS;

use crate::{
    Ctx, CtxOp, DType, ModelSpec, Op, Param, PluginError, Result, Role, Tensor,
    ffi::{self, AdaptedObject, AdapterObject, Host, HostTensor, ModelObject},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
};

/// What a pass would cost.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cost {
    /// Floating-point operations, a multiplication and an addition counted as two.
    pub flops: u64,
    /// Bytes that differentiation keeps for the way back.
    pub kept: u64,
    /// Bytes of the largest tensor.
    pub largest: u64,
    /// Names of the parameters that were used.
    pub used: BTreeSet<String>,
}

/// A tensor's shape and type.
#[derive(Clone)]
pub struct MetaTensor {
    shape: Vec<usize>,
    dtype: DType,
    /// Each element is one of this many values, assumed to be equally likely; a mask is true once in this many.
    choices: Option<usize>,
    /// Whether a trained parameter took part in it.
    tracked: bool,
    buffer: Buffer,
    counting: Arc<Mutex<Counting>>,
}

/// What is counted while a model runs.
#[derive(Default)]
struct Counting {
    flops: u64,
    used: BTreeSet<String>,
    /// Sizes of what is kept, by the numbers of buffers.
    kept: BTreeMap<u64, u64>,
    buffers: u64,
    largest: u64,
}

impl Counting {
    fn buffer(&mut self, shape: &[usize], dtype: DType) -> Buffer {
        self.buffers += 1;
        Buffer::new(self.buffers, shape, dtype)
    }
}

fn lock<T>(m: &Mutex<T>) -> MutexGuard<'_, T> {
    m.lock().unwrap_or_else(PoisonError::into_inner)
}

impl MetaTensor {
    fn like(&self, shape: Vec<usize>, dtype: DType, flops: u64) -> Self {
        let mut counting = lock(&self.counting);
        counting.flops = counting.flops.saturating_add(flops);
        let buffer = counting.buffer(&shape, dtype);
        let (choices, tracked, counting) = (None, self.tracked, self.counting.clone());
        Self { shape, dtype, choices, tracked, buffer, counting }
    }
}

impl HostTensor for MetaTensor {
    fn shape(&self) -> Vec<usize> {
        self.shape.clone()
    }
    fn dtype(&self) -> DType {
        self.dtype
    }
    fn execute(op: Op, operands: Vec<Self>) -> Result<Self> {
        infer::infer(&op, &operands)
    }
}

/// The shape and the element type of what an operator gives for operands of these.
///
/// # Errors
/// They do not fit the operator.
pub fn inferred(op: &Op, operands: &[(Vec<usize>, DType)]) -> Result<(Vec<usize>, DType)> {
    let counting: Arc<Mutex<Counting>> = Arc::default();
    let tensor = |(shape, dtype): &(Vec<usize>, DType)| {
        let (shape, dtype, buffer, counting) = (shape.clone(), *dtype, Buffer::of_param(), counting.clone());
        MetaTensor { shape, dtype, choices: None, tracked: false, buffer, counting }
    };
    let out = infer::infer(op, &operands.iter().map(tensor).collect::<Vec<_>>())?;
    Ok((out.shape, out.dtype))
}

/// A run without data.
pub struct MetaHost {
    spec: ModelSpec,
    adapter: Option<AdaptedObject>,
    /// Sequences, tokens of each in this pass, and tokens of each in the cache.
    batch: usize,
    time: usize,
    cached: usize,
    /// Whether virtual tokens have been put before the sequences.
    extended: AtomicBool,
    /// Whether the embeddings are looked up at this moment.
    embedding: AtomicBool,
    /// Names of the parameters that are trained.
    trained: BTreeSet<String>,
    counting: Arc<Mutex<Counting>>,
    this: Weak<MetaHost>,
}

impl MetaHost {
    /// A run of `model`, with an adapter if there is one, over ids `[batch, time]`.
    pub fn new(model: &ModelSpec, adapter: Option<AdapterObject>, batch: usize, time: usize) -> Result<Arc<Self>> {
        Self::cached(model, adapter, batch, time, 0)
    }

    /// The same behind a cache of so many tokens, those before the sequences not counted.
    pub fn cached(
        model: &ModelSpec,
        adapter: Option<AdapterObject>,
        batch: usize,
        time: usize,
        cached: usize,
    ) -> Result<Arc<Self>> {
        let adapter = adapter.map(|adapter| adapter.open(model)).transpose()?;
        let trained = adapter.as_ref().map_or_else(BTreeSet::new, |adapter| adapter.plan().trained_names());
        Ok(Self::with(model, adapter, trained, (batch, time, cached)))
    }

    /// A run in which these parameters alone are trained.
    pub fn training(
        model: &ModelSpec,
        adapter: AdapterObject,
        trained: BTreeSet<String>,
        batch: usize,
        time: usize,
    ) -> Result<Arc<Self>> {
        Ok(Self::with(model, Some(adapter.open(model)?), trained, (batch, time, 0)))
    }

    fn with(
        model: &ModelSpec,
        adapter: Option<AdaptedObject>,
        trained: BTreeSet<String>,
        (batch, time, cached): (usize, usize, usize),
    ) -> Arc<Self> {
        Arc::new_cyclic(|this| Self {
            spec: model.clone(),
            adapter,
            batch,
            time,
            cached,
            extended: AtomicBool::new(false),
            embedding: AtomicBool::new(false),
            trained,
            counting: Arc::default(),
            this: this.clone(),
        })
    }

    /// What the pass has cost so far.
    pub fn cost(&self) -> Cost {
        let counting = lock(&self.counting);
        let Counting { flops, largest, .. } = *counting;
        Cost { flops, kept: counting.kept.values().sum(), largest, used: counting.used.clone() }
    }

    /// The context to hand to plugins.
    pub fn context(self: &Arc<Self>) -> Ctx {
        ffi::context(self.clone())
    }

    /// A tensor of this shape.
    pub fn tensor(&self, shape: &[usize], dtype: DType) -> Tensor {
        let buffer = lock(&self.counting).buffer(shape, dtype);
        let counting = self.counting.clone();
        ffi::wrap(MetaTensor { shape: shape.to_vec(), dtype, choices: None, tracked: false, buffer, counting })
    }

    fn own_context(&self) -> Result<Ctx> {
        let this = self.this.upgrade().ok_or_else(|| PluginError::new("the run is over"))?;
        Ok(ffi::context(this))
    }

    fn plan(&self) -> &[Param] {
        self.adapter.as_ref().map_or(&[], |adapter| &adapter.plan().params)
    }

    /// Virtual tokens with hidden states, and with keys and values, that the pass puts before each sequence.
    fn virtual_tokens(&self) -> (usize, usize) {
        self.adapter.as_ref().map_or((0, 0), |adapter| (adapter.plan().prompt, adapter.plan().prefix))
    }

    /// Tokens of each sequence that are computed in this pass.
    fn computed(&self) -> usize {
        let prompt =
            if self.cached == 0 && self.extended.load(Ordering::Relaxed) { self.virtual_tokens().0 } else { 0 };
        self.time + prompt
    }

    /// Tokens of each sequence, those of the cache and the virtual ones with them.
    fn length(&self) -> usize {
        let (prompt, prefix) = self.virtual_tokens();
        self.cached + self.time + prompt + prefix
    }

    /// The parameter that a layer stands for: the model's, then the adapter's.
    fn layer(&self, id: u64) -> Result<&Param> {
        let (model, adapter) = (&self.spec.params, self.plan());
        let index = self.spec.index(id, model.len() + adapter.len())?;
        Ok(model.get(index).unwrap_or_else(|| &adapter[index - model.len()]))
    }

    fn param(&self, param: &Param) -> MetaTensor {
        lock(&self.counting).used.insert(param.name.clone());
        let (shape, dtype, buffer) = (param.shape.clone(), DType::F32, Buffer::of_param());
        let (tracked, counting) = (self.trained.contains(&param.name), self.counting.clone());
        MetaTensor { shape, dtype, choices: None, tracked, buffer, counting }
    }

    fn project(&self, weight: &Param, x: Tensor) -> Result<Tensor> {
        let bias = format!("{}.bias", weight.module());
        if let Some(bias) = self.spec.get(&bias) {
            self.param(bias);
        }
        let out = MetaTensor::execute(Op::Linear, vec![ffi::unwrap(x)?, self.param(weight)]);
        out.map(ffi::wrap).map_err(|e| PluginError::new(format!("linear `{}`: {}", weight.module(), e.message)))
    }

    fn adapted(&self, weight: &Param, x: Tensor) -> Result<Tensor> {
        match self.adapter.as_ref().and_then(|adapter| Some((adapter, adapter.site(weight)?))) {
            Some((adapter, site)) => adapter.linear(&self.own_context()?, site, x),
            None => self.project(weight, x),
        }
    }

    fn attend(&self, id: u64, [q, mut k, mut v]: [MetaTensor; 3]) -> Result<MetaTensor> {
        let entry = self.spec.index(id, self.spec.attentions.len())?;
        let heads = &self.spec.attentions[entry];
        let found = [q.shape.get(1), k.shape.get(1), q.shape.get(3)].map(|n| n.copied().unwrap_or(0));
        let declared = [heads.queries, heads.keys, heads.size];
        if found != declared {
            let message =
                format!("an attention declared with {declared:?} query heads, key heads and elements has {found:?}");
            return Err(PluginError::new(message));
        }
        if let Some(adapter) = self.adapter.as_ref().filter(|adapter| adapter.plan().prefix > 0 && self.cached == 0) {
            let (keys, values) = adapter.prefix(&self.own_context()?, entry)?;
            // They are trained.
            (k.tracked, v.tracked) = (true, true);
            let expected = [heads.keys, adapter.plan().prefix, heads.size];
            if keys.shape() != expected || values.shape() != expected {
                let message = format!("the prefix of attention {entry} is {:?}, not {expected:?}", keys.shape());
                return Err(PluginError::new(message));
            }
        }
        for shape in [&mut k.shape, &mut v.shape].into_iter().filter(|shape| shape.len() == 4) {
            shape[2] = self.length();
        }
        infer::attention(q, k, v)
    }

    /// A convolution of `a` with the weight `b`, or a recurrence of the decay `a` and the input `b`.
    fn recur(&self, id: u64, a: MetaTensor, b: MetaTensor, conv: bool) -> Result<MetaTensor> {
        let state = &self.spec.states[self.spec.index(id, self.spec.states.len())?];
        let mut expected = vec![self.batch, self.computed()];
        let (found, weight) = (a.shape.clone(), b.shape.clone());
        let fits = match (conv, &state.shape[..]) {
            (true, [before, channels]) => {
                expected.push(*channels);
                weight == [*channels, before + 1]
            }
            (true, _) => false,
            (false, shape) => {
                expected.extend(shape);
                weight == expected
            }
        };
        if !fits || found != expected {
            let message = format!("a state of {:?} is used with {found:?} and {weight:?}", state.shape);
            return Err(PluginError::new(message));
        }
        let flops = 2 * expected.iter().product::<usize>() as u64 * if conv { weight[1] as u64 } else { 1 };
        let mut out = a.like(expected, a.dtype, flops);
        out.tracked = a.tracked || b.tracked;
        if out.tracked {
            // A convolution keeps its input; a recurrence three tensors a round, of which there are log₂(time).
            let rounds = self.computed().next_power_of_two().ilog2() as usize;
            out.more_kept(if conv { 1 } else { 3 * rounds }, DType::F32);
        }
        Ok(out)
    }

    /// Puts an adapter's virtual tokens before embedded sequences.
    fn extend(&self, embedded: Tensor) -> Result<Tensor> {
        let prompt = self.virtual_tokens().0;
        let expected = [prompt, self.spec.hidden_size];
        if let Some(adapter) = self.adapter.as_ref().filter(|_| prompt > 0 && self.cached == 0) {
            let given = adapter.prompt(&self.own_context()?)?.shape();
            if given != expected {
                return Err(PluginError::new(format!("the prompt is {given:?}, not {expected:?}")));
            }
        }
        self.extended.store(true, Ordering::Relaxed);
        let x: MetaTensor = ffi::unwrap(embedded)?;
        let shape = vec![self.batch, self.computed(), self.spec.hidden_size];
        let mut out = x.like(shape, x.dtype, 0);
        out.tracked |= prompt > 0;
        Ok(ffi::wrap(out))
    }
}

/// The error for positions that are asked for while the embeddings are looked up.
pub const TOO_EARLY: &str = "positions are known in `start` and after it, not in `embed`: virtual tokens come between";

/// The error for a parameter that was not declared.
pub fn undeclared<'a>(name: &str, declared: impl Iterator<Item = &'a String>) -> PluginError {
    let near = declared.filter(|d| d.rsplit('.').next() == name.rsplit('.').next()).take(3).cloned();
    let near: Vec<_> = near.collect();
    let hint =
        if near.is_empty() { String::new() } else { format!("; declared are, for example, {}", near.join(", ")) };
    PluginError::new(format!("parameter `{name}` is used but not declared{hint}"))
}

impl Host for MetaHost {
    fn request(&self, op: CtxOp, operands: Vec<Tensor>) -> Result<Tensor> {
        let mut operands = operands.into_iter();
        let mut next = || operands.next().ok_or_else(|| PluginError::new("an operand is missing"));
        match op {
            CtxOp::Weight { id } => Ok(ffi::wrap(self.param(self.layer(id)?))),
            CtxOp::Project { id } => self.adapted(self.layer(id)?, next()?),
            CtxOp::Base { id } => self.project(self.layer(id)?, next()?),
            CtxOp::Attend { id } => {
                let (q, k, v) = (next()?, next()?, next()?);
                self.attend(id, [ffi::unwrap(q)?, ffi::unwrap(k)?, ffi::unwrap(v)?]).map(ffi::wrap)
            }
            CtxOp::Conv { id } => self.recur(id, ffi::unwrap(next()?)?, ffi::unwrap(next()?)?, true).map(ffi::wrap),
            CtxOp::Scan { id } => self.recur(id, ffi::unwrap(next()?)?, ffi::unwrap(next()?)?, false).map(ffi::wrap),
            CtxOp::Rotate(_) | CtxOp::Positions if self.embedding.load(Ordering::Relaxed) => {
                Err(PluginError::new(TOO_EARLY))
            }
            CtxOp::Rotate(rotary) => {
                let positions = ffi::unwrap(self.tensor(&[self.batch, self.computed()], DType::Int))?;
                MetaTensor::execute(Op::Rotary(rotary), vec![ffi::unwrap(next()?)?, positions]).map(ffi::wrap)
            }
            CtxOp::Positions => Ok(self.tensor(&[self.batch, self.computed()], DType::Int)),
            CtxOp::Length => Ok(self.tensor(&[self.length()], DType::Int)),
            CtxOp::Dropout { p } if p > 0.0 => {
                let x: MetaTensor = ffi::unwrap(next()?)?;
                Ok(ffi::wrap(x.like(x.shape.clone(), x.dtype, 0)))
            }
            CtxOp::Dropout { .. } | CtxOp::Noise { .. } | CtxOp::AddLoss { .. } => next(),
            CtxOp::Balance { name, .. } => {
                let (chosen, probabilities) = (next()?, next()?);
                let (shape, other) = (chosen.shape(), probabilities.shape());
                if shape.len() == 2 && shape == other && shape[0] == self.batch * self.computed() {
                    return Ok(chosen);
                }
                let message = format!("balance `{name}` of {shape:?} and {other:?}: expected [batch * time, experts]");
                Err(PluginError::new(message))
            }
            other => Err(PluginError::new(format!("request {other:?} is not known here"))),
        }
    }
}

/// Runs all stages of a model once over ids `[batch, time]`, checking the shapes between them. Returns the bytes that are
/// kept up to the end of each: the embeddings, the blocks, the head.
pub fn forward(model: &ModelObject, host: &Arc<MetaHost>, spec: &ModelSpec) -> Result<Vec<u64>> {
    let cx = host.context();
    let check = |stage: &str, hidden: Tensor| {
        let expected = [host.batch, host.computed(), spec.hidden_size];
        match hidden.shape() == expected {
            true => Ok(hidden),
            false => Err(PluginError::new(format!("{stage} returned {:?}, not {expected:?}", hidden.shape()))),
        }
    };
    let mut hidden = check("start", embed(model, host)?)?;
    let mut kept = vec![host.cost().kept];
    for index in 0..spec.blocks {
        hidden = check(&format!("block {index}"), model.block(&cx, index, hidden)?)?;
        kept.push(host.cost().kept);
    }
    let hidden = check("head", model.head(&cx, hidden)?)?;
    kept.push(host.cost().kept);
    let largest = host.cost().largest;
    project(host, hidden)?;
    // Logits are never held whole.
    lock(&host.counting).largest = largest;
    Ok(kept)
}

/// The embeddings as they enter the first block.
pub fn embed(model: &ModelObject, host: &Arc<MetaHost>) -> Result<Tensor> {
    let (cx, ids) = (host.context(), host.tensor(&[host.batch, host.time], DType::Int));
    host.embedding.store(true, Ordering::Relaxed);
    let embedded = model.embed(&cx, ids.clone());
    host.embedding.store(false, Ordering::Relaxed);
    let mut hidden = embedded?;
    let expected = [host.batch, host.time, host.spec.hidden_size];
    let of_embeddings = |p: &&Param| p.role == Role::Embedding;
    if let Some(adapter) = &host.adapter {
        for site in host.spec.params.iter().filter(of_embeddings).flat_map(|param| adapter.sites(param)) {
            hidden = adapter.embed(&cx, site, ids.clone(), hidden)?;
        }
    }
    if hidden.shape() != expected {
        return Err(PluginError::new(format!("embed returned {:?}, not {expected:?}", hidden.shape())));
    }
    model.start(&cx, host.extend(hidden)?)
}

/// The vocabulary projection.
fn project(host: &Arc<MetaHost>, hidden: Tensor) -> Result<()> {
    let spec = &host.spec;
    let weight = spec.get(&spec.output).ok_or_else(|| undeclared(&spec.output, std::iter::empty()))?;
    let site = host.adapter.as_ref().filter(|_| weight.role == Role::Output);
    if let Some((adapter, site)) = site.and_then(|adapter| Some((adapter, adapter.site(weight)?))) {
        let rows = host.batch * host.computed();
        let flat = host.tensor(&[rows, spec.hidden_size], DType::F32);
        let (features, more) = adapter.output(&host.context(), site, flat)?;
        let (features, more) = (features.shape(), more.shape());
        if features.len() != 2 || more != [spec.vocab_size, features[1]] || features[0] != rows {
            let message = format!("what it adds to the vocabulary projection is {features:?} by {more:?}");
            return Err(PluginError::new(message));
        }
    }
    MetaTensor::execute(Op::Linear, vec![ffi::unwrap(hidden)?, host.param(weight)])?;
    if let Some(bias) = spec.output_bias.as_ref().and_then(|name| spec.get(name)) {
        host.param(bias);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
