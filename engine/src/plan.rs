//! The plan of a run: what it would train, for how long and with how much memory, before anything is allocated.

use crate::{
    assemble::Source,
    blueprint::Blueprint,
    data::{Batches, Corpus, DataReport, Progress},
    error::{Error, Result},
    executor::Device,
    hub::{self, Missing},
    recipe::{Frozen, Recipe, Train},
    run::RunFolder,
    session::Session,
    train::{batches, examples, total_steps},
    weights::Float,
};
use framework_core::{
    AdapterPlan, ModelSpec, Param,
    ffi::ModelObject,
    meta::{self, MetaHost},
};
use serde::Serialize;
use std::fmt;

/// The plan of a run.
#[derive(Debug, Clone, Serialize)]
pub struct Plan {
    /// The run's name.
    pub name: String,
    /// Parameters of the base model and of the adapter.
    pub parameters: usize,
    /// Parameters that are trained.
    pub trained_parameters: usize,
    /// Their share of all, in percent.
    pub trained_percent: f64,
    /// The data, if the recipe names any.
    pub data: Option<DataReport>,
    /// Optimizer steps in all; 0 without data.
    pub steps: u64,
    /// Optimizer steps of an epoch.
    pub steps_per_epoch: u64,
    /// Supervised tokens of an epoch.
    pub supervised_tokens: u64,
    /// Sequences and tokens of the largest forward pass.
    pub largest_batch: (usize, usize),
    /// How much of the batches is padding.
    pub padding: Padding,
    /// Floating-point operations of an optimizer step, forward and backward.
    pub flops_per_step: u64,
    /// Estimated peak memory by part, in bytes.
    pub memory: Memory,
    /// Weights on the hub that have not been downloaded; whether they fit the configuration is not known yet.
    pub download: Option<Missing>,
}

/// Padding as a share of the tokens in the batches of the first epoch: as the recipe has it, and as it might.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Padding {
    /// As the recipe has it.
    pub set: f64,
    /// With neither `group_by_length` nor `packing`.
    pub plain: f64,
    /// With `group_by_length` alone.
    pub grouped: f64,
    /// With `packing` alone.
    pub packed: f64,
}

impl Padding {
    fn of(set: &Batches, corpus: &Corpus, recipe: &Recipe) -> Self {
        let share = |batches: &Batches| {
            let (padding, all) = batches.padding();
            padding as f64 / all.max(1) as f64
        };
        let with = |group_by_length, packing| {
            let train = Train { group_by_length, packing, ..recipe.train.clone() };
            share(&batches(corpus, &Recipe { train, ..recipe.clone() }, 0))
        };
        Self { set: share(set), plain: with(false, false), grouped: with(true, false), packed: with(false, true) }
    }
}

/// Estimated peak memory by part, in bytes.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Memory {
    /// Weights of the base model and of the adapter.
    pub weights: u64,
    /// Gradients of what is trained.
    pub gradients: u64,
    /// States of the optimizer.
    pub optimizer: u64,
    /// What the forward pass keeps for the backward pass.
    pub activations: u64,
    /// Logits of the vocabulary projection and what the loss makes of them.
    pub loss: u64,
}

impl Memory {
    fn total(&self) -> u64 {
        self.weights + self.gradients + self.optimizer + self.activations + self.loss
    }
}

/// Plans a checked recipe: reads its data and its configuration, runs the model on shapes, and opens the device.
pub fn plan(session: &Session, progress: &mut dyn FnMut(Progress)) -> Result<Plan> {
    plan_of(session, progress).map_err(|e| session.placed(e))
}

fn plan_of(session: &Session, progress: &mut dyn FnMut(Progress)) -> Result<Plan> {
    let recipe = &session.recipe;
    Device::open(&recipe.backend)?;
    RunFolder::check_output(&recipe.output)?;
    if !recipe.dataset.is_empty() {
        recipe.check_trainable()?;
    }
    let data = match recipe.dataset.is_empty() {
        true => Ok(None),
        false => examples(session, progress).map(Some),
    };
    let (blueprint, data) = Error::both(Blueprint::of(session), data)?;
    blueprint.try_out(session)?;
    let trained = blueprint.trained();
    let Blueprint { model, spec, adapted } = &blueprint;
    let count = |params: &[&Param]| params.iter().map(|p| p.len()).sum::<usize>();
    let parameters = count(&spec.params.iter().chain(&adapted.params).collect::<Vec<_>>());
    let mut plan = Plan {
        name: recipe.name.clone(),
        parameters,
        trained_parameters: count(&trained),
        trained_percent: 100.0 * count(&trained) as f64 / parameters.max(1) as f64,
        data: None,
        steps: 0,
        steps_per_epoch: 0,
        supervised_tokens: 0,
        largest_batch: (0, 0),
        padding: Padding::default(),
        flops_per_step: 0,
        memory: Memory { weights: weights(session, &blueprint)?, ..Memory::default() },
        download: recipe.model.weights.as_deref().map_or(Ok(None), hub::missing)?,
    };
    let optimizer = session.optimizer()?;
    for param in &trained {
        plan.memory.gradients += 4 * param.len() as u64;
        let states = optimizer.state(param)?;
        plan.memory.optimizer += states.iter().map(|s| 4 * s.shape.iter().product::<usize>() as u64).sum::<u64>();
    }
    if let Some((tokenizer, _, corpus)) = data {
        corpus.require_training()?;
        crate::train::require_validation(&session.recipe.train, corpus.validation.len())?;
        crate::train::fits(spec, &tokenizer, &corpus)?;
        plan.of_data(session, model, spec, adapted, corpus)?;
    }
    Ok(plan)
}

