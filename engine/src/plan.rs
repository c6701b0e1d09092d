//! The plan of a run: what it would train, for how long and with how much memory, before anything is allocated.

use crate::{
    assemble::Source,
    blueprint::Blueprint,
    device::device,
    memory,
    run::RunFolder,
    session::Session,
    train::{batches, examples, total_steps},
    units, unused,
};
use framework_base::Float;
use framework_base::{Error, Result};
use framework_core::{
    Param,
    meta::{self, MetaHost},
};
use framework_executor::Device;
use framework_hub as hub;
use framework_hub::Missing;
use framework_recipe::{BackendName, Frozen, Recipe, Train};
use framework_text::data::{Batches, Corpus, DataReport, Progress};
use framework_weights as weights;
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
    /// Estimated floating-point operations of the whole run.
    pub flops: f64,
    /// Estimated duration of the whole run on this machine, in seconds; none without data.
    pub seconds: Option<f64>,
    /// Floating-point operations per second that the device was measured to do.
    pub flops_per_second: Option<f64>,
    /// Estimated peak memory by part, in bytes.
    pub memory: Memory,
    /// Memory that is free, in bytes; none where that is not known, as for GPUs.
    pub free_memory: Option<u64>,
    /// Whether the plan fits into it.
    pub fits: Option<bool>,
    /// Settings that make the plan smaller, if it does not fit.
    pub remedies: Vec<String>,
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
    let device = device(&recipe.backend)?;
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
    unused::warn(session, unused::by_plan(recipe, &blueprint));
    let trained = blueprint.trained();
    let Blueprint { spec, adapted, .. } = &blueprint;
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
        flops: 0.0,
        seconds: None,
        flops_per_second: None,
        memory: Memory::of_parameters(session, &blueprint)?,
        free_memory: free_memory(recipe),
        fits: None,
        remedies: Vec::new(),
        download: recipe.model.weights.as_deref().map_or(Ok(None), hub::missing)?,
    };
    if let Some((tokenizer, _, corpus)) = data {
        corpus.require_training()?;
        crate::train::require_validation(&session.recipe.train, corpus.validation.len())?;
        crate::train::fits(&blueprint, &tokenizer, &corpus)?;
        plan.of_data(session, &blueprint, corpus, &device)?;
    }
    plan.fits = plan.free_memory.map(|free| plan.memory.total() <= free);
    if plan.fits == Some(false) {
        plan.remedies = remedies(recipe, plan.memory.trains_all(), plan.largest_batch);
    }
    Ok(plan)
}

/// What is free on the recipe's device.
fn free_memory(recipe: &Recipe) -> Option<u64> {
    (recipe.backend.name == BackendName::Cpu).then(memory::available).flatten()
}

/// Warns before the weights are loaded if the run takes more memory than is free.
pub(crate) fn warn(session: &Session, blueprint: &Blueprint, corpus: &Corpus) -> Result<()> {
    let Some(free) = free_memory(&session.recipe) else { return Ok(()) };
    let pass = Pass::largest(session, blueprint, &batches(corpus, &session.recipe, 0))?;
    let memory =
        Memory { activations: pass.activations, loss: pass.loss, ..Memory::of_parameters(session, blueprint)? };
    if memory.total() > free {
        let advice = remedies(&session.recipe, memory.trains_all(), (pass.rows, pass.tokens)).join("; ");
        let (needed, free) = (units::bytes(memory.total()), units::bytes(free));
        tracing::warn!("the run takes about {needed} of memory, but {free} are free; to take less: {advice}");
    }
    Ok(())
}

/// Settings that make a plan smaller, by what the recipe has not set yet.
fn remedies(recipe: &Recipe, trains_all: bool, (rows, tokens): (usize, usize)) -> Vec<String> {
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
    } else if recipe.backend.frozen == Frozen::F32 && recipe.model.weights.is_some() {
        all.push("backend.frozen = \"stored\", if the folder has 16-bit weights".to_owned());
    }
    all.push("a smaller model".to_owned());
    all
}

