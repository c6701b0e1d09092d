//! Training.

mod checkpoint;
mod course;
mod export;
mod finish;
mod optimize;
mod prepare;
mod schedule;
mod state;

pub(crate) use course::{batches, total_steps};
pub use finish::Summary;
pub use optimize::Stepper;
pub use prepare::{Prepared, prepare};
pub(crate) use prepare::{augmenters, encoder, examples, fits, inputs, model_type, sources, tokenizer};
pub use schedule::factor;
pub use state::State;

use crate::{
    error::{Error, Problem, Result},
    files,
    run::{LogFile, Metrics, RunFolder},
};
use course::Course;
use std::path::PathBuf;

/// What happens during training, for whoever watches.
#[derive(Debug)]
pub enum Event<'a> {
    /// Something to tell.
    Message(String),
    /// Training begins at a step, of a total.
    Begin {
        /// Steps done before, when resumed.
        step: u64,
        /// Steps in all.
        total: u64,
    },
    /// A step is done.
    Step {
        /// Steps done.
        step: u64,
        /// Mean loss per supervised token of this step.
        loss: f64,
    },
    /// A line of `metrics.jsonl`.
    Metrics(&'a Metrics),
    /// Sampled answers: prompts and texts.
    Samples(&'a [(String, String)]),
    /// Training is over.
    End(&'a Summary),
}

/// Whoever watches.
pub type Observer<'a> = &'a mut dyn FnMut(&Event);

/// Trains what was prepared, from the beginning or, with `resume`, from the last whole checkpoint.
pub fn train(prepared: &Prepared, resume: bool, observe: Observer) -> Result<Summary> {
    let root = PathBuf::from(&prepared.session.recipe.output);
    let existing = if resume && root.join("recipe.toml").is_file() { Some(RunFolder::open(&root)?) } else { None };
    let (run, kept) = match existing {
        Some(run) => {
            same_run(&run, prepared)?;
            files::clear_unfinished(run.root());
            files::clear_unfinished(&run.checkpoints());
            (run, None)
        }
        None => RunFolder::create(&root)?,
    };
    // What checkpoints were made of stays as it is written there.
    if checkpoint::steps(&run).is_empty() {
        prepared.describe(&run)?;
    }
    let log = LogFile::open(&run.log())?;
    let mut observe = |event: &Event| {
        if let Some(line) = line(event) {
            log.line(&line);
        }
        observe(event);
    };
    if let Some(kept) = kept {
        observe(&Event::Message(format!("the earlier run was kept as {}", kept.display())));
    }
    Course::new(prepared, run)?.run(&mut observe)
}

/// An event as the log has it.
fn line(event: &Event) -> Option<String> {
    match event {
        Event::Message(text) => Some(text.clone()),
        Event::Begin { step, total } => Some(format!("training from step {step} to {total}")),
        Event::Step { .. } => None,
        Event::Metrics(metrics) => serde_json::to_string(metrics).ok(),
        Event::Samples(samples) => Some(format!("{} answers sampled", samples.len())),
        Event::End(summary) => serde_json::to_string(summary).ok(),
    }
}

/// Refuses to go on with a run that was made of something else, naming the keys that differ.
fn same_run(run: &RunFolder, prepared: &Prepared) -> Result<()> {
    let saved = std::fs::read_to_string(run.recipe()).map_err(|e| Error::io("read", &run.recipe(), e))?;
    let now = prepared.session.recipe.to_toml();
    if saved == now {
        return Ok(());
    }
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    let (saved, now) = (lines(&saved), lines(&now));
    let changed: Vec<_> =
        now.iter().filter(|line| !saved.contains(line)).take(5).map(|line| line.trim().to_owned()).collect();
    let message =
        format!("{} was begun with another recipe; now it says: {}", run.root().display(), changed.join(", "));
    Err(Error::invalid(Problem::new(message).help(
        "Resume with the same recipe and --set options, or leave out --resume: the earlier run is then kept under another name.",
    )))
}
