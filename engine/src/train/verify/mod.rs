//! Whether training gives the same bits again: after an interruption, and as a run has recorded it.

mod checkpoints;
mod compare;
mod recorded;
mod resume;
mod run;
mod tensors;

pub use compare::{Difference, Part};
pub use resume::resume;
pub use run::run;

use super::{Event, Prepared, Preparing, train_loop::TrainLoop};
use crate::{
    run::{Change, RunFolder},
    session::Session,
};
use framework_base::{Error, Result};
use framework_recipe::{Every, EveryName};
use serde::Serialize;
use tempfile::TempDir;

/// What was compared, and whether it was the same.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Whether everything that was compared is equal.
    pub equal: bool,
    /// Steps that were trained.
    pub steps: u64,
    /// Steps of the whole run, which the learning rate follows.
    pub total: u64,
    /// The step after which the second training was interrupted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interrupted: Option<u64>,
    /// What is not as the run's lock says.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Change>,
    /// What else to know when something differs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Line by line, what was compared.
    pub compared: Vec<Part>,
}

/// What happens during a verification.
#[derive(Debug)]
pub enum VerifyEvent<'a> {
    /// Data and weights are being read.
    Preparing(Preparing),
    /// What follows, in a sentence.
    Phase(String),
    /// Something happens in a training.
    Train(&'a Event<'a>),
    /// The training in this folder was interrupted and is about to be resumed.
    Interrupted(&'a RunFolder),
}

/// Whoever watches.
pub type Watcher<'a> = &'a mut dyn FnMut(&VerifyEvent);

/// A folder for trainings that goes away with them.
struct Scratch(TempDir);

impl Scratch {
    fn new() -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("framework-verify-").tempdir();
        folder.map(Self).map_err(|e| Error::io("create a folder in", &std::env::temp_dir(), e))
    }

    /// Turns a recipe's run into one that leaves nothing but what is compared.
    fn redirect(&self, session: &mut Session) {
        let recipe = &mut session.recipe;
        recipe.output = self.0.path().join("run");
        (recipe.report.html, recipe.report.tensorboard) = (false, false);
        recipe.generate.prompts.clear();
        recipe.train.keep_checkpoints = 1;
        recipe.train.save_every = Every::Named(EveryName::End);
    }

    fn run(&self, name: &str) -> Result<RunFolder> {
        RunFolder::create(&self.0.path().join(name)).map(|(run, ..)| run)
    }
}

/// A stretch of training: where it ended, and the losses of its steps.
struct Stretch {
    step: u64,
    total: u64,
    losses: Vec<f64>,
}

/// Trains from where a folder's run is to a step, or to the run's end if that comes first, and writes a checkpoint there.
/// `each` sees the run after each step. None if `stop` said so.
fn train_to(
    prepared: &Prepared,
    run: &RunFolder,
    (from, to): (u64, u64),
    stop: &dyn Fn() -> bool,
    observe: Watcher,
    each: &mut dyn FnMut(&TrainLoop) -> Result<()>,
) -> Result<Option<Stretch>> {
    let mut tell = |text| observe(&VerifyEvent::Train(&Event::Message(text)));
    let mut train = TrainLoop::new(prepared, run.clone(), &mut tell)?;
    if train.state.step != from {
        let found = train.state.step;
        return Err(Error::failed(format!("the checkpoint of step {from} was not resumed, but that of step {found}")));
    }
    let (to, total) = (to.min(train.total), train.total);
    observe(&VerifyEvent::Train(&Event::Begin { step: from, total: to }));
    let mut losses = Vec::new();
    while train.state.step < to && !train.is_over() {
        train.advance(&mut |event| {
            if let Event::Step { loss, .. } = event {
                losses.push(*loss);
            }
            observe(&VerifyEvent::Train(event));
        })?;
        each(&train)?;
        if stop() {
            return Ok(None);
        }
    }
    train.save_once()?;
    Ok(Some(Stretch { step: train.state.step, total, losses }))
}
