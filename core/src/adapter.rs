//! Adapters.

use crate::{Attach, Ctx, ModelSpec, Needs, Options, Param, PluginError, Result, Tensor, Weight};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What an adapter does to a model's parameters: what its [`Attach`] was told.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct AdapterPlan {
    /// New parameters, all trained but those that are `frozen`. Their names are the keys under which PEFT saves them,
    /// unless `saved` says others.
    pub params: Vec<Param>,
    /// Names of the base model's parameters that are trained too. All others are frozen.
    pub trained: Vec<String>,
    /// Modules that go through the adapter, in the order of its sites: projections, the embeddings, the vocabulary
    /// projection.
    pub sites: Vec<String>,
    /// Virtual tokens whose hidden states stand before each sequence.
    pub prompt: usize,
    /// Virtual tokens whose keys and values stand before each sequence, in every attention.
    pub prefix: usize,
    /// Indices of `params` whose start the adapter computes from the base weights.
    pub initial: Vec<usize>,
    /// Indices of `params` that are not trained.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub frozen: Vec<usize>,
    /// Names and shapes of the tensors that PEFT's file holds, where they are not the parameters themselves.
    pub saved: Vec<(String, Vec<usize>)>,
    /// What the options choose among other things and the model does not have, a sentence each: an error in a recipe,
    /// a warning for an adapter that has been trained.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unmatched: Vec<String>,
    /// Factors on the learning rate, by the names of parameters that are trained, where they are not 1.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub rates: BTreeMap<String, f64>,
    /// What a host must have to compute with this adapter: see [`Attach::requires`].
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub requires: Vec<String>,
    /// What it needs of the run and of the model: see [`Attach::needs`].
    #[serde(skip_serializing_if = "Needs::is_empty")]
    pub needs: Needs,
    /// The number format in which weights that are not trained are kept, unless the user says another: see
    /// [`Attach::storage`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage: Option<String>,
    /// PEFT's `adapter_config.json`, without the base model's path. None: the whole model is saved instead.
    pub peft_config: Option<serde_json::Value>,
}

impl AdapterPlan {
    /// The new parameters that are trained.
    pub fn own_trained(&self) -> impl Iterator<Item = &Param> {
        let trained = |(index, param)| (!self.frozen.contains(&index)).then_some(param);
        self.params.iter().enumerate().filter_map(trained)
    }

    /// Names of all parameters that are trained, the new ones and the model's.
    pub fn trained_names(&self) -> BTreeSet<String> {
        self.own_trained().map(|param| param.name.clone()).chain(self.trained.iter().cloned()).collect()
    }
}

/// A module of the base model that an adapter takes part in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Site {
    pub(crate) index: usize,
    pub(crate) weight: Weight,
}

impl Merged {
    /// A module's weight and bias.
    pub fn new(weight: Tensor, bias: Option<Tensor>) -> Self {
        Self { weight, bias }
    }
}

impl Site {
    /// Its number, counted from 0 in the order in which the sites were made.
    pub fn index(self) -> usize {
        self.index
    }

    /// The module's weight `[out, in]`, `[vocab, hidden]` for the embeddings and for the vocabulary projection.
    pub fn weight(self, cx: &Ctx) -> Tensor {
        self.weight.get(cx)
    }
}

/// Weight and bias of a module, to be merged.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Merged {
    /// The weight.
    pub weight: Tensor,
    /// The bias, if the module has one.
    pub bias: Option<Tensor>,
}

/// What is trained, and how it takes part in the base model's computation.
pub trait Adapter: Options {
    /// What computes.
    type Net: Adapted;

    /// An error if the options contradict each other or are out of range: what types cannot express.
    fn validate(&self) -> Result<()> {
        Ok(())
    }

    /// Whether a PEFT `adapter_config.json` of a `peft_type` that is among the plugin's aliases is this adapter's.
    /// Several adapters may read one type.
    fn reads(config: &serde_json::Value) -> bool {
        let _ = config;
        true
    }

    /// Reads PEFT's `adapter_config.json`.
    fn from_peft(config: &serde_json::Value) -> Result<Self> {
        let _ = config;
        Err(PluginError::new("has no PEFT format to be read from"))
    }

    /// Decides what is added, trained and intercepted, and gives back what computes with it. Targets that match nothing
    /// are an error.
    fn build(&self, model: &ModelSpec, a: &Attach) -> Result<Self::Net>;
}

/// An adapter that is attached to a model. Only what was asked for in [`Adapter::build`] is called.
pub trait Adapted: Send + Sync + 'static {
    /// Stands in for the projection at `site` of `x`; [`Ctx::base`] computes the base model's own.
    fn linear(&self, cx: &Ctx, site: Site, x: Tensor) -> Tensor {
        cx.base(site, x)
    }

    /// Changes the embeddings `[batch, time, hidden]` of the ids `[batch, time]`, if they are a site.
    fn embed(&self, cx: &Ctx, site: Site, ids: Tensor, embedded: Tensor) -> Tensor {
        let _ = (cx, site, ids);
        embedded
    }

    /// Adds to the vocabulary projection of `hidden` `[n, hidden]`, if it is a site: features `[n, r]` and their
    /// projection `[vocab, r]`, whose product is added to the logits.
    fn output(&self, cx: &Ctx, site: Site, hidden: Tensor) -> (Tensor, Tensor) {
        let _ = (site, hidden);
        cx.fail("this adapter adds nothing to the vocabulary projection")
    }

    /// The hidden states `[n, hidden]` of the virtual tokens before each sequence, asked once a pass.
    fn prompt(&self, cx: &Ctx) -> Tensor {
        cx.fail("this adapter has no virtual tokens")
    }

    /// Keys and values `[heads, n, size]` of the virtual tokens before each sequence, for one of the model's
    /// attentions.
    fn prefix(&self, cx: &Ctx, attention: usize) -> (Tensor, Tensor) {
        let _ = attention;
        cx.fail("this adapter has no virtual keys")
    }

    /// The start of a parameter that was declared with [`Attach::computed`].
    fn initial(&self, cx: &Ctx, param: Weight) -> Tensor {
        let _ = param;
        cx.fail("this adapter computes no initial values")
    }

    /// Weight and bias of a site's module with the adapter folded in.
    fn merge(&self, cx: &Ctx, site: Site, module: Merged) -> Result<Merged> {
        let _ = (cx, site, module);
        Err(PluginError::new("it cannot be folded into the base model's weights"))
    }

    /// What PEFT's file holds, in the order of [`Attach::saved`].
    fn saved(&self, cx: &Ctx) -> Vec<Tensor> {
        cx.fail("this adapter is saved as it is")
    }
}

/// An adapter without any computation of its own.
#[derive(Debug, Clone, Copy, Default)]
pub struct Nothing;

impl Adapted for Nothing {}
