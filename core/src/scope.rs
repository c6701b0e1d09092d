//! Where an architecture declares its layers.

use crate::{
    Alternative, AttentionSpec, Conv, ConvConfig, Init, ModelSpec, Needs, Param, PluginError, Result, Role, Scan,
    StateSlot,
    layer::{Attention, Dense, Embedding, Heads, Linear, Norm, NormConfig, Table, Weight},
};
use std::{
    cell::RefCell,
    rc::Rc,
    sync::atomic::{AtomicU32, Ordering},
};

/// Declares the parts of a network, with names below a prefix. Each method gives back what computes with them.
///
/// Names are those of the model's safetensors files. What is wrong with a declaration, such as a name that is there
/// twice, is told when [`crate::ModelArch::build`] has returned.
#[derive(Clone)]
pub struct Scope {
    building: Rc<RefCell<Building>>,
    prefix: String,
    block: Option<usize>,
}

struct Building {
    spec: ModelSpec,
    wrong: Option<PluginError>,
}

/// Sizes of a network that no layer says.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sizes {
    /// Width of the hidden states.
    pub hidden: usize,
    /// Rows of the vocabulary projection.
    pub vocab: usize,
    /// The longest sequence that positions are defined for, if there is a limit.
    pub max_positions: Option<usize>,
    /// See [`ModelSpec::cache_until`].
    pub cache_until: Option<usize>,
}

/// How hidden states become logits: `softcap · tanh(scale · (W · h + b) / softcap)`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Logits {
    /// Whether there is a bias.
    pub bias: bool,
    /// Factor on the logits.
    pub scale: f64,
    /// The logits stay within `±softcap` (Gemma 2); none if they are not limited.
    pub softcap: Option<f64>,
    /// How the projection starts from scratch.
    pub init: Init,
}

impl Default for Logits {
    fn default() -> Self {
        Self { bias: false, scale: 1.0, softcap: None, init: Init::Normal(0.02) }
    }
}

/// Networks that this library has begun to build, so that layers of one are not taken for another's.
static BUILT: AtomicU32 = AtomicU32::new(1);

impl Scope {
    pub(crate) fn root() -> Self {
        let network = BUILT.fetch_add(1, Ordering::Relaxed);
        let building = Building { spec: ModelSpec { network, ..ModelSpec::default() }, wrong: None };
        Self { building: Rc::new(RefCell::new(building)), prefix: String::new(), block: None }
    }

    /// What has been declared.
    pub(crate) fn finish(self) -> Result<ModelSpec> {
        let Building { spec, wrong } = &mut *self.building.borrow_mut();
        match wrong.take() {
            Some(e) => Err(e),
            None if spec.output.is_empty() => {
                Err(PluginError::new("`build` declares no vocabulary projection: call `output` or `tied_output`"))
            }
            None => Ok(std::mem::take(spec)),
        }
    }

    fn name(&self, name: &str) -> String {
        match (self.prefix.is_empty(), name.is_empty()) {
            (true, _) => name.to_owned(),
            (false, true) => self.prefix.clone(),
            (false, false) => format!("{}.{name}", self.prefix),
        }
    }

    fn wrong(&self, message: String) {
        self.building.borrow_mut().wrong.get_or_insert_with(|| PluginError::new(message));
    }

    /// A scope whose names begin with `name`, e.g. `at("self_attn")`.
    #[must_use]
    pub fn at(&self, name: &str) -> Scope {
        Scope { prefix: self.name(name), ..self.clone() }
    }

    /// Says how large the network is.
    pub fn sizes(&self, sizes: Sizes) {
        let spec = &mut self.building.borrow_mut().spec;
        (spec.hidden_size, spec.vocab_size) = (sizes.hidden, sizes.vocab);
        (spec.max_positions, spec.cache_until) = (sizes.max_positions, sizes.cache_until);
    }

