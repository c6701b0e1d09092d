//! One pass through a model: what its plugins ask for while it runs.

use super::{
    Cache, Device, Network, attention,
    balance::Router,
    layout::Layout,
    ops::{self, Angles},
    recurrent::{self, Steps},
    value::{R, Value},
};
use burn::tensor::{Tensor as Burn, TensorData};
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

/// What a pass is made with.
pub(super) struct Setup {
    /// Build a gradient graph.
    pub graph: bool,
    /// Seed of dropout; none outside of training.
    pub dropout: Option<u64>,
    /// Where keys and values are kept between passes.
    pub cache: Option<Arc<Mutex<Cache>>>,
    /// Rows and tokens per row.
    pub rows: usize,
    pub time: usize,
    /// Lengths of the sequences in each row, one behind the other; empty if each row is one.
    pub segments: Vec<Vec<usize>>,
}

impl Setup {
    /// Neither gradients nor dropout nor a cache.
    pub fn plain(rows: usize, time: usize) -> Self {
        Self { graph: false, dropout: None, cache: None, rows, time, segments: Vec::new() }
    }
}

pub(super) struct Pass {
    network: Arc<Network>,
    graph: bool,
    dropout: Option<u64>,
    cache: Option<Arc<Mutex<Cache>>>,
    layout: Layout,
    state: Mutex<State>,
    this: Weak<Pass>,
}

#[derive(Default)]
struct State {
    stage: Option<Stage>,
    draws: u64,
    leaves: BTreeMap<String, Value>,
    masks: Vec<(Option<usize>, Option<Value>)>,
    positions: Option<Value>,
    /// Sine and cosine of each rotation.
    rotations: Vec<(Rotary, Angles)>,
    losses: Vec<Value>,
    routers: Vec<Router>,
    shares: Option<Value>,
}

/// A layer with a state: two operands and the state before to what it gives and the state after.
type Recurrence = fn(&Steps, Value, Value, Option<Value>) -> Result<(Value, Value)>;

