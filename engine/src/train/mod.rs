//! Training.

mod again;
mod checkpoint;
mod export;
mod finish;
mod live_page;
mod optimize;
mod prepare;
mod recorder;
mod resume;
mod scale;
mod state;
pub mod sweep;
mod train_loop;
pub mod verify;

pub use crate::run::Summary;
pub use optimize::Stepper;
pub use prepare::{Prepared, Preparing, prepare, prepare_locked};
pub use state::State;

use crate::{
    run::{LogFile, Metrics, RunFolder},
    session::Session,
};
use framework_base::{Error, Result};
use recorder::Recorder;
use std::path::PathBuf;
use train_loop::TrainLoop;

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
    /// Something begins that takes time and is no step: evaluating, sampling, saving.
    Phase(&'static str),
    /// A step is done.
    Step {
        /// Steps done.
        step: u64,
        /// Mean loss per supervised token of this step.
        loss: f64,
    },
    /// A line of `metrics.jsonl`.
    Metrics(&'a Metrics),
    /// Sampled answers.
    Samples {
        /// The step after which they were sampled.
        step: u64,
        /// Prompts and texts.
        answers: &'a [(String, String)],
    },
    /// Training is over.
    End(&'a Summary),
}

/// Whoever watches.
pub type Observer<'a> = &'a mut dyn FnMut(&Event);

/// Trains what was prepared, from the beginning or, with `resume`, from the newest checkpoint.
pub fn train(prepared: &Prepared, resume: bool, observe: Observer) -> Result<Summary> {
    let summary = train_until(prepared, resume, &|| false, observe)?;
    summary.ok_or_else(|| Error::failed("the run was stopped"))
}

/// Whether a recipe's run can be resumed, before anything is read: there is one, with a recipe that fits.
pub fn check_resume(session: &Session) -> Result<()> {
    resume::changes(&RunFolder::to_resume(&session.recipe.output)?, session).map(drop)
}

/// As [`train`], until `stop` is true after a step: the run is then saved, and there is no summary.
pub fn train_until(
    prepared: &Prepared,
    resume: bool,
    stop: &dyn Fn() -> bool,
    observe: Observer,
) -> Result<Option<Summary>> {
    let root = PathBuf::from(&prepared.session.recipe.output);
    let (run, _held, kept) = match resume {
        true => {
            let (run, held) = RunFolder::reopen(&root)?;
            (run, held, None)
        }
        false => RunFolder::create(&root).map_err(|e| prepared.session.placed(e))?,
    };
    let changes = if resume { resume::changes(&run, &prepared.session)? } else { Vec::new() };
    let begun = !run.checkpoint_steps().is_empty();
    if begun {
        resume::require(&run, &prepared.lock)?;
    }
    // Nothing has been computed with what was described there.
    if !begun {
        prepared.describe(&run)?;
    }
    let log = LogFile::open(&run.log())?;
    let mut recorder = Recorder::new(&run, &prepared.session);
    let mut observe = |event: &Event| {
        if let Some(line) = line(event) {
            log.line(&line);
        }
        recorder.on(event);
        observe(event);
    };
    if let Some(kept) = kept {
        observe(&Event::Message(format!("the earlier run was kept as {}", kept.display())));
    }
    if resume && !begun {
        observe(&Event::Message("the run has no checkpoint yet: it begins at its first step".into()));
    }
    let outcome = go_on(prepared, run, &changes, stop, &mut observe);
    if let Err(e) = &outcome {
        log.line(&format!("error: {e}"));
        recorder.failed();
    }
    outcome
}

fn go_on(
    prepared: &Prepared,
    run: RunFolder,
    changes: &[resume::Change],
    stop: &dyn Fn() -> bool,
    observe: Observer,
) -> Result<Option<Summary>> {
    let run_loop = TrainLoop::new(prepared, run, &mut |text| observe(&Event::Message(text)))?;
    if run_loop.state.step > 0 && !changes.is_empty() {
        resume::note(&run_loop.run, &prepared.session, run_loop.state.step, changes)?;
        observe(&Event::Message(format!("going on with other settings: {}", resume::sentence(changes))));
    }
    run_loop.run(stop, observe)
}

/// An event as the log has it.
fn line(event: &Event) -> Option<String> {
    match event {
        Event::Message(text) => Some(text.clone()),
        Event::Begin { step, total } => Some(format!("training from step {step} to {total}")),
        Event::Step { .. } | Event::Phase(_) => None,
        Event::Metrics(metrics) => serde_json::to_string(metrics).ok(),
        Event::Samples { answers, .. } => Some(format!("{} answers sampled", answers.len())),
        Event::End(summary) => serde_json::to_string(summary).ok(),
    }
}