/// Bytes of the weights of the base model and of the adapter, as they are kept.
fn weights(session: &Session, blueprint: &Blueprint) -> Result<u64> {
    let (recipe, trained) = (&session.recipe, blueprint.trained());
    let source = match recipe.backend.frozen {
        Frozen::F32 => None,
        Frozen::Stored => Some(crate::blueprint::source(session)?),
    };
    let bytes = |param: &Param| match &source {
        Some(Source::Folder(folder)) if !trained.iter().any(|t| t.name == param.name) => {
            folder.info(&param.name).and_then(|info| weights::format_of(info.dtype)).map_or(4, Float::size)
        }
        _ => 4,
    };
    let params = blueprint.spec.params.iter().chain(&blueprint.adapted.params);
    Ok(params.map(|param| (bytes(param) * param.len()) as u64).sum())
}

impl Memory {
    /// What the parameters take: their values, gradients and the optimizer's states.
    fn of_parameters(session: &Session, blueprint: &Blueprint) -> Result<Self> {
        let mut memory = Memory { weights: weights(session, blueprint)?, ..Memory::default() };
        let optimizer = session.optimizer()?;
        let params: Vec<_> = blueprint.trained().into_iter().cloned().collect();
        memory.gradients = params.iter().map(|param| 4 * param.len() as u64).sum();
        let opened = optimizer.open(&params)?;
        let states = opened.states().iter().flatten();
        memory.optimizer = states.map(|s| 4 * s.shape.iter().product::<usize>() as u64).sum();
        Ok(memory)
    }

    /// Whether what is trained is most of the model.
    fn trains_all(&self) -> bool {
        self.gradients > self.weights / 2
    }
}

/// The largest forward pass of a run.
#[derive(Default)]
struct Pass {
    rows: usize,
    tokens: usize,
    /// Floating-point operations, forward and backward.
    flops: u64,
    /// Bytes that are kept for the backward pass.
    activations: u64,
    /// Bytes of the logits and of what the loss makes of them.
    loss: u64,
}

impl Pass {
    fn largest(session: &Session, blueprint: &Blueprint, batches: &Batches) -> Result<Self> {
        let Blueprint { model, spec, adapted } = blueprint;
        let train = &session.recipe.train;
        let (rows, tokens) = (train.batch_size.min(batches.rows.len()), batches.longest());
        if rows == 0 || tokens == 0 {
            return Ok(Self { rows, tokens, ..Self::default() });
        }
        let host = MetaHost::new(spec, Some(session.adapter()?), rows, tokens)?;
        meta::forward(model, &host, spec)?;
        let cost = host.cost();
        // Frozen weights need no gradient of their own: one backward product instead of two.
        let back = if adapted.trained.is_empty() { 2 } else { 3 };
        let logits = (rows * tokens * spec.vocab_size) as u64;
        let activations = cost.elements.saturating_sub(logits);
        let kept = match train.activation_checkpointing {
            false => activations,
            true => {
                let inputs = (spec.blocks + 1) * rows * tokens * spec.hidden_size;
                inputs as u64 + activations / spec.blocks.max(1) as u64
            }
        };
        // Logits are held in parts of at most 16 Mi numbers; shifted, exponentiated and differentiated.
        let loss = 4 * 4 * logits.min(1 << 24);
        Ok(Self { rows, tokens, flops: cost.flops * back, activations: 4 * kept, loss })
    }
}

