//! One pass through a model: what its plugins ask for while it runs.

use super::{
    Cache, Device, Network,
    attention::attention,
    balance::Router,
    frame::Frame,
    layout::{Layout, Virtual},
    ops,
    random::{self, Draw},
    recurrent::{self, Steps},
    value::Value,
};
use framework_core::{
    Ctx, CtxOp, DType, PluginError, Result, Rotary, Tensor,
    ffi::{self, Host, HostTensor},
    meta::undeclared,
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

/// The part of a model that is running, for seeds and cache entries that do not depend on what ran before.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Embed,
    Start,
    Block(usize),
    Head,
}

/// What a pass is for.
#[derive(Clone)]
pub(super) enum Mode {
    /// Random factors are drawn, from this seed; what plugins add to the loss counts.
    Train { seed: u64 },
    /// The model as it is.
    Evaluate,
    /// The same, behind what this cache holds of each row, and into it.
    Generate(Arc<Mutex<Cache>>),
}

/// What a pass is made with.
pub(super) struct Setup {
    pub mode: Mode,
    /// Build a gradient graph.
    pub graph: bool,
    /// What another pass over the same tokens has found out.
    pub frame: Option<Arc<Frame>>,
    /// Leave the adapter out.
    pub bare: bool,
    /// Rows and tokens per row.
    pub rows: usize,
    pub time: usize,
    /// Lengths of the sequences in each row, one behind the other; empty if each row is one.
    pub segments: Vec<Vec<usize>>,
}

impl Setup {
    /// To look at the model as it is, without gradients.
    pub fn plain(rows: usize, time: usize) -> Self {
        Self { mode: Mode::Evaluate, graph: false, frame: None, bare: false, rows, time, segments: Vec::new() }
    }
}

pub(super) struct Pass {
    network: Arc<Network>,
    mode: Mode,
    graph: bool,
    bare: bool,
    frame: Arc<Frame>,
    state: Mutex<State>,
    this: Weak<Pass>,
}

#[derive(Default)]
struct State {
    stage: Option<Stage>,
    draws: u64,
    leaves: BTreeMap<String, Value>,
    losses: Vec<Value>,
    routers: Vec<Router>,
}

/// A layer with a state: two operands and the state before to what it gives and the state after.
type Recurrence = fn(&Steps, Value, Value, Option<Value>) -> Result<(Value, Value)>;