    /// Hosts that do not have this feature must refuse the network, because they would leave it out: see
    /// [`crate::supports`].
    pub fn requires(&self, feature: &str) {
        self.building.borrow_mut().spec.requires.push(feature.to_owned());
    }

    /// What the network needs of the run. Hosts that do not know one of the needs refuse the network.
    pub fn needs(&self, needs: Needs) {
        let spec = &mut self.building.borrow_mut().spec;
        spec.requires.extend(needs.features());
        spec.needs = needs;
    }

    /// The network's blocks, each in a scope `name.0`, `name.1`, …: [`crate::Network::block`] is called for each.
    pub fn blocks<B>(
        &self,
        name: &str,
        count: usize,
        mut build: impl FnMut(usize, &Scope) -> Result<B>,
    ) -> Result<Vec<B>> {
        self.building.borrow_mut().spec.blocks = count;
        let block = |i| build(i, &Scope { block: Some(i), ..self.at(&format!("{name}.{i}")) });
        (0..count).map(block).collect()
    }

    fn declare(&self, param: Param) -> Weight {
        let Param { name, shape, .. } = &param;
        if shape.contains(&0) {
            self.wrong(format!("`{name}` has the shape {shape:?}, which holds nothing"));
        }
        let mut building = self.building.borrow_mut();
        let (network, id) = (building.spec.network, building.spec.params.len());
        if building.spec.get(name).is_some() {
            let message = format!("`{name}` is declared twice");
            building.wrong.get_or_insert_with(|| PluginError::new(message));
        }
        building.spec.params.push(param);
        Weight::new(network, id)
    }

    /// A parameter of any shape.
    pub fn param(&self, name: &str, shape: &[usize], init: Init, role: Role) -> Weight {
        self.declare(Param { block: self.block, ..Param::new(self.name(name), shape, init, role) })
    }

    /// A projection with the parameters `name.weight` and, if it has one, `name.bias`.
    pub fn linear(&self, name: &str, dense: Dense) -> Linear {
        let Dense { input, out, bias, init, stored, layer } = dense;
        let weight = Param {
            block: self.block,
            stored,
            layer: layer.to_owned(),
            ..Param::new(self.name(&format!("{name}.weight")), &[out, input], init, Role::Linear)
        };
        let weight = self.declare(weight);
        if bias {
            self.param(&format!("{name}.bias"), &[out], Init::Zeros, Role::Bias);
        }
        Linear::new(weight)
    }

    /// The table of token embeddings `name.weight`.
    pub fn embedding(&self, name: &str, table: Table) -> Embedding {
        let Table { rows, width, padding, init } = table;
        let weight = self.param(&format!("{name}.weight"), &[rows, width], init, Role::Embedding);
        Embedding::new(weight, padding, self.name(&format!("{name}.weight")))
    }

    /// A normalisation with the parameter `name.weight` and, for [`crate::NormKind::Layer`], `name.bias`.
    pub fn norm(&self, name: &str, config: NormConfig) -> Norm {
        let init = config.kind.initial_scale();
        let weight = self.param(&format!("{name}.weight"), &[config.size], init, Role::Norm);
        let shift = || self.param(&format!("{name}.bias"), &[config.size], Init::Zeros, Role::Norm);
        let bias = config.kind.has_bias().then(shift);
        Norm::new(weight, bias, config)
    }

    /// An attention of these heads. Declared, so that caches and prefixes can be planned.
    pub fn attention(&self, heads: Heads) -> Attention {
        if heads.keys == 0 || !heads.queries.is_multiple_of(heads.keys) {
            let Heads { queries, keys, .. } = heads;
            self.wrong(format!(
                "an attention of {queries} query heads and {keys} key heads: the second must divide the first"
            ));
        }
        let mut building = self.building.borrow_mut();
        let (network, id) = (building.spec.network, building.spec.attentions.len());
        building.spec.attentions.push(AttentionSpec { block: self.block, ..AttentionSpec::from(heads) });
        Attention::new(network, id)
    }

