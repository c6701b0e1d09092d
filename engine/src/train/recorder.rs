//! What is written for people to look at while a run goes on, from the events of the run.

use super::{Event, live_page::LivePage};
use crate::{
    run::{Metrics, RunFolder},
    session::Session,
};
use framework_base::Result;
use framework_report::tensorboard::{EventFile, Hyper, Status};
use serde_json::Value;
use std::path::PathBuf;

/// Keys and tables whose values are shown as hyper-parameters.
const SETTINGS: [&str; 7] =
    ["seed", "model.plugin", "adapter", "optimizer", "train", "prompt.max_length", "backend.precision"];
/// Numbers that the page of hyper-parameters has columns for.
const RESULTS: [&str; 3] = ["train/loss", "eval/loss", "eval/perplexity"];

/// Writes what a run's `[report]` asks for. That something cannot be written, for example on a full disk, is a warning
/// and does not end the run.
pub(super) struct Recorder {
    folder: Option<PathBuf>,
    name: String,
    settings: Vec<(String, Hyper)>,
    events: Option<EventFile>,
    /// The step that this session has begun after.
    begun: u64,
    page: Option<LivePage>,
}

impl Recorder {
    pub fn new(run: &RunFolder, session: &Session) -> Self {
        let recipe = &session.recipe;
        let folder = recipe.report.tensorboard.then(|| run.tensorboard());
        let filled: Value = toml::from_str(&session.recipe_to_toml()).unwrap_or_default();
        let mut settings = Vec::new();
        for key in SETTINGS {
            let path = key.split('.').try_fold(&filled, |table, name| table.get(name));
            path.into_iter().for_each(|value| flatten(key, value, &mut settings));
        }
        Self { folder, name: recipe.name.clone(), settings, events: None, begun: 0, page: LivePage::of(run, session) }
    }

    pub fn on(&mut self, event: &Event) {
        if let Err(e) = self.write(event) {
            tracing::warn!("{e}; nothing more is written for TensorBoard");
            (self.folder, self.events) = (None, None);
        }
        if let Some(Err(e)) = self.page.as_mut().map(|page| page.on(event)) {
            tracing::warn!("{e}; the report is not written any more");
            self.page = None;
        }
    }

    /// The run has ended with an error.
    pub fn failed(&mut self) {
        if let Some(events) = &mut self.events {
            // The error itself is what the user has to hear of.
            let _ = events.end_session(Status::Failure);
        }
    }

    fn write(&mut self, event: &Event) -> Result<()> {
        if let (Event::Begin { step, .. }, Some(folder)) = (event, &self.folder) {
            let mut events = EventFile::begin(folder, step + 1)?;
            events.begin_session(&self.name, &self.settings, &RESULTS)?;
            (self.begun, self.events) = (*step, Some(events));
        }
        let Some(events) = &mut self.events else { return Ok(()) };
        match event {
            Event::Metrics(metrics) => events.scalars(metrics.step, &scalars(metrics)),
            // Of a run that had come to its end, the earlier session has written them.
            Event::Samples { step, answers } if *step > self.begun => events.texts(*step, &texts(answers)),
            Event::End(_) => events.end_session(Status::Success),
            _ => Ok(()),
        }
    }
}

/// The numbers of a line of metrics, with their tags.
fn scalars(metrics: &Metrics) -> Vec<(String, f64)> {
    let all = [
        ("train/loss", metrics.loss),
        ("train/learning_rate", metrics.learning_rate),
        ("train/grad_norm", metrics.grad_norm),
        ("train/tokens_per_second", metrics.tokens_per_second),
        ("eval/loss", metrics.eval_loss),
        ("eval/perplexity", metrics.perplexity),
        ("eval/accuracy", metrics.eval_accuracy),
    ];
    let all = all.into_iter().filter_map(|(tag, value)| Some((tag.to_owned(), value?)));
    all.chain(metrics.metrics.iter().map(|(name, value)| (format!("eval/{name}"), *value))).collect()
}

/// A text for each prompt, so that TensorBoard shows what becomes of its answer.
fn texts(answers: &[(String, String)]) -> Vec<(String, String)> {
    let text = |(i, (prompt, answer)): (usize, &(String, String))| {
        (format!("samples/{}", i + 1), format!("**{prompt}**\n\n{answer}"))
    };
    answers.iter().enumerate().map(text).collect()
}

/// The values in a table, each with its whole key.
fn flatten(key: &str, value: &Value, into: &mut Vec<(String, Hyper)>) {
    let value = match value {
        Value::Object(table) => {
            return table.iter().for_each(|(name, value)| flatten(&format!("{key}.{name}"), value, into));
        }
        Value::Bool(on) => Hyper::Switch(*on),
        Value::Number(number) => Hyper::Number(number.as_f64().unwrap_or(f64::NAN)),
        Value::String(text) => Hyper::Text(text.clone()),
        other => Hyper::Text(other.to_string()),
    };
    into.push((key.to_owned(), value));
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn tables_become_keys_with_values() {
        let mut found = Vec::new();
        flatten(
            "train",
            &json!({"epochs": 2, "packing": true, "early_stopping": {"patience": 3}, "x": ["a"]}),
            &mut found,
        );
        let expected = [
            ("train.epochs", Hyper::Number(2.0)),
            ("train.packing", Hyper::Switch(true)),
            ("train.early_stopping.patience", Hyper::Number(3.0)),
            ("train.x", Hyper::Text("[\"a\"]".into())),
        ];
        assert_eq!(found, expected.map(|(key, value)| (key.to_owned(), value)));
    }
}