fn lock<T>(m: &Mutex<T>) -> MutexGuard<'_, T> {
    m.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Pass {
    pub(super) fn new(network: &Arc<Network>, setup: Setup) -> Arc<Self> {
        let Setup { mode, graph, frame, bare, rows, time, segments } = setup;
        let with = if bare { Virtual::default() } else { network.virtual_tokens() };
        let layout = || match &mode {
            Mode::Generate(cache) => {
                let cache = lock(cache);
                Layout::cached(rows, time, cache.length, cache.starts.clone(), with)
            }
            _ => Layout::new(rows, time, segments, with),
        };
        let frame = frame.unwrap_or_else(|| Arc::new(Frame::new(layout(), network.device())));
        Arc::new_cyclic(|this| Self {
            network: network.clone(),
            mode,
            graph,
            bare,
            frame,
            state: Mutex::default(),
            this: this.clone(),
        })
    }

    /// Whether the adapter is left out.
    pub(super) fn is_bare(&self) -> bool {
        self.bare
    }

    pub(super) fn context(self: &Arc<Self>) -> Ctx {
        ffi::context(self.clone())
    }

    pub(super) fn enter(&self, stage: Stage) {
        let mut state = lock(&self.state);
        (state.stage, state.draws) = (Some(stage), 0);
    }

    /// Where the pass's tokens lie.
    pub(super) fn layout(&self) -> &Layout {
        &self.frame.layout
    }

    /// The trained parameters that were used.
    pub(super) fn take_leaves(&self) -> BTreeMap<String, Value> {
        std::mem::take(&mut lock(&self.state).leaves)
    }

    /// What was added to the loss.
    pub(super) fn losses(&self) -> Vec<Value> {
        lock(&self.state).losses.clone()
    }

    /// The routers whose experts are to be balanced.
    pub(super) fn routers(&self) -> Vec<Router> {
        lock(&self.state).routers.clone()
    }

    pub(super) fn forget_losses(&self) {
        let mut state = lock(&self.state);
        state.losses.clear();
        state.routers.clear();
    }

    fn device(&self) -> &Device {
        self.network.device()
    }

    pub(super) fn param(&self, name: &str) -> Result<Value> {
        let network = &self.network;
        if !self.graph {
            return network.param(name).ok_or_else(|| undeclared(name, network.names().iter()));
        }
        let mut state = lock(&self.state);
        if let Some(leaf) = state.leaves.get(name) {
            return Ok(leaf.clone());
        }
        let value = network.param(name).ok_or_else(|| undeclared(name, network.names().iter()))?;
        if !network.is_trained(name) {
            return Ok(value.tracked());
        }
        let leaf = value.leaf()?;
        state.leaves.insert(name.to_owned(), leaf.clone());
        Ok(leaf)
    }

    /// `x · Wᵀ + b` with the model's parameter of this index.
    fn project(&self, index: usize, x: Value) -> Result<Value> {
        let params = &self.network.spec().params;
        let weight = self.param(&params[index].name)?;
        let bias = self.network.bias_of(index).map(|bias| self.param(&params[bias].name)).transpose()?;
        let named = |e: PluginError| PluginError::new(format!("linear `{}`: {}", params[index].module(), e.message));
        ops::linear(x, weight, bias, self.device().half).map_err(named)
    }

    /// The parameter that a layer stands for: the model's, then the adapter's.
    fn weight(&self, id: u64) -> Result<Value> {
        let (spec, plan) = (self.network.spec(), self.network.plan());
        let index = spec.index(id, spec.params.len() + plan.params.len())?;
        let param = spec.params.get(index).unwrap_or_else(|| &plan.params[index - spec.params.len()]);
        self.param(&param.name)
    }

    /// The model's parameter that a layer stands for.
    fn layer(&self, id: u64) -> Result<usize> {
        let spec = self.network.spec();
        spec.index(id, spec.params.len())
    }

    fn rotate(&self, rotary: Rotary, x: Value) -> Result<Value> {
        self.not_too_early()?;
        self.frame.angles(rotary)?.rotate(x)
    }

    /// An error while the embeddings are looked up, if virtual tokens come between.
    fn not_too_early(&self) -> Result<()> {
        let early = lock(&self.state).stage == Some(Stage::Embed) && self.frame.layout.sources().is_some();
        if early { Err(PluginError::new(framework_core::meta::TOO_EARLY)) } else { Ok(()) }
    }

    fn own_context(&self) -> Result<Ctx> {
        let this = self.this.upgrade().ok_or_else(|| PluginError::new("the pass is over"))?;
        Ok(ffi::context(this))
    }

    fn positions(&self) -> Result<Value> {
        self.not_too_early()?;
        Ok(self.with(self.frame.positions()))
    }

    fn balance(&self, name: &str, weight: f64, chosen: Value, probabilities: Value) -> Result<()> {
        if !self.trains() {
            return Ok(());
        }
        let mean = |x: Value| Value::execute(framework_core::Op::Matmul, vec![self.with(self.frame.shares()), x]);
        let (shares, probabilities) = (mean(chosen)?.plain(), mean(probabilities)?);
        lock(&self.state).routers.push(Router { name: name.to_owned(), weight, shares, probabilities });
        Ok(())
    }

    /// A constant beside the pass's tensors.
    fn with(&self, value: Value) -> Value {
        if self.graph { value.tracked() } else { value }
    }

    fn trains(&self) -> bool {
        matches!(self.mode, Mode::Train { .. })
    }

    fn cache(&self) -> Option<MutexGuard<'_, Cache>> {
        match &self.mode {
            Mode::Generate(cache) => Some(lock(cache)),
            _ => None,
        }
    }

    fn attended(&self, id: u64, [q, mut k, mut v]: [Tensor; 3]) -> Result<Tensor> {
        let spec = self.network.spec();
        let entry = spec.index(id, spec.attentions.len())?;
        let how = &spec.attentions[entry];
        let q: Value = ffi::unwrap(q)?;
        let new = self.cache().is_none_or(|cache| cache.is_empty(entry));
        if let Some(adapter) = self.network.adapter().filter(|_| new && self.frame.layout.prefix > 0) {
            let prefix = adapter.prefix(&self.own_context()?, entry)?;
            (k, v) = (self.behind(prefix.0, k)?, self.behind(prefix.1, v)?);
        }
        let (mut k, mut v): (Value, Value) = (ffi::unwrap(k)?, ffi::unwrap(v)?);
        if let Some(mut cache) = self.cache() {
            (k, v) = cache.extend(entry, k, v)?;
        }
        let drop = if how.dropout > 0.0 { self.key() } else { None };
        let drop = drop.map(|key| Draw::dropout(key, how.dropout));
        attention(q, k, v, how, &self.frame.spans(how), drop).map(ffi::wrap)
    }

    /// A layer with a state, which the cache keeps if there is one.
    fn recur(&self, id: u64, [a, b]: [Tensor; 2], layer: Recurrence) -> Result<Tensor> {
        let spec = self.network.spec();
        let slot = spec.index(id, spec.states.len())?;
        let Layout { rows, time, .. } = self.frame.layout;
        let positions = self.frame.steps();
        let steps = Steps { positions, rows, time, device: self.device(), graph: self.graph };
        let before = self.cache().and_then(|cache| cache.states.get(slot).cloned().flatten());
        let (out, last) = layer(&steps, ffi::unwrap(a)?, ffi::unwrap(b)?, before)?;
        if let Some(mut cache) = self.cache() {
            let states = &mut cache.states;
            states.resize(states.len().max(slot + 1), None);
            states[slot] = Some(last);
        }
        Ok(ffi::wrap(out))
    }

    /// Keys or values `[rows, heads, time, size]` behind those of a prefix `[heads, n, size]`.
    fn behind(&self, prefix: Tensor, own: Tensor) -> Result<Tensor> {
        let (shape, rows) = (prefix.shape(), self.frame.layout.rows);
        let [heads, n, size] = shape[..] else {
            return Err(PluginError::new(format!("a prefix of {shape:?}: expected [heads, n, size]")));
        };
        let prefix = prefix.reshape([1, heads as i64, n as i64, size as i64]).expand([rows, heads, n, size]);
        Ok(Tensor::concat([prefix, own], 2))
    }

    /// The key of a training pass's next random factors. It depends on the run's seed, the stage and how often the stage
    /// has drawn: the same again when activations are computed a second time.
    fn key(&self) -> Option<u64> {
        let Mode::Train { seed } = self.mode else { return None };
        let (stage, draw) = {
            let mut state = lock(&self.state);
            state.draws += 1;
            (state.stage, state.draws)
        };
        let stage = match stage {
            Some(Stage::Block(i)) => i as u64 + 1,
            Some(Stage::Head) => u64::MAX,
            Some(Stage::Start) => u64::MAX - 1,
            _ => 0,
        };
        let mut key = [0; 32];
        for (bytes, part) in key.chunks_mut(8).zip([seed, stage, draw, 0]) {
            bytes.copy_from_slice(&part.to_le_bytes());
        }
        Some(ChaCha8Rng::from_seed(key).next_u64())
    }

    /// Random numbers from `-most` to `most`; none outside of training.
    pub(super) fn uniform(&self, shape: &[usize], most: f64) -> Result<Option<Value>> {
        let Some(key) = self.key() else { return Ok(None) };
        let ones = Value::full(shape, 1.0, self.network.device())?;
        let noise = random::multiplied(ones, Draw::noise(key, 1.0))?.into_float()?;
        Ok(Some(self.with(Value::float(noise.sub_scalar(1.0).mul_scalar(most), shape.len()))))
    }

    /// `x` times random factors; outside of training `x` itself.
    fn multiplied(&self, x: Value, draw: impl Fn(u64) -> Draw) -> Result<Value> {
        match self.key() {
            Some(key) => random::multiplied(x, draw(key)),
            None => Ok(x),
        }
    }
}

