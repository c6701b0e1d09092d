//! What models and adapters ask of a run, answered by the definitions.

use super::{Array, Dual, layout::Layout};
use crate::{
    Ctx, CtxOp, ModelSpec, Op, Param, PluginError, Result, Tensor,
    ffi::{self, AdaptedObject, AdapterObject, Host, HostTensor, ModelObject},
    meta::TOO_EARLY,
};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

/// A model with its adapter and its parameters, and what is remembered of each sequence.
pub struct Reference {
    pub(super) model: ModelObject,
    /// What the model declares.
    pub spec: ModelSpec,
    pub(super) adapter: Option<AdaptedObject>,
    params: Mutex<BTreeMap<String, Array>>,
    pub(super) run: Mutex<Run>,
    this: Weak<Reference>,
}

#[derive(Default)]
pub(super) struct Run {
    pub layout: Layout,
    /// Whether the embeddings are looked up at this moment.
    pub embedding: bool,
    /// Tokens of each sequence so far.
    pub lengths: BTreeMap<usize, usize>,
    /// Vectors of each token, by what declared them, the sequence and the position.
    pub memory: BTreeMap<(Kept, usize, usize), Vec<Dual>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kept {
    Keys(usize),
    Values(usize),
    State(usize),
}

pub(super) fn lock<T>(m: &Mutex<T>) -> MutexGuard<'_, T> {
    m.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn missing(name: &str) -> PluginError {
    PluginError::new(format!("parameter `{name}` has no value"))
}

impl Reference {
    /// A model with an adapter, whose parameters have no values yet.
    pub fn new(model: ModelObject, adapter: Option<AdapterObject>) -> Result<Arc<Self>> {
        let spec = model.spec()?;
        let adapter = adapter.map(|adapter| adapter.open(&spec)).transpose()?;
        let (params, run) = (Mutex::default(), Mutex::default());
        Ok(Arc::new_cyclic(|this| Self { model, spec, adapter, params, run, this: this.clone() }))
    }

    /// The model's parameters, then the adapter's.
    pub fn params(&self) -> impl Iterator<Item = &Param> {
        self.spec.params.iter().chain(self.adapter.iter().flat_map(|adapter| &adapter.plan().params))
    }

    /// The adapter, if there is one.
    pub fn adapter(&self) -> Option<&AdaptedObject> {
        self.adapter.as_ref()
    }

    /// Gives a parameter its value.
    pub fn set(&self, name: &str, value: Array) {
        lock(&self.params).insert(name.to_owned(), value);
    }

    /// The value of a parameter.
    pub fn get(&self, name: &str) -> Result<Array> {
        lock(&self.params).get(name).cloned().ok_or_else(|| missing(name))
    }

    /// The context to hand to plugins.
    pub fn context(&self) -> Result<Ctx> {
        let this = self.this.upgrade().ok_or_else(|| PluginError::new("the run is over"))?;
        Ok(ffi::context(this))
    }

    /// Forgets all sequences.
    pub fn forget(&self) {
        *lock(&self.run) = Run::default();
    }

    /// Virtual tokens with hidden states, and with keys and values.
    pub(super) fn virtual_tokens(&self) -> (usize, usize) {
        self.adapter.as_ref().map_or((0, 0), |adapter| (adapter.plan().prompt, adapter.plan().prefix))
    }

    fn layer(&self, id: u64) -> Result<&Param> {
        let own = &self.spec.params;
        let of_adapter = self.adapter.as_ref().map_or(&[][..], |adapter| &adapter.plan().params);
        let index = self.spec.index(id, own.len() + of_adapter.len())?;
        Ok(own.get(index).unwrap_or_else(|| &of_adapter[index - own.len()]))
    }

    fn project(&self, weight: &Param, x: Array) -> Result<Array> {
        let out = Array::execute(Op::Linear, vec![x, self.get(&weight.name)?])?;
        match self.spec.get(&format!("{}.bias", weight.module())) {
            Some(bias) => Array::execute(Op::Add, vec![out, self.get(&bias.name)?]),
            None => Ok(out),
        }
    }
}

impl Host for Reference {
    fn request(&self, op: CtxOp, operands: Vec<Tensor>) -> Result<Tensor> {
        let mut operands = operands.into_iter();
        let mut next = || operands.next().ok_or_else(|| PluginError::new("an operand is missing"));
        let positions = || {
            let run = lock(&self.run);
            match run.embedding {
                true => Err(PluginError::new(TOO_EARLY)),
                false => Ok(Array::ints(&[run.layout.rows, run.layout.time], run.layout.positions())),
            }
        };
        match op {
            CtxOp::Weight { id } => self.get(&self.layer(id)?.name).map(ffi::wrap),
            CtxOp::Project { id } => {
                let weight = self.layer(id)?;
                match self.adapter.as_ref().and_then(|adapter| Some((adapter, adapter.site(weight)?))) {
                    Some((adapter, site)) => adapter.linear(&self.context()?, site, next()?),
                    None => self.project(weight, ffi::unwrap(next()?)?).map(ffi::wrap),
                }
            }
            CtxOp::Base { id } => self.project(self.layer(id)?, ffi::unwrap(next()?)?).map(ffi::wrap),
            CtxOp::Attend { id } => {
                let (q, k, v) = (next()?, next()?, next()?);
                self.attend(id, [ffi::unwrap(q)?, ffi::unwrap(k)?, ffi::unwrap(v)?]).map(ffi::wrap)
            }
            CtxOp::Conv { id } => self.recur(id, ffi::unwrap(next()?)?, ffi::unwrap(next()?)?, true).map(ffi::wrap),
            CtxOp::Scan { id } => self.recur(id, ffi::unwrap(next()?)?, ffi::unwrap(next()?)?, false).map(ffi::wrap),
            CtxOp::Rotate(rotary) => {
                Array::execute(Op::Rotary(rotary), vec![ffi::unwrap(next()?)?, positions()?]).map(ffi::wrap)
            }
            CtxOp::Positions => positions().map(ffi::wrap),
            CtxOp::Length => {
                let longest = lock(&self.run).layout.positions().into_iter().max().map_or(0, |last| last + 1);
                Ok(ffi::wrap(Array::ints(&[longest], 0..longest)))
            }
            // Of training alone.
            CtxOp::Dropout { .. } | CtxOp::Noise { .. } | CtxOp::AddLoss { .. } | CtxOp::Balance { .. } => next(),
            other => Err(PluginError::new(format!("request {other:?} is not known here"))),
        }
    }
}