/// Bytes of the weights of the base model and of the adapter, as they are kept.
fn weights(session: &Session, blueprint: &Blueprint) -> Result<u64> {
    let (recipe, trained) = (&session.recipe, blueprint.trained());
    let source = match recipe.backend.frozen {
        Frozen::F32 => None,
        Frozen::Stored => Some(Source::of(recipe)?),
    };
    let bytes = |param: &Param| match &source {
        Some(Source::Folder(folder)) if !trained.iter().any(|t| t.name == param.name) => {
            folder.info(&param.name).and_then(|info| Float::of(info.dtype)).map_or(4, Float::size)
        }
        _ => 4,
    };
    let params = blueprint.spec.params.iter().chain(&blueprint.adapted.params);
    Ok(params.map(|param| (bytes(param) * param.len()) as u64).sum())
}

impl Plan {
    fn of_data(
        &mut self,
        session: &Session,
        model: &ModelObject,
        spec: &ModelSpec,
        adapted: &AdapterPlan,
        corpus: Corpus,
    ) -> Result<()> {
        let train = &session.recipe.train;
        let batches = batches(&corpus, &session.recipe, 0);
        self.steps_per_epoch = batches.steps_per_epoch() as u64;
        self.steps = total_steps(train, self.steps_per_epoch);
        let validation = corpus.validation.len();
        let idle = crate::train::idle(train, self.steps, self.steps_per_epoch, validation);
        idle.iter().for_each(|text| tracing::warn!("{text}"));
        self.supervised_tokens = corpus.report.train.supervised_tokens as u64;
        let longest = batches.longest();
        let rows = train.batch_size.min(batches.rows.len());
        self.largest_batch = (rows, longest);
        self.padding = Padding::of(&batches, &corpus, &session.recipe);
        self.data = Some(corpus.report);
        if rows == 0 || longest == 0 {
            return Ok(());
        }
        let host = MetaHost::new(spec, Some(session.adapter()?), rows, longest)?;
        meta::forward(model, &host, spec)?;
        let cost = host.cost();
        // Frozen weights need no gradient of their own: one backward product instead of two.
        let back = if adapted.trained.is_empty() { 2 } else { 3 };
        self.flops_per_step = cost.flops * back * train.gradient_accumulation as u64;
        let logits = (rows * longest * spec.vocab_size) as u64;
        let activations = cost.elements.saturating_sub(logits);
        self.memory.activations = 4 * match train.activation_checkpointing {
            false => activations,
            true => {
                let inputs = (spec.blocks + 1) * rows * longest * spec.hidden_size;
                inputs as u64 + activations / spec.blocks.max(1) as u64
            }
        };
        // Logits are held in parts of at most 16 Mi numbers; shifted, exponentiated and differentiated.
        self.memory.loss = 4 * 4 * logits.min(1 << 24);
        Ok(())
    }
}

fn mebibytes(bytes: u64) -> String {
    format!("{:.0} MiB", bytes as f64 / (1 << 20) as f64)
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: the recipe is sound", self.name)?;
        writeln!(
            f,
            "parameters   {}, of which {} are trained ({:.3} %)",
            self.parameters, self.trained_parameters, self.trained_percent
        )?;
        if let Some(data) = &self.data {
            writeln!(f, "{data}")?;
            writeln!(
                f,
                "steps        {} in all, {} an epoch; {} supervised tokens an epoch",
                self.steps, self.steps_per_epoch, self.supervised_tokens
            )?;
            let percent = |share: f64| format!("{:.1} %", 100.0 * share);
            let Padding { set, plain, grouped, packed } = self.padding;
            writeln!(
                f,
                "padding      {} of the tokens in batches; with neither {}, with group_by_length {}, with packing {}",
                percent(set),
                percent(plain),
                percent(grouped),
                percent(packed)
            )?;
            let (rows, time) = self.largest_batch;
            writeln!(
                f,
                "computation  {:.1} GFLOP a step at most ({rows} x {time} tokens a pass)",
                self.flops_per_step as f64 / 1e9
            )?;
        }
        if let Some(Missing { id, bytes }) = &self.download {
            let size = bytes.map(|bytes| format!(", {}", mebibytes(bytes))).unwrap_or_default();
            writeln!(f, "weights      of {id}{size}, are not downloaded yet; training will")?;
        }
        let m = &self.memory;
        write!(
            f,
            "memory       about {}: weights {}, gradients {}, optimizer {}, activations {}, loss {}",
            mebibytes(m.total()),
            mebibytes(m.weights),
            mebibytes(m.gradients),
            mebibytes(m.optimizer),
            mebibytes(m.activations),
            mebibytes(m.loss)
        )
    }
}
