//! What every plugin of a kind must do, checked through the boundary and without a backend.
//!
//! One implementation serves the test kit of plugin authors, `framework check-plugin`, and the framework's own tests.
//! Each function returns an error that says what is wrong; `label` is the plugin's name in it.

mod about;
mod compute;
mod data;
mod decode;
mod numbers;
mod toy;

pub use about::{defaults, documentation, example, table};
pub use compute::{adapter, model, optimizer};
pub use data::{augmenter, dataset, sample};
pub use decode::{decode, decoder};
pub use numbers::{
    CACHED, CHECKPOINTED, GRADIENTS, MERGED, PACKED, STARTED, numbers, smaller, why_uncached, why_unpacked,
};
pub use toy::{everything, toy, toy_spec};

use crate::{About, Kind, PluginError, Result, ffi::Build};
use serde::Serialize;
use serde_json::{Value, json};

/// How a check went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase", tag = "outcome", content = "why")]
pub enum Outcome {
    /// As it should be.
    Passed,
    /// Wrong, and why.
    Failed(String),
    /// Not tried, and why.
    Skipped(String),
}

/// A check and how it went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was checked.
    pub check: &'static str,
    /// How it went.
    #[serde(flatten)]
    pub outcome: Outcome,
}

impl Finding {
    /// A check that passed if `result` is fine. The plugin is not named again: findings stand below its name.
    pub fn of<T>(check: &'static str, result: Result<T>) -> Self {
        let outcome = match result {
            Ok(_) => Outcome::Passed,
            Err(e) => Outcome::Failed(PluginError { plugin: None, ..e }.to_string()),
        };
        Self { check, outcome }
    }

    /// A check, unless there is a reason not to make it.
    pub fn unless<T>(check: &'static str, why_not: Option<&str>, result: impl FnOnce() -> Result<T>) -> Self {
        why_not.map_or_else(|| Self::of(check, result()), |why| Self::skipped(check, why))
    }

    /// A check that could not be made.
    pub fn skipped(check: &'static str, why: impl Into<String>) -> Self {
        Self { check, outcome: Outcome::Skipped(why.into()) }
    }
}

fn wrong(label: &str, message: impl Into<String>) -> PluginError {
    PluginError::new(message).in_plugin(label)
}

/// Everything that can be checked of a plugin without knowing what it is for: its documentation, its example, its
/// defaults, and a run on made-up input.
pub fn check(about: &About, build: &Build, label: &str) -> Vec<Finding> {
    let mut findings = vec![Finding::of("documentation", documentation(about))];
    let options = example(about);
    findings.push(Finding::of("example", options.clone()));
    let Ok(options) = options else {
        return findings;
    };
    let filled = defaults(about, build, label, &options);
    let buildable = filled.is_ok();
    findings.push(Finding::of("options", filled));
    if buildable {
        findings.push(run(about, build, label, &options));
    }
    findings
}

fn run(about: &About, build: &Build, label: &str, options: &Value) -> Finding {
    // Made-up input may be refused, if in so many words; what is accepted must be dealt with properly.
    let refused = |check, e: &PluginError| {
        (!e.is_fault()).then(|| Finding::skipped(check, format!("refuses made-up input: {}", e.message)))
    };
    match about.kind {
        Kind::Dataset => match sample(build, label, options) {
            Err(e) if !e.is_fault() => {
                let why = format!("its example cannot be read here ({}); `framework preview` tries files", e.message);
                Finding::skipped("read", why)
            }
            read => Finding::of("read", read),
        },
        Kind::Augmenter => {
            let check = "augment";
            match augmenter(build, label, options, &sample_records(), 1) {
                Err(e) => refused(check, &e).unwrap_or_else(|| Finding::of::<()>(check, Err(e))),
                Ok(_) => Finding::of(check, Ok(())),
            }
        }
        Kind::Model => Finding::of("forward", model(build, label, options)),
        Kind::Adapter => {
            let (check, spec) = ("attach", toy_spec());
            match build.adapter(label, options).and_then(|a| a.plan(&spec)) {
                Err(e) => refused(check, &e).unwrap_or_else(|| Finding::of::<()>(check, Err(e))),
                Ok(_) => Finding::of(check, toy().and_then(|model| adapter(build, label, options, &model))),
            }
        }
        Kind::Optimizer => Finding::of("update", optimizer(build, label, options)),
        Kind::Decoder => Finding::of("decode", decoder(build, label, options)),
    }
}

/// Records with all the fields that are usual.
fn sample_records() -> Vec<crate::Record> {
    let record = |i: usize| {
        let (question, answer) = (format!("What is {i} plus {i}?"), format!("It is {}.", 2 * i));
        let messages = json!([{"role": "user", "content": question}, {"role": "assistant", "content": answer}]);
        json!({"instruction": question, "input": "", "output": answer, "text": answer, "messages": messages})
    };
    (1..=5).filter_map(|i| record(i).as_object().cloned()).collect()
}
