//! Model architectures.

use crate::{Ctx, Options, Result, Tensor};
use serde::{Deserialize, Serialize};

/// How a parameter starts when no weights are given.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Init {
    /// All zeros.
    Zeros,
    /// All ones.
    Ones,
    /// Normal with mean 0 and this standard deviation.
    Normal(f64),
    /// Uniform in `[-bound, bound]`.
    Uniform(f64),
}

/// What a parameter is for. Adapters, optimizers and the planner decide by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The token embedding table `[vocab, hidden]`.
    Embedding,
    /// The weight `[out, in]` of a projection that [`Ctx::linear`] applies.
    Linear,
    /// The vocabulary projection `[vocab, hidden]`, which the engine applies together with the loss.
    Output,
    /// A bias.
    Bias,
    /// A scale or shift of a normalisation.
    Norm,
    /// Anything else.
    Other,
}

/// A declared parameter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
}

impl Param {
    /// The number of elements.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
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
pub struct ModelSpec {
    /// Number of blocks; [`ModelArch::block`] is called with `0..blocks`.
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
    /// All parameters, once each.
    pub params: Vec<Param>,
    /// Other forms in which weight files hold parameters. A tensor of the parameter's own name goes before these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alternatives: Vec<Alternative>,
}

/// Another form in which weight files hold a parameter: consecutive elements of a tensor of another name.
///
/// For the embedding table of a model whose vocabulary projection is tied to it, this is the projection's tensor. If a
/// file holds both and they differ, the engine reads the model again with `tie_word_embeddings: false`, as transformers
/// 5 does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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

impl ModelSpec {
    /// Declares a parameter.
    pub fn param(&mut self, name: impl Into<String>, shape: &[usize], init: Init, role: Role) -> &mut Self {
        let name = name.into();
        let block = block_of(&name, self.blocks);
        self.params.push(Param { name, shape: shape.to_vec(), init, role, block });
        self
    }

    /// Declares the weight `[out, input]`, and the bias if `bias`, of a projection that [`Ctx::linear`] applies.
    pub fn linear(&mut self, module: &str, out: usize, input: usize, bias: bool, init: Init) -> &mut Self {
        self.param(format!("{module}.weight"), &[out, input], init, Role::Linear);
        if bias {
            self.param(format!("{module}.bias"), &[out], Init::Zeros, Role::Bias);
        }
        self
    }

    /// Says that files may hold a declared parameter under another name.
    pub fn stored_as(&mut self, param: &str, tensor: &str) -> &mut Self {
        let shape = self.get(param).map_or_else(Vec::new, |param| param.shape.clone());
        self.stored_in(param, tensor, &shape, 0)
    }

    /// Says that files may hold a parameter within a tensor of this shape, from the element `start` on.
    pub fn stored_in(&mut self, param: &str, tensor: &str, shape: &[usize], start: usize) -> &mut Self {
        let (param, tensor, shape) = (param.to_owned(), tensor.to_owned(), shape.to_vec());
        self.alternatives.push(Alternative { param, tensor, shape, start });
        self
    }

    /// Whether the vocabulary projection is the embedding table.
    pub fn is_tied(&self) -> bool {
        self.get(&self.output).is_some_and(|param| param.role == Role::Embedding)
    }

    /// Finds a parameter by name.
    pub fn get(&self, name: &str) -> Option<&Param> {
        self.params.iter().find(|p| p.name == name)
    }

    /// The modules that [`Ctx::linear`] can be asked for, in declaration order, with their weights.
    pub fn linears(&self) -> impl Iterator<Item = &Param> {
        self.params.iter().filter(|p| p.role == Role::Linear)
    }
}

/// `model.layers.3.mlp.up_proj.weight` belongs to block 3: the first number in the name.
fn block_of(name: &str, blocks: usize) -> Option<usize> {
    name.split('.').find_map(|part| part.parse().ok()).filter(|i| *i < blocks)
}

/// A decoder-only language model, run in stages.
///
/// The type's options are the model's Hugging Face `config.json`.
pub trait ModelArch: Options {
    /// An error if the options contradict each other or are out of range: what types cannot express.
    fn validate(&self) -> Result<()> {
        Ok(())
    }

    /// Reads a `config.json`. The default drops keys that the type does not have if they do not change the numbers
    /// (`transformers_version`, `torch_dtype`, …) and refuses the others: see [`crate::config`].
    fn from_config(config: serde_json::Map<String, serde_json::Value>) -> Result<Self> {
        crate::config::from_hf_config(config)
    }

    /// Declares parameters and sizes.
    fn spec(&self) -> Result<ModelSpec>;

    /// Token ids `[batch, time]` to hidden states `[batch, time, hidden]`.
    fn embed(&self, cx: &Ctx, ids: Tensor) -> Tensor;

    /// One block: hidden states in, hidden states out.
    fn block(&self, cx: &Ctx, index: usize, hidden: Tensor) -> Tensor;

    /// What comes after the last block and before the vocabulary projection: the final norm.
    fn head(&self, cx: &Ctx, hidden: Tensor) -> Tensor;
}
