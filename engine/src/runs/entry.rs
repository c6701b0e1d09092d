//! What is known of a run from its folder alone.

use crate::{
    run::{self, Facts, Hold, RunFolder, Summary, read_metrics},
    units,
};
use framework_base::files;
use serde::Serialize;
use std::{
    fmt, fs,
    path::{Path, PathBuf},
};

/// Whether a run goes on, and how it has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RunState {
    /// A process is training it.
    Running,
    /// It has come to its end.
    Finished,
    /// An error has ended it.
    Failed,
    /// It was stopped or killed, and can go on from its newest checkpoint.
    Interrupted,
}

impl fmt::Display for RunState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Running => "running",
            Self::Finished => "finished",
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
        })
    }
}

/// The lowest validation loss of a run.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Best {
    /// Mean loss per supervised token.
    pub loss: f64,
    /// The step after which it was measured.
    pub step: u64,
}

/// A run in a list.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunEntry {
    /// Its folder.
    pub run: PathBuf,
    /// Whether it goes on.
    pub state: RunState,
    /// Optimizer steps that are known to be done.
    pub step: u64,
    /// Optimizer steps in all, as planned when it began; those that were done if it has come to its end.
    pub steps: Option<u64>,
    /// The last training loss.
    #[serde(with = "run::number::maybe")]
    pub loss: Option<f64>,
    /// The lowest validation loss, if there was any that is finite.
    pub best: Option<Best>,
    /// Steps of its checkpoints, ascending.
    pub checkpoints: Vec<u64>,
    /// Size of its files.
    pub bytes: u64,
    /// When it wrote its log last, in UTC: `2026-01-31T12:00:00Z`.
    pub changed: Option<String>,
    /// The error that has ended it.
    pub error: Option<String>,
}

impl RunEntry {
    /// Looks into a run's folder. What is missing or damaged there is left out.
    pub(super) fn of(root: &Path) -> Self {
        let running = Hold::is_taken(root);
        let run = RunFolder::open(root);
        let (metrics, summary, facts, checkpoints) = match &run {
            Ok(run) => (
                read_metrics(&run.metrics()).unwrap_or_default(),
                Summary::read(run),
                Facts::read(run),
                run.checkpoint_steps(),
            ),
            Err(_) => Default::default(),
        };
        let log = fs::read_to_string(root.join("train.log")).unwrap_or_default();
        let last = log.lines().rev().find_map(entry);
        let error = last.and_then(|(_, text)| text.strip_prefix("error: "));
        let logged = metrics.iter().map(|line| line.step).chain(checkpoints.iter().copied()).max().unwrap_or(0);
        // With more epochs, a run goes on after its end.
        let summary = summary.filter(|summary| summary.steps >= logged && !running);
        let step = summary.as_ref().map_or(logged, |summary| summary.steps);
        let state = match () {
            () if running => RunState::Running,
            () if summary.is_some() => RunState::Finished,
            () if error.is_some() => RunState::Failed,
            () => RunState::Interrupted,
        };
        let planned = facts.map(|facts| facts.expected.steps).filter(|planned| *planned >= step && *planned > 0);
        let evaluated = metrics.iter().filter_map(|line| Some(Best { loss: line.eval_loss?, step: line.step }));
        Self {
            run: root.to_owned(),
            state,
            step,
            steps: summary.as_ref().map(|summary| summary.steps).or(planned),
            loss: metrics
                .iter()
                .rev()
                .find_map(|line| line.loss)
                .or(summary.as_ref().and_then(|summary| summary.train_loss)),
            best: evaluated.filter(|best| best.loss.is_finite()).min_by(|a, b| a.loss.total_cmp(&b.loss)),
            checkpoints,
            bytes: files::size(root),
            changed: last.map(|(time, _)| time.to_owned()),
            error: error.filter(|_| state == RunState::Failed).map(str::to_owned),
        }
    }

    pub(super) fn cells(&self) -> [String; 8] {
        let steps = self.steps.map_or("?".into(), |steps| steps.to_string());
        let dash = || "-".to_owned();
        let checkpoints = match self.checkpoints.as_slice() {
            [] => dash(),
            steps => steps.iter().map(u64::to_string).collect::<Vec<_>>().join(" "),
        };
        [
            self.run.display().to_string(),
            self.state.to_string(),
            format!("{}/{steps}", self.step),
            self.loss.map_or_else(dash, |loss| format!("{loss:.4}")),
            self.best.map_or_else(dash, |best| format!("{:.4} at {}", best.loss, best.step)),
            checkpoints,
            units::bytes(self.bytes),
            self.changed.clone().unwrap_or_else(dash),
        ]
    }
}

/// Time and text of a line of the log; none for what goes on with an earlier line.
fn entry(line: &str) -> Option<(&str, &str)> {
    let (time, text) = line.split_once(' ')?;
    (time.len() == 20 && time.ends_with('Z') && time.starts_with(|c: char| c.is_ascii_digit())).then_some((time, text))
}