impl Plan {
    fn of_data(&mut self, session: &Session, blueprint: &Blueprint, corpus: Corpus, device: &Device) -> Result<()> {
        let train = &session.recipe.train;
        let batches = batches(&corpus, &session.recipe, 0);
        self.steps_per_epoch = batches.steps_per_epoch() as u64;
        self.steps = total_steps(train, self.steps_per_epoch);
        let validation = corpus.validation.len();
        let idle = crate::train::idle(train, self.steps, self.steps_per_epoch, validation);
        idle.iter().for_each(|text| tracing::warn!("{text}"));
        self.supervised_tokens = corpus.report.train.supervised_tokens as u64;
        self.padding = Padding::of(&batches, &corpus, &session.recipe);
        let pass = Pass::largest(session, blueprint, &batches)?;
        self.largest_batch = (pass.rows, pass.tokens);
        (self.memory.activations, self.memory.loss) = (pass.activations, pass.loss);
        self.flops_per_step = pass.flops * train.gradient_accumulation as u64;
        self.data = Some(corpus.report);
        if pass.flops > 0 {
            self.time(pass, device);
        }
        Ok(())
    }

    /// Estimates the duration from the tokens of an epoch, padding included, and a short measurement.
    fn time(&mut self, pass: Pass, device: &Device) {
        let tokens = self.data.as_ref().map_or(0, |data| data.train.tokens) as f64;
        let computed = tokens / (1.0 - self.padding.set).max(0.01);
        let epochs = self.steps as f64 / self.steps_per_epoch.max(1) as f64;
        self.flops = pass.flops as f64 / (pass.rows * pass.tokens) as f64 * computed * epochs;
        self.flops_per_second = device.flops_per_second();
        self.seconds = self.flops_per_second.map(|speed| self.flops / speed);
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = if self.fits == Some(false) { ", but its run does not fit into memory" } else { "" };
        writeln!(f, "{}: the recipe is sound{verdict}", self.name)?;
        let (all, trained) = (units::count(self.parameters), units::count(self.trained_parameters));
        writeln!(f, "parameters   {all}, of which {trained} are trained ({:.3} %)", self.trained_percent)?;
        if let Some(data) = &self.data {
            writeln!(f, "{data}")?;
            self.course(f)?;
        }
        if let Some(Missing { id, bytes }) = &self.download {
            let size = bytes.map(|bytes| format!(", {}", units::bytes(bytes))).unwrap_or_default();
            writeln!(f, "weights      of {id}{size}, are not downloaded yet; training will")?;
        }
        let m = &self.memory;
        let free = self.free_memory.map(|free| format!("; {} are free", units::bytes(free))).unwrap_or_default();
        writeln!(f, "memory       about {}{free}", units::bytes(m.total()))?;
        let parts = [
            ("weights", m.weights),
            ("gradients", m.gradients),
            ("optimizer", m.optimizer),
            ("activations", m.activations),
            ("loss", m.loss),
        ];
        let parts = parts.map(|(name, bytes)| format!("{name} {}", units::bytes(bytes)));
        write!(f, "             {}", parts.join(", "))?;
        if !self.remedies.is_empty() {
            write!(f, "\nto take less {}", self.remedies.join("\n             "))?;
        }
        Ok(())
    }
}

impl Plan {
    /// Steps, padding, computation and time.
    fn course(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (steps, epoch, tokens) = (self.steps, self.steps_per_epoch, self.supervised_tokens);
        writeln!(f, "steps        {steps} in all, {epoch} an epoch; {tokens} supervised tokens an epoch")?;
        let Padding { set, plain, grouped, packed } = self.padding;
        let [set, plain, grouped, packed] =
            [set, plain, grouped, packed].map(|share| format!("{:.1} %", 100.0 * share));
        writeln!(f, "padding      {set} of the tokens in batches; with neither {plain},")?;
        writeln!(f, "             with group_by_length {grouped}, with packing {packed}")?;
        let (rows, time) = self.largest_batch;
        let step = units::flop(self.flops_per_step as f64);
        writeln!(f, "computation  {step} a step at most ({rows} x {time} tokens a pass)")?;
        if let (Some(seconds), Some(speed)) = (self.seconds, self.flops_per_second) {
            let (time, all, speed) = (units::duration(seconds), units::flop(self.flops), units::flop(speed));
            writeln!(f, "time         about {time}, an estimate: {all} in all, at a measured {speed} a second")?;
        }
        Ok(())
    }
}
