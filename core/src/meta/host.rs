//! A run without data: what it stands on.

use super::{
    Cost, MetaTensor,
    keep::Buffer,
    tensor::{Counting, lock},
};
use crate::{
    Ctx, DType, ModelSpec, Param, PluginError, Result, Tensor,
    ffi::{self, AdaptedObject, AdapterObject},
};
use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex, Weak,
        atomic::{AtomicBool, Ordering},
    },
};

/// A run without data.
pub struct MetaHost {
    pub(super) spec: ModelSpec,
    pub(super) adapter: Option<AdaptedObject>,
    /// Sequences, tokens of each in this pass, and tokens of each in the cache.
    pub(super) batch: usize,
    pub(super) time: usize,
    pub(super) cached: usize,
    /// Whether virtual tokens have been put before the sequences.
    pub(super) extended: AtomicBool,
    /// Whether the embeddings are looked up at this moment.
    pub(super) embedding: AtomicBool,
    /// Names of the parameters that are trained.
    pub(super) trained: BTreeSet<String>,
    pub(super) counting: Arc<Mutex<Counting>>,
    pub(super) this: Weak<MetaHost>,
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

    pub(super) fn own_context(&self) -> Result<Ctx> {
        let this = self.this.upgrade().ok_or_else(|| PluginError::new("the run is over"))?;
        Ok(ffi::context(this))
    }

    fn plan(&self) -> &[Param] {
        self.adapter.as_ref().map_or(&[], |adapter| &adapter.plan().params)
    }

    /// Virtual tokens with hidden states, and with keys and values, that the pass puts before each sequence.
    pub(super) fn virtual_tokens(&self) -> (usize, usize) {
        self.adapter.as_ref().map_or((0, 0), |adapter| (adapter.plan().prompt, adapter.plan().prefix))
    }

    /// Tokens of each sequence that are computed in this pass.
    pub(super) fn computed(&self) -> usize {
        let prompt =
            if self.cached == 0 && self.extended.load(Ordering::Relaxed) { self.virtual_tokens().0 } else { 0 };
        self.time + prompt
    }

    /// Tokens of each sequence, those of the cache and the virtual ones with them.
    pub(super) fn length(&self) -> usize {
        let (prompt, prefix) = self.virtual_tokens();
        self.cached + self.time + prompt + prefix
    }

    /// The parameter that a layer stands for: the model's, then the adapter's.
    pub(super) fn layer(&self, id: u64) -> Result<&Param> {
        let (model, adapter) = (&self.spec.params, self.plan());
        let index = self.spec.index(id, model.len() + adapter.len())?;
        Ok(model.get(index).unwrap_or_else(|| &adapter[index - model.len()]))
    }

    pub(super) fn param(&self, param: &Param) -> MetaTensor {
        lock(&self.counting).used.insert(param.name.clone());
        let (shape, dtype, buffer) = (param.shape.clone(), DType::F32, Buffer::of_param());
        let (tracked, counting) = (self.trained.contains(&param.name), self.counting.clone());
        MetaTensor { shape, dtype, choices: None, tracked, buffer, counting }
    }
}
