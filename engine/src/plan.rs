//! The plan of a run: what it would train, for how long and with how much memory, before anything is allocated.

pub use crate::budget::Memory;

use crate::{
    budget::{Pass, flops, free_memory, kept, remedies},
    build::{Placement, blueprint::Blueprint},
    objective::teacher,
    pipeline::{batches, examples, fits, total_steps},
    run::RunFolder,
    schedule::Curve,
    scoring,
    session::Session,
    units, unused,
};
use framework_base::{Error, Result};
use framework_core::Param;
use framework_executor::Device;
use framework_hub as hub;
use framework_hub::Missing;
use framework_recipe::{Recipe, Train};
use framework_text::data::{Batches, Corpus, DataReport, Progress};
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
    /// What the precision comes to on this device; none for 32 bits.
    pub precision: Option<String>,
    /// Estimated memory by part when most of it is taken, in bytes.
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

/// Plans a checked recipe: reads its data and its configuration, runs the model on shapes, and opens the device.
pub fn plan(session: &Session, progress: &mut dyn FnMut(Progress)) -> Result<Plan> {
    plan_of(session, progress).map_err(|e| session.placed(e))
}

fn plan_of(session: &Session, progress: &mut dyn FnMut(Progress)) -> Result<Plan> {
    let recipe = &session.recipe;
    let place = Placement::open(&recipe.backend)?;
    let device = &place.device;
    RunFolder::check_output(&recipe.output)?;
    scoring::check(session)?;
    if !recipe.dataset.is_empty() {
        recipe.check_trainable()?;
    }
    let data = match recipe.dataset.is_empty() {
        true => Ok(None),
        false => examples(session, progress).map(Some),
    };
    let (blueprint, data) = Error::both(Blueprint::of(session), data)?;
    blueprint.try_out(session)?;
    unused::warn(session, unused::by_plan(recipe, &blueprint, device));
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
        precision: place.precision(),
        memory: Memory::of_parameters(session, &blueprint)?,
        free_memory: free_memory(recipe),
        fits: None,
        remedies: Vec::new(),
        download: recipe.model.weights.as_deref().map_or(Ok(None), hub::missing)?,
    };
    if let Some((tokenizer, _, corpus)) = data {
        corpus.require_training()?;
        unused::require_validation(&session.recipe.train, corpus.validation.len())?;
        unused::warn(session, unused::by_validation(recipe, &corpus.validation));
        fits(&blueprint, &tokenizer, &corpus)?;
        teacher::check(session, &tokenizer, &corpus)?;
        plan.of_data(session, &blueprint, corpus, device)?;
    }
    plan.fits = plan.free_memory.map(|free| plan.memory.needed() <= free);
    if plan.fits == Some(false) {
        plan.remedies = remedies(recipe, &kept(session, &blueprint)?, plan.memory.trains_all(), plan.largest_batch);
    }
    Ok(plan)
}

impl Plan {
    fn of_data(&mut self, session: &Session, blueprint: &Blueprint, corpus: Corpus, device: &Device) -> Result<()> {
        let train = &session.recipe.train;
        let batches = batches(&corpus, &session.recipe, 0);
        self.steps_per_epoch = batches.steps_per_epoch() as u64;
        self.steps = total_steps(train, self.steps_per_epoch);
        let validation = corpus.validation.len();
        let idle = unused::idle(train, self.steps, self.steps_per_epoch, validation);
        idle.iter().for_each(|text| tracing::warn!("{text}"));
        Curve::new(train, session.optimizer()?.learning_rate()?, self.steps)?;
        self.supervised_tokens = corpus.report.train.supervised_tokens as u64;
        self.padding = Padding::of(&batches, &corpus, &session.recipe);
        let pass = Pass::largest(session, blueprint, &batches)?;
        self.largest_batch = (pass.rows, pass.tokens);
        self.memory = self.memory.clone().at_most(&pass);
        self.flops_per_step = pass.flops * train.gradient_accumulation as u64;
        let padding = batches.padding();
        self.data = Some(corpus.report);
        if pass.flops > 0 {
            self.time(pass, padding, device);
        }
        Ok(())
    }

    /// Estimates the duration from the tokens of an epoch, padding included, and a short measurement.
    fn time(&mut self, pass: Pass, padding: (usize, usize), device: &Device) {
        let tokens = self.data.as_ref().map_or(0, |data| data.train.tokens);
        let epochs = self.steps as f64 / self.steps_per_epoch.max(1) as f64;
        self.flops = flops(&pass, tokens, padding, epochs);
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
        if let Some(precision) = &self.precision {
            writeln!(f, "precision    {precision}")?;
        }
        let m = &self.memory;
        let free = self.free_memory.map(|free| format!("; {} are free", units::bytes(free))).unwrap_or_default();
        writeln!(f, "memory       about {}{free}", units::bytes(m.total()))?;
        let parts = [
            ("weights", m.weights),
            ("gradients", m.gradients),
            ("optimizer", m.optimizer),
            ("activations", m.activations),
            ("working", m.working),
            ("program and data", m.program),
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
