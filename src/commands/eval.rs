use crate::cli::{TextFormat, overrides, print_json};
use framework_engine::{
    Error, PluginSources, Result,
    evaluate::{self, Outcome},
    files,
    scoring::Answered,
};
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Evaluate the untrained model of a recipe, a finished run, or a model folder: loss, perplexity, token accuracy, and
/// metrics of answers.
#[derive(clap::Args)]
pub struct Eval {
    /// A recipe or a run's folder.
    #[arg(required_unless_present = "model", conflicts_with_all = ["model", "adapter"])]
    target: Option<PathBuf>,
    /// A model folder.
    #[arg(long, requires = "text")]
    model: Option<PathBuf>,
    /// A PEFT adapter folder for the model.
    #[arg(long, requires = "model")]
    adapter: Option<PathBuf>,
    /// Evaluate on this text file instead of the validation data, without metrics of answers.
    #[arg(long, conflicts_with_all = ["metrics", "answers", "limit"])]
    text: Option<PathBuf>,
    /// Answer the validation prompts with the settings of `[generate]`, and compute these metrics against the
    /// references: bleu, chrf, rouge-l, … Default: `report.metrics`.
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    metrics: Option<Vec<String>>,
    /// Answer only the first N prompts.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
    /// Write prompts, answers and references to this file, as JSON lines.
    #[arg(long, value_name = "FILE", requires = "metrics")]
    answers: Option<PathBuf>,
    /// Cut sequences after N tokens; the same as --set prompt.max_length=N.
    #[arg(long, value_name = "N")]
    max_length: Option<usize>,
    /// Override a key of the recipe; may be given several times.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Compute on cpu, wgpu or cuda.
    #[arg(long)]
    backend: Option<String>,
    #[arg(long, value_enum, default_value_t)]
    format: TextFormat,
}

impl Eval {
    pub fn run(&self, sources: &PluginSources) -> Result<ExitCode> {
        let mut set = overrides(&self.set, self.backend.as_ref());
        set.extend(self.max_length.map(|tokens| format!("prompt.max_length={tokens}")));
        // JSON's strings are TOML's.
        set.extend(self.metrics.iter().map(|names| format!("report.metrics={}", serde_json::json!(names))));
        let outcome = match (&self.target, &self.model, &self.text) {
            (None, Some(model), Some(text)) => {
                evaluate::of_folders(model, self.adapter.as_deref(), text, &set, sources)?
            }
            (Some(target), _, text) => {
                let limit = self.limit.unwrap_or(0) as usize;
                evaluate::of_recipe_or_run(target, text.as_deref(), limit, &set, sources, &mut |done, all| {
                    tracing::info!("{done} of {all} prompts are answered");
                })?
            }
            _ => unreachable!("clap asks for one of them"),
        };
        if let Some(file) = &self.answers {
            write(file, &outcome.answers)?;
        }
        if self.format == TextFormat::Json {
            return print_json(&outcome);
        }
        print(&outcome);
        Ok(ExitCode::SUCCESS)
    }
}

fn print(outcome: &Outcome) {
    let evaluation = &outcome.evaluation;
    let named = |name: &str, value: Option<f64>| value.map_or(String::new(), |value| format!("  {name} {value:.4}"));
    let (perplexity, accuracy) = (named("perplexity", evaluation.perplexity), evaluation.accuracy);
    let accuracy = if evaluation.rewards.is_empty() { named("token accuracy", accuracy) } else { String::new() };
    println!("loss {:.6}{perplexity}{accuracy}  tokens {}", evaluation.loss, evaluation.tokens);
    for (name, value) in &evaluation.rewards {
        println!("{name:15}  {value:.4}");
    }
    let Some(scores) = &outcome.scores else { return };
    let split = serde_json::to_value(scores.segmentation).unwrap_or_default();
    println!("{} examples answered, split into {}", scores.examples, split.as_str().unwrap_or_default());
    let width = scores.metrics.keys().map(String::len).max().unwrap_or(0);
    for (name, value) in &scores.metrics {
        let value = value.as_f64().map_or("not defined: no reference has it".to_owned(), |value| format!("{value:.4}"));
        println!("{name:width$}  {value}");
    }
}

fn write(file: &Path, answers: &[Answered]) -> Result<()> {
    let line = |one: &Answered| serde_json::to_string(one).map(|line| line + "\n");
    let text = answers.iter().map(line).collect::<std::result::Result<String, _>>();
    files::write_bytes(file, text.map_err(|e| Error::failed(e.to_string()))?.as_bytes())
}
