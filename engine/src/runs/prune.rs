//! Removes old checkpoints of runs.

use super::entry::{RunEntry, RunState};
use crate::run::{self, Hold, RunFolder};
use framework_base::{Error, Problem, Result, files};
use serde::Serialize;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// What was, or would be, removed of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Pruned {
    /// The run's folder.
    pub run: PathBuf,
    /// Steps of the checkpoints that are removed, ascending.
    pub removed: Vec<u64>,
    /// Steps of those that stay.
    pub kept: Vec<u64>,
    /// Bytes of those that are removed.
    pub bytes: u64,
    /// Folders that are named like checkpoints but hold other files, which stay.
    pub foreign: Vec<PathBuf>,
}

/// Removes the checkpoints of runs but for the newest `keep` of each and the best one; with `keep` 0, of a run that has come
/// to its end, all of them. With `dry`, nothing is removed.
///
/// # Errors
/// Before anything is removed: a folder that no run has written, a run that another process is training, a run that could
/// not go on without its checkpoints.
pub fn prune(runs: &[PathBuf], keep: usize, dry: bool) -> Result<Vec<Pruned>> {
    let mut plans = Ok(Vec::new());
    for root in runs {
        plans = Error::both(plans, plan(root, keep, dry)).map(|(mut all, one): (Vec<_>, _)| {
            all.push(one);
            all
        });
    }
    let mut done = Vec::new();
    for (pruned, folder, _held) in plans? {
        for path in pruned.removed.iter().map(|&step| folder.checkpoint(step)).filter(|_| !dry) {
            fs::remove_dir_all(&path).map_err(|e| Error::io("remove", &path, e))?;
        }
        done.push(pruned);
    }
    Ok(done)
}

type Plan = (Pruned, RunFolder, Option<Hold>);

fn plan(root: &Path, keep: usize, dry: bool) -> Result<Plan> {
    let shown = root.display();
    let folder = RunFolder::open(root)?;
    let wrong = |message: String, help: &str| Err(Error::invalid(Problem::new(message).help(help)));
    if !run::is_run(root) {
        return wrong(
            format!("no run has written {shown}: its lock.toml is missing or damaged"),
            "Give a run's folder.",
        );
    }
    let busy = "Wait until it ends; it keeps as many checkpoints as `train.keep_checkpoints` says.";
    let state = RunEntry::of(root).state;
    if state == RunState::Running {
        return wrong(format!("another process is training into {shown}"), busy);
    }
    if keep == 0 && state != RunState::Finished {
        let message = format!("the run in {shown} has not come to its end, and could not go on without a checkpoint");
        return wrong(message, "Keep one: --keep 1.");
    }
    let held = if dry { None } else { Some(Hold::of(root)?) };
    let whole = folder.checkpoints().symlink_metadata().is_ok_and(|about| about.is_dir());
    let steps = if whole { folder.checkpoint_steps() } else { Vec::new() };
    let (steps, foreign): (Vec<_>, Vec<_>) =
        steps.into_iter().partition(|&step| run::is_checkpoint(&folder.checkpoint(step)));
    let best = folder.best_step().filter(|_| keep > 0);
    let newest = &steps[steps.len().saturating_sub(keep)..];
    let (kept, removed): (Vec<_>, Vec<_>) =
        steps.iter().partition(|step| newest.contains(step) || Some(**step) == best);
    let bytes = removed.iter().map(|&step| files::size(&folder.checkpoint(step))).sum();
    let foreign = foreign.into_iter().map(|step| folder.checkpoint(step)).collect();
    Ok((Pruned { run: root.to_owned(), removed, kept, bytes, foreign }, folder, held))
}
