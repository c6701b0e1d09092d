//! The memory that a run takes, found on shapes: for plans, and for a warning before weights are loaded.

mod expected;
mod pass;

use crate::{
    build::{Keeping, ModelSource, blueprint, blueprint::Blueprint},
    objective::teacher,
    pipeline::batches,
    session::Session,
    states, units,
};
use framework_base::{Result, memory};
use framework_core::Param;
use framework_executor::Storage;
use framework_recipe::{BackendName, Recipe};
use framework_text::data::Corpus;
use framework_weights as weights;
use serde::Serialize;

pub(crate) use expected::{expected, flops};
pub(crate) use pass::{Moment, Pass};

/// Estimated memory by part when most of it is taken, in bytes.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Memory {
    /// Weights of the base model and of the adapter, and of a teacher.
    pub weights: u64,
    /// Gradients of what is trained.
    pub gradients: u64,
    /// States of the optimizer.
    pub optimizer: u64,
    /// What the forward pass keeps for the backward pass.
    pub activations: u64,
    /// What operators take while they work: logits, scores of attentions, gradients on their way.
    pub working: u64,
    /// What the process has when the plan is made: the program, the tokenizer, the data. On other devices than the processor it
    /// is not where the model is, and 0 here.
    pub program: u64,
    /// Of the weights, a teacher's.
    #[serde(skip)]
    teacher: u64,
    /// Of what is trained.
    #[serde(skip)]
    trained: u64,
    /// States of one parameter in 32 bits, if they are kept in fewer.
    #[serde(skip)]
    decoded: u64,
}

impl Memory {
    /// What is still to be taken.
    pub(crate) fn needed(&self) -> u64 {
        self.weights + self.gradients + self.optimizer + self.activations + self.working
    }

    pub(crate) fn total(&self) -> u64 {
        self.program + self.needed()
    }
}

/// What is free on the recipe's device.
pub(crate) fn free_memory(recipe: &Recipe) -> Option<u64> {
    (recipe.backend.name == BackendName::Cpu).then(memory::available).flatten()
}

/// Warns before the weights are loaded if the run takes more memory than is free.
pub(crate) fn warn(session: &Session, blueprint: &Blueprint, corpus: &Corpus) -> Result<()> {
    let Some(free) = free_memory(&session.recipe) else { return Ok(()) };
    let pass = Pass::largest(session, blueprint, &batches(corpus, &session.recipe, 0))?;
    let memory = Memory::of_parameters(session, blueprint)?.at_most(&pass);
    if memory.needed() > free {
        let keeping = kept(session, blueprint)?;
        let advice = remedies(&session.recipe, &keeping, memory.trains_all(), (pass.rows, pass.tokens)).join("; ");
        let (needed, free) = (units::bytes(memory.needed()), units::bytes(free));
        tracing::warn!("the run takes about {needed} of memory, but {free} are free; to take less: {advice}");
    }
    Ok(())
}

/// Settings that make a plan smaller, by what the recipe has not set yet.
pub(crate) fn remedies(
    recipe: &Recipe,
    keeping: &Keeping,
    trains_all: bool,
    (rows, tokens): (usize, usize),
) -> Vec<String> {
    let train = &recipe.train;
    let mut all = Vec::new();
    if !train.activation_checkpointing && rows > 0 {
        all.push("train.activation_checkpointing = true".to_owned());
    }
    if rows > 1 {
        let accumulation = train.gradient_accumulation * 2;
        let half = train.batch_size.min(rows).div_ceil(2);
        all.push(format!("train.batch_size = {half} with train.gradient_accumulation = {accumulation}"));
    }
    if tokens > 64 {
        all.push(format!("prompt.max_length = {}", recipe.prompt.max_length.min(tokens) / 2));
    }
    if trains_all {
        all.push("an adapter instead of all weights (`framework list-plugins --kind adapter`)".to_owned());
    } else if !keeping.in_4_bits() {
        all.push("backend.frozen = \"nf4\", or adapter.plugin = \"qlora\"".to_owned());
    }
    all.push("a smaller model".to_owned());
    all
}

/// How the weights of a recipe's model are kept.
pub(crate) fn kept<'a>(session: &Session, blueprint: &'a Blueprint) -> Result<Keeping<'a>> {
    let backend = &session.recipe.backend;
    Keeping::of(&blueprint.adapted, &blueprint.still, backend.frozen, backend.precision, backend.double_quant)
}

/// Bytes of the weights of the base model and of the adapter, as they are kept.
fn weights(session: &Session, blueprint: &Blueprint) -> Result<u64> {
    let keeping = kept(session, blueprint)?;
    let source = match keeping.reads_formats() {
        true => Some(blueprint::source(session)?),
        false => None,
    };
    let bytes = |param: &Param| {
        let file = match &source {
            Some(ModelSource::Folder(folder)) => folder.info(&param.name).and_then(|i| weights::format_of(i.dtype)),
            _ => None,
        };
        keeping.storage(param, file).bytes(&param.shape)
    };
    let added = blueprint.adapted.params.iter().map(|param| 4 * param.len() as u64);
    Ok(blueprint.spec.params.iter().map(bytes).chain(added).sum())
}

impl Memory {
    /// What the parameters take: their values, gradients and the optimizer's states.
    pub(crate) fn of_parameters(session: &Session, blueprint: &Blueprint) -> Result<Self> {
        let teacher = teacher::bytes(session)?;
        let program = match session.recipe.backend.name {
            BackendName::Cpu => memory::resident().unwrap_or(0),
            BackendName::Wgpu | BackendName::Cuda => 0,
        };
        let weights = weights(session, blueprint)? + teacher;
        let mut memory = Memory { weights, teacher, program, ..Memory::default() };
        let optimizer = session.optimizer()?;
        let params: Vec<_> = blueprint.trained().into_iter().cloned().collect();
        memory.trained = params.iter().map(|param| 4 * param.len() as u64).sum();
        memory.gradients = memory.trained;
        for states in optimizer.open(&params)?.states() {
            let mut decoded = 0;
            for state in states {
                let storage = states::storage(state)?;
                memory.optimizer += storage.bytes(&state.shape);
                decoded += if storage == Storage::F32 { 0 } else { Storage::F32.bytes(&state.shape) };
            }
            memory.decoded = memory.decoded.max(decoded);
        }
        Ok(memory)
    }

    /// The same at the moment of a step that takes most.
    pub(crate) fn at_most(mut self, pass: &Pass) -> Self {
        let mut moments = pass.moments.clone();
        // The last one is the update of the parameters.
        if let Some(update) = moments.last_mut() {
            update.working += self.decoded;
        }
        let most = moments.into_iter().max_by_key(|at| at.gradients + at.activations + at.working);
        if let Some(Moment { gradients, activations, working }) = most {
            (self.gradients, self.activations, self.working) = (gradients, activations, working);
        }
        self
    }

    /// Whether what is trained is most of the model.
    pub(crate) fn trains_all(&self) -> bool {
        self.trained > (self.weights - self.teacher) / 2
    }
}