impl Host for Pass {
    fn request(&self, op: CtxOp, operands: Vec<Tensor>) -> Result<Tensor> {
        let mut operands = operands.into_iter();
        let mut next = || operands.next().ok_or_else(|| PluginError::new("an operand is missing"));
        match op {
            CtxOp::Weight { id } => self.weight(id).map(ffi::wrap),
            CtxOp::Project { id } => {
                let index = self.layer(id)?;
                match self.network.site_of(index).filter(|_| !self.bare) {
                    Some((adapter, site)) => adapter.linear(&self.own_context()?, site, next()?),
                    None => self.project(index, ffi::unwrap(next()?)?).map(ffi::wrap),
                }
            }
            CtxOp::Base { id } => self.project(self.layer(id)?, ffi::unwrap(next()?)?).map(ffi::wrap),
            CtxOp::Attend { id } => self.attended(id, [next()?, next()?, next()?]),
            CtxOp::Conv { id } => self.recur(id, [next()?, next()?], recurrent::conv),
            CtxOp::Scan { id } => self.recur(id, [next()?, next()?], recurrent::scan),
            CtxOp::Rotate(rotary) => self.rotate(rotary, ffi::unwrap(next()?)?).map(ffi::wrap),
            CtxOp::Positions => self.positions().map(ffi::wrap),
            CtxOp::Length => Value::zeros(&[self.frame.layout.longest()], self.device()).map(ffi::wrap),
            CtxOp::Dropout { p } => self.multiplied(ffi::unwrap(next()?)?, |key| Draw::dropout(key, p)).map(ffi::wrap),
            CtxOp::Noise { width } => {
                self.multiplied(ffi::unwrap(next()?)?, |key| Draw::noise(key, width)).map(ffi::wrap)
            }
            CtxOp::AddLoss { name } => {
                let value = next()?;
                if value.shape().iter().product::<usize>() != 1 || value.dtype() == DType::Bool {
                    return Err(PluginError::new(format!("loss `{name}` is {value:?}, not one number")));
                }
                if self.trains() {
                    lock(&self.state).losses.push(ffi::unwrap(value.clone())?);
                }
                Ok(value)
            }
            CtxOp::Balance { name, weight } => {
                let (chosen, probabilities) = (next()?, next()?);
                self.balance(&name, weight, ffi::unwrap(chosen.clone())?, ffi::unwrap(probabilities)?)?;
                Ok(chosen)
            }
            other => Err(PluginError::new(format!("request {other:?} is not known to this version of the framework"))),
        }
    }
}