    /// A parameter that starts with these numbers from scratch, again and again until it is full.
    pub fn values(&self, name: &str, shape: &[usize], values: &[f64], role: Role) -> Weight {
        let whole = self.name(name);
        self.building.borrow_mut().spec.values.insert(whole, values.to_vec());
        self.param(name, shape, Init::Zeros, role)
    }

    /// A causal convolution with the parameters `name.weight` `[channels, 1, kernel]` and, if it has one, `name.bias`.
    pub fn conv(&self, name: &str, config: ConvConfig) -> Conv {
        let ConvConfig { channels, kernel, bias, init } = config;
        let weight = self.param(&format!("{name}.weight"), &[channels, 1, kernel], init, Role::Other);
        let bias = bias.then(|| self.param(&format!("{name}.bias"), &[channels], Init::Zeros, Role::Bias));
        Conv::new(self.state(&[kernel.saturating_sub(1), channels]), weight, bias, config)
    }

    /// A linear recurrence over states of this shape.
    pub fn scan(&self, shape: &[usize]) -> Scan {
        Scan::new(self.state(shape))
    }

    fn state(&self, shape: &[usize]) -> u64 {
        let spec = &mut self.building.borrow_mut().spec;
        spec.states.push(StateSlot { block: self.block, shape: shape.to_vec() });
        spec.id(spec.states.len() - 1)
    }

    /// The vocabulary projection `name.weight`, a parameter of its own.
    pub fn output(&self, name: &str, hidden: usize, vocab: usize, logits: Logits) {
        let weight = self.name(&format!("{name}.weight"));
        self.param(&format!("{name}.weight"), &[vocab, hidden], logits.init, Role::Output);
        self.project(weight, name, vocab, logits);
    }

    /// The vocabulary projection is the embedding table. `stored` names the tensor in which files may hold it for the
    /// second time, e.g. `lm_head`.
    pub fn tied_output(&self, table: &Embedding, stored: &str, logits: Logits) {
        let vocab = self.building.borrow().spec.get(table.name()).map_or(0, |param| param.shape[0]);
        self.project(table.name().to_owned(), stored, vocab, logits);
        self.stored_as(table.name(), &self.name(&format!("{stored}.weight")));
    }

    fn project(&self, weight: String, module: &str, vocab: usize, logits: Logits) {
        if logits.bias {
            self.param(&format!("{module}.bias"), &[vocab], Init::Zeros, Role::Bias);
        }
        let bias = logits.bias.then(|| self.name(&format!("{module}.bias")));
        let spec = &mut self.building.borrow_mut().spec;
        (spec.output, spec.output_bias) = (weight, bias);
        (spec.output_scale, spec.output_softcap) = (Some(logits.scale).filter(|scale| *scale != 1.0), logits.softcap);
    }

    /// Files may hold the parameter `param`, by its whole name, under another whole name.
    pub fn stored_as(&self, param: &str, tensor: &str) {
        let shape = self.building.borrow().spec.get(param).map_or_else(Vec::new, |param| param.shape.clone());
        self.alternative(Alternative::new(param, tensor, &shape, 0));
    }

    /// Files may hold a parameter of this scope within a tensor of this scope and shape, from the element `start` on.
    pub fn stored_in(&self, param: &str, tensor: &str, shape: &[usize], start: usize) {
        self.alternative(Alternative::new(self.name(param), self.name(tensor), shape, start));
    }

    fn alternative(&self, alternative: Alternative) {
        self.building.borrow_mut().spec.alternatives.push(alternative);
    }

    /// PEFT, and so transformers in memory, call a module of this scope otherwise than files do.
    pub fn called_in_peft(&self, module: &str, name: &str) {
        let (module, spec) = (self.name(module), &mut self.building.borrow_mut().spec);
        spec.peft_names.insert(module, name.to_owned());
    }

    /// Files may hold this tensor, which is not used.
    pub fn extra(&self, name: &str) {
        let name = self.name(name);
        self.building.borrow_mut().spec.extra.push(name);
    }
}
