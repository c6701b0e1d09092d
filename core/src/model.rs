//! Model architectures.

use crate::{Ctx, Heads, Needs, Options, PluginError, Result, Scope, Tensor, Weight};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::{collections::BTreeMap, ops::Deref};

/// How a parameter starts when no weights are given.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Init {
    /// All zeros.
    Zeros,
    /// All ones.
    Ones,
    /// Normal with mean 0 and this standard deviation.
    Normal(f64),
    /// Uniform in `[-bound, bound]`.
    Uniform(f64),
    /// All this number.
    Constant(f64),
}

/// What a parameter is for. Adapters, optimizers and the planner decide by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Role {
    /// The token embedding table `[vocab, hidden]`.
    Embedding,
    /// The weight `[out, in]` of a projection that [`crate::Linear`] applies.
    Linear,
    /// The vocabulary projection `[vocab, hidden]`, which the engine applies together with the loss.
    Output,
    /// A bias.
    Bias,
    /// A scale or shift of a normalisation.
    Norm,
    /// Anything else, and what a newer plugin has that this version does not know.
    #[serde(other)]
    Other,
}

/// How files hold the weight of a projection. Adapters, optimizers and models always see `[out, in]`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Stored {
    /// `[out, in]`, as `torch.nn.Linear` has it.
    #[default]
    OutIn,
    /// `[in, out]`, as GPT-2's `Conv1D` has it.
    InOut,
}

/// A declared parameter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Param {
    /// Its name in the model's safetensors files, e.g. `gpt_neox.layers.0.attention.dense.weight`.
    pub name: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// How it starts from scratch.
    pub init: Init,
    /// What it is for.
    pub role: Role,
    /// The block that uses it, if only one does.
    #[serde(default)]
    pub block: Option<usize>,
    /// How files hold it.
    #[serde(default)]
    pub stored: Stored,
    /// What a projection does in its block: see [`crate::Dense::layer`].
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub layer: String,
    /// A field that this version does not have.
    #[cfg(feature = "growth")]
    #[serde(default)]
    pub grown: u32,
}

impl Param {
    /// A parameter of no block.
    pub fn new(name: impl Into<String>, shape: &[usize], init: Init, role: Role) -> Self {
        Self {
            name: name.into(),
            shape: shape.to_vec(),
            init,
            role,
            block: None,
            stored: Stored::OutIn,
            layer: String::new(),
            #[cfg(feature = "growth")]
            grown: 7,
        }
    }

    /// The same parameter, used by one block.
    #[must_use]
    pub fn in_block(self, block: impl Into<Option<usize>>) -> Self {
        Self { block: block.into(), ..self }
    }

    /// The number of elements.
    pub fn len(&self) -> usize {
        self.shape.iter().fold(1, |count, n| count.saturating_mul(*n))
    }

    /// Whether it has no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// For `a.b.weight`, the module `a.b`; for anything else the name itself.
    pub fn module(&self) -> &str {
        self.name.strip_suffix(".weight").unwrap_or(&self.name)
    }
}

/// What an architecture declares: everything the engine needs to load, plan and train it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ModelSpec {
    /// Tells the layers of this network from those of others.
    pub(crate) network: u32,
    /// Number of blocks; [`Network::block`] is called with `0..blocks`.
    pub blocks: usize,
    /// Width of the hidden states.
    pub hidden_size: usize,
    /// Rows of the vocabulary projection.
    pub vocab_size: usize,
    /// The longest sequence that positions are defined for, if there is a limit.
    pub max_positions: Option<usize>,
    /// When a sequence grows past this length, its cached keys and values have to be computed anew: from there on
    /// positions are rotated differently.
    #[serde(default)]
    pub cache_until: Option<usize>,
    /// Name of the parameter that projects hidden states to the vocabulary: a parameter of role
    /// [`Role::Output`], or the embedding table when the two are tied.
    pub output: String,
    /// Name of that projection's bias, if it has one.
    #[serde(default)]
    pub output_bias: Option<String>,
    /// Factor on the logits, if not 1.
    #[serde(default)]
    pub output_scale: Option<f64>,
    /// The logits stay within plus and minus this.
    #[serde(default)]
    pub output_softcap: Option<f64>,
    /// All parameters, once each.
    pub params: Vec<Param>,
    /// All attentions, in the order of their declaration.
    #[serde(default)]
    pub attentions: Vec<AttentionSpec>,
    /// States that go from token to token, in the order of their declaration.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub states: Vec<StateSlot>,
    /// Parameters that start with these numbers, again and again, instead of their [`Param::init`].
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub values: BTreeMap<String, Vec<f64>>,
    /// Other forms in which weight files hold parameters. A tensor of the parameter's own name goes before these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alternatives: Vec<Alternative>,
    /// Modules that PEFT, and transformers in memory, call otherwise than files do.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub peft_names: BTreeMap<String, String>,
    /// Tensors that files may hold and that are not used.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub extra: Vec<String>,
    /// What a host must have to compute this network: see [`Scope::requires`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requires: Vec<String>,
    /// What it needs of the run: see [`Scope::needs`].
    #[serde(default, skip_serializing_if = "Needs::is_empty")]
    pub needs: Needs,
}

/// A declared state: so many numbers for each sequence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct StateSlot {
    /// The block that it is in.
    pub block: Option<usize>,
    /// Its shape for one sequence.
    pub shape: Vec<usize>,
}

/// A declared attention.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct AttentionSpec {
    /// The block that it is in.
    pub block: Option<usize>,
    /// Its heads, whose fields stand beside `block` in JSON.
    #[serde(flatten)]
    pub heads: Heads,
}