fn lock<T>(m: &Mutex<T>) -> MutexGuard<'_, T> {
    m.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Pass {
    pub(super) fn new(network: &Arc<Network>, setup: Setup) -> Arc<Self> {
        let Setup { graph, dropout, cache, rows, time, segments } = setup;
        let layout = match &cache {
            Some(cache) => {
                let cache = lock(cache);
                Layout::cached(rows, time, cache.length, cache.starts.clone(), network.virtual_tokens())
            }
            None => Layout::new(rows, time, segments, network.virtual_tokens()),
        };
        Arc::new_cyclic(|this| Self {
            network: network.clone(),
            graph,
            dropout,
            cache,
            layout,
            state: Mutex::default(),
            this: this.clone(),
        })
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
        &self.layout
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
        ops::linear(x, weight, bias).map_err(named)
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
        let positions = self.positions()?;
        let known = lock(&self.state).rotations.iter().find(|(known, _)| *known == rotary).map(|(_, a)| a.clone());
        let angles = match known {
            Some(angles) => angles,
            None => {
                let angles = Angles::new(positions, &rotary)?;
                lock(&self.state).rotations.push((rotary, angles.clone()));
                angles
            }
        };
        angles.rotate(x)
    }

    fn own_context(&self) -> Result<Ctx> {
        let this = self.this.upgrade().ok_or_else(|| PluginError::new("the pass is over"))?;
        Ok(ffi::context(this))
    }

    fn positions(&self) -> Result<Value> {
        let mut state = lock(&self.state);
        if state.stage == Some(Stage::Embed) && self.layout.sources().is_some() {
            return Err(PluginError::new(framework_core::meta::TOO_EARLY));
        }
        if state.positions.is_none() {
            let Layout { rows, time, .. } = self.layout;
            let value = Value::from_ints(self.layout.positions(), &[rows, time], self.device())?;
            state.positions = Some(if self.graph { value.tracked() } else { value });
        }
        state.positions.clone().ok_or_else(|| PluginError::new("no positions"))
    }

    /// What each token counts in a mean over all that are not padding, `[1, rows * time]`.
    fn token_shares(&self) -> Result<Value> {
        let mut state = lock(&self.state);
        if state.shares.is_none() {
            let layout = &self.layout;
            let Layout { rows, time, .. } = *layout;
            let share = 1.0 / (0..rows).map(|row| layout.filled(row)).sum::<usize>() as f32;
            let of_row = |row| (0..time).map(move |i| if i < layout.filled(row) { share } else { 0.0 });
            let value = Value::from_f32((0..rows).flat_map(of_row).collect(), &[1, rows * time], self.device())?;
            state.shares = Some(if self.graph { value.tracked() } else { value });
        }
        state.shares.clone().ok_or_else(|| PluginError::new("no shares"))
    }

    fn balance(&self, name: &str, weight: f64, chosen: Value, probabilities: Value) -> Result<()> {
        if self.dropout.is_none() {
            return Ok(()); // not training
        }
        let mean = |x: Value| Value::execute(framework_core::Op::Matmul, vec![self.token_shares()?, x]);
        let (shares, probabilities) = (mean(chosen)?.plain(), mean(probabilities)?);
        lock(&self.state).routers.push(Router { name: name.to_owned(), weight, shares, probabilities });
        Ok(())
    }

    fn mask(&self, window: Option<usize>) -> Option<Value> {
        let mut state = lock(&self.state);
        if let Some((_, mask)) = state.masks.iter().find(|(w, _)| *w == window) {
            return mask.clone();
        }
        let mask =
            attention::mask(&self.layout.first_seen(), self.layout.prefix, self.layout.all(), window, self.device());
        let mask = if self.graph { mask.map(Value::tracked) } else { mask };
        state.masks.push((window, mask.clone()));
        mask
    }

    fn attended(&self, id: u64, [q, mut k, mut v]: [Tensor; 3]) -> Result<Tensor> {
        let spec = self.network.spec();
        let entry = spec.index(id, spec.attentions.len())?;
        let how = &spec.attentions[entry];
        let q: Value = ffi::unwrap(q)?;
        let new = self.cache.as_ref().is_none_or(|cache| lock(cache).is_empty(entry));
        if let Some(adapter) = self.network.adapter().filter(|_| new && self.layout.prefix > 0) {
            let prefix = adapter.prefix(&self.own_context()?, entry)?;
            (k, v) = (self.behind(prefix.0, k)?, self.behind(prefix.1, v)?);
        }
        let (mut k, mut v): (Value, Value) = (ffi::unwrap(k)?, ffi::unwrap(v)?);
        if let Some(cache) = &self.cache {
            (k, v) = lock(cache).extend(entry, k, v)?;
        }
        let drop = |weights| if how.dropout > 0.0 { self.dropout(weights, how.dropout) } else { Ok(weights) };
        attention::attention(q, k, v, how, self.mask(how.window), drop).map(ffi::wrap)
    }

    /// A layer with a state, which the cache keeps if there is one.
    fn recur(&self, id: u64, [a, b]: [Tensor; 2], layer: Recurrence) -> Result<Tensor> {
        let spec = self.network.spec();
        let slot = spec.index(id, spec.states.len())?;
        let positions = self.layout.steps(0);
        let Layout { rows, time, .. } = self.layout;
        let steps = Steps { positions: &positions, rows, time, device: self.device(), graph: self.graph };
        let before = self.cache.as_ref().and_then(|cache| lock(cache).states.get(slot).cloned().flatten());
        let (out, last) = layer(&steps, ffi::unwrap(a)?, ffi::unwrap(b)?, before)?;
        if let Some(cache) = &self.cache {
            let states = &mut lock(cache).states;
            states.resize(states.len().max(slot + 1), None);
            states[slot] = Some(last);
        }
        Ok(ffi::wrap(out))
    }

    /// Keys or values `[rows, heads, time, size]` behind those of a prefix `[heads, n, size]`.
    fn behind(&self, prefix: Tensor, own: Tensor) -> Result<Tensor> {
        let (shape, rows) = (prefix.shape(), self.layout.rows);
        let [heads, n, size] = shape[..] else {
            return Err(PluginError::new(format!("a prefix of {shape:?}: expected [heads, n, size]")));
        };
        let prefix = prefix.reshape([1, heads as i64, n as i64, size as i64]).expand([rows, heads, n, size]);
        Ok(Tensor::concat([prefix, own], 2))
    }

    /// Random numbers of a training pass. They depend on the run's seed, the stage and how often the stage has drawn: the
    /// same again when activations are computed a second time.
    fn random(&self) -> Option<ChaCha8Rng> {
        let seed = self.dropout?;
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
        Some(ChaCha8Rng::from_seed(key))
    }

    /// Zeros with probability `p`, `1 / (1 - p)` otherwise.
    fn dropout(&self, x: Value, p: f64) -> Result<Value> {
        let threshold = (p * f64::from(u32::MAX)) as u32;
        let kept = (1.0 / (1.0 - p)) as f32;
        self.multiplied(x, |random| if random < threshold { 0.0 } else { kept })
    }

    /// Uniform factors from `1 - width` to `1 + width`.
    fn noise(&self, x: Value, width: f64) -> Result<Value> {
        let unit = 2.0 * width / f64::from(u32::MAX);
        self.multiplied(x, |random| (1.0 - width + unit * f64::from(random)) as f32)
    }

    /// Times a factor for each element, made of a random number; outside of training `x` itself.
    fn multiplied(&self, x: Value, factor: impl Fn(u32) -> f32) -> Result<Value> {
        let Some(mut rng) = self.random() else { return Ok(x) };
        let dims = x.dims();
        let factors: Vec<f32> = (0..dims.iter().product()).map(|_| factor(rng.next_u32())).collect();
        let factors = Burn::<R>::from_data(TensorData::new(factors, dims), &self.device().0);
        let factors = Value::float(factors, x.rank);
        Value::execute(framework_core::Op::Mul, vec![x, if self.graph { factors.tracked() } else { factors }])
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
                match self.network.site_of(index) {
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
            CtxOp::Length => Value::zeros(&[self.layout.longest()], self.device()).map(ffi::wrap),
            CtxOp::Dropout { p } => self.dropout(ffi::unwrap(next()?)?, p).map(ffi::wrap),
            CtxOp::Noise { width } => self.noise(ffi::unwrap(next()?)?, width).map(ffi::wrap),
            CtxOp::AddLoss { name } => {
                let value = next()?;
                if value.shape().iter().product::<usize>() != 1 || value.dtype() == DType::Bool {
                    return Err(PluginError::new(format!("loss `{name}` is {value:?}, not one number")));
                }
                if self.dropout.is_some() {
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
