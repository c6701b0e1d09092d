//! What is in a run's folder.

use super::samples::{Sampled, sampled};
use crate::run::{Facts, Metrics, RunFolder, Summary, read_metrics};
use framework_base::{Error, Result};
use serde_json::Value;

/// What is in a run's folder, as far as it has come.
pub(super) struct Gathered {
    /// The run's name.
    pub name: String,
    /// Its folder, as it was given.
    pub folder: String,
    pub metrics: Vec<Metrics>,
    pub samples: Vec<Sampled>,
    /// Of a run that has come to its end.
    pub summary: Option<Summary>,
    /// Of a run that has written them.
    pub facts: Option<Facts>,
    pub recipe: String,
    /// The recipe's keys and values.
    pub settings: Value,
    pub lock: String,
    pub resumed: String,
}

impl Gathered {
    pub fn of(run: &RunFolder) -> Result<Self> {
        let read = |path: &std::path::Path| std::fs::read_to_string(path).unwrap_or_default();
        let recipe = std::fs::read_to_string(run.recipe()).map_err(|e| Error::io("read", &run.recipe(), e))?;
        let wrong = |e: toml::de::Error| Error::failed(format!("{}: {e}", run.recipe().display()));
        let settings: Value = toml::from_str(&recipe).map_err(wrong)?;
        let metrics = read_metrics(&run.metrics())?;
        // A run that was resumed with more steps has an earlier summary until it ends.
        let last = metrics.last().map_or(0, |line| line.step);
        let summary = Summary::read(run).filter(|summary| summary.steps >= last);
        let prompts = settings["generate"]["prompts"].as_array().into_iter().flatten();
        let prompts: Vec<_> = prompts.filter_map(Value::as_str).collect();
        Ok(Self {
            name: settings["name"].as_str().unwrap_or("run").to_owned(),
            folder: run.root().display().to_string(),
            samples: sampled(&read(&run.samples()), &prompts),
            metrics,
            summary,
            facts: Facts::read(run),
            recipe,
            settings,
            lock: read(&run.lock()),
            resumed: read(&run.resumed()),
        })
    }

    /// How far the run has come, in a sentence.
    pub fn standing(&self) -> String {
        let last = self.metrics.last();
        let when = last.and_then(|line| line.time.as_deref()).map(|time| format!(", {time}")).unwrap_or_default();
        match (&self.summary, last) {
            (Some(summary), _) if summary.stopped_early => {
                format!("stopped early after {} steps{when}", summary.steps)
            }
            (Some(summary), _) => format!("finished after {} steps{when}", summary.steps),
            (None, Some(line)) => format!("at step {}{}{when}", line.step, self.of_total()),
            (None, None) => "no step is done yet".to_owned(),
        }
    }

    fn of_total(&self) -> String {
        self.facts.as_ref().map_or(String::new(), |facts| format!(" of {}", facts.expected.steps))
    }

    /// A number of the lines of metrics by step.
    pub fn points(&self, of: impl Fn(&Metrics) -> Option<f64>) -> Vec<(f64, f64)> {
        self.metrics.iter().filter_map(|line| Some((line.step as f64, of(line)?))).collect()
    }
}

/// The runs' names, each once.
pub(super) fn title(all: &[Gathered]) -> String {
    let mut names: Vec<_> = all.iter().map(|one| one.name.as_str()).collect();
    names.dedup();
    if names.is_empty() { "runs".to_owned() } else { names.join(", ") }
}

/// A name for each run that no other has: its own, or its folder.
pub(super) fn names(all: &[Gathered]) -> Vec<String> {
    let unique = |one: &Gathered| all.iter().filter(|other| other.name == one.name).count() == 1;
    all.iter().map(|one| if unique(one) { one.name.clone() } else { one.folder.clone() }).collect()
}