impl From<Heads> for AttentionSpec {
    fn from(heads: Heads) -> Self {
        Self { block: None, heads }
    }
}

impl Deref for AttentionSpec {
    type Target = Heads;
    fn deref(&self) -> &Heads {
        &self.heads
    }
}

/// Another form in which weight files hold a parameter: consecutive elements of a tensor of another name.
///
/// For the embedding table of a model whose vocabulary projection is tied to it, this is the projection's tensor. If a
/// file holds both and they differ, the engine reads the model again with `tie_word_embeddings: false`, as transformers
/// 5 does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Alternative {
    /// The parameter's name.
    pub param: String,
    /// The tensor's name.
    pub tensor: String,
    /// The tensor's shape.
    pub shape: Vec<usize>,
    /// The tensor's element, counted row by row, that is the parameter's first.
    #[serde(default)]
    pub start: usize,
}

impl Alternative {
    /// The parameter `param` as the elements from `start` on of the tensor `tensor` of this shape.
    pub fn new(param: impl Into<String>, tensor: impl Into<String>, shape: &[usize], start: usize) -> Self {
        Self { param: param.into(), tensor: tensor.into(), shape: shape.to_vec(), start }
    }
}

impl ModelSpec {
    /// What `declare` declares in a scope of its own, for tests.
    pub fn declared(declare: impl FnOnce(&Scope)) -> Result<Self> {
        let scope = Scope::root();
        declare(&scope);
        scope.finish()
    }

    /// What PEFT, and transformers in memory, call a module.
    pub fn peft_name<'a>(&'a self, module: &'a str) -> &'a str {
        self.peft_names.get(module).map_or(module, String::as_str)
    }

    /// The layer of one of its parameters.
    pub fn weight(&self, param: &Param) -> Weight {
        let index = self.params.iter().position(|other| other.name == param.name);
        Weight::new(self.network, index.unwrap_or(self.params.len()))
    }

    /// What a layer of this network crosses as: the inverse of [`ModelSpec::index`].
    pub fn id(&self, index: usize) -> u64 {
        u64::from(self.network) << 32 | index as u64
    }

    /// The index that a layer of this network stands for.
    ///
    /// # Errors
    /// The layer belongs to another network, or there are only `count`.
    pub fn index(&self, id: u64, count: usize) -> Result<usize> {
        let (network, index) = ((id >> 32) as u32, id as u32 as usize);
        match network == self.network && index < count {
            true => Ok(index),
            false => Err(PluginError::new("a layer belongs to another network: build it in this one's scope")),
        }
    }

    /// Whether a sequence can go on from cached keys, values and states. Not if the plugin says so, and not if tokens
    /// see those that follow: each new token would change what is cached of the others.
    pub fn is_cacheable(&self) -> bool {
        !self.needs.uncached && self.attentions.iter().all(|attention| attention.causal)
    }

    /// Whether the vocabulary projection is the embedding table.
    pub fn is_tied(&self) -> bool {
        self.get(&self.output).is_some_and(|param| param.role == Role::Embedding)
    }

    /// Finds a parameter by name.
    pub fn get(&self, name: &str) -> Option<&Param> {
        self.params.iter().find(|p| p.name == name)
    }

    /// The modules that [`crate::Linear`] applies, in declaration order, with their weights.
    pub fn linears(&self) -> impl Iterator<Item = &Param> {
        self.params.iter().filter(|p| p.role == Role::Linear)
    }
}

/// A decoder-only language model.
///
/// The type's options are the model's Hugging Face `config.json`; `build` makes the network that they describe, once.
pub trait ModelArch: Options {
    /// What computes.
    type Net: Network;

    /// An error if the options contradict each other or are out of range: what types cannot express.
    fn validate(&self) -> Result<()> {
        Ok(())
    }

    /// Changes a `config.json` before it is read, e.g. to name keys of an older layout anew.
    fn adapt_config(config: Map<String, Value>) -> Result<Map<String, Value>> {
        Ok(config)
    }

    /// Reads a `config.json`. Keys that the type does not have are dropped before, if they do not change the numbers
    /// (`transformers_version`, `torch_dtype`, …), or refused: see [`crate::config`]. Not to be overridden:
    /// [`ModelArch::adapt_config`] is.
    fn from_config(config: Map<String, Value>) -> Result<Self> {
        crate::config::from_hf_config(Self::adapt_config(config)?)
    }

    /// Declares parameters and attentions, and gives back what computes with them.
    fn build(&self, m: &Scope) -> Result<Self::Net>;

    /// What the network declares.
    fn spec(&self) -> Result<ModelSpec> {
        Ok(built(self)?.1)
    }
}

/// The network of an architecture, and what it declares.
pub(crate) fn built<M: ModelArch>(arch: &M) -> Result<(M::Net, ModelSpec)> {
    let scope = Scope::root();
    let network = arch.build(&scope)?;
    Ok((network, scope.finish()?))
}

/// A network, run in stages.
pub trait Network: Send + Sync + 'static {
    /// The embeddings `[batch, time, hidden]` of token ids `[batch, time]`.
    fn embed(&self, cx: &Ctx, ids: Tensor) -> Tensor;

    /// What becomes of embeddings before the first block, those of an adapter's virtual tokens among them: learned
    /// positions, dropout, a norm.
    fn start(&self, cx: &Ctx, embedded: Tensor) -> Tensor {
        let _ = cx;
        embedded
    }

    /// One block: hidden states in, hidden states out.
    fn block(&self, cx: &Ctx, index: usize, hidden: Tensor) -> Tensor;

    /// What comes after the last block and before the vocabulary projection: the final norm.
    fn head(&self, cx: &Ctx, hidden: Tensor) -> Tensor;
}
