use crate::cli::{TextFormat, overrides, print_json};
use framework_engine::{PluginSources, Result, evaluate};
use std::{path::PathBuf, process::ExitCode};

/// Evaluate a recipe's model as it starts, a run's as it ended, or a model folder, by loss and perplexity.
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
    /// Evaluate on this text instead of the validation data.
    #[arg(long)]
    text: Option<PathBuf>,
    /// Cut sequences at this many tokens; the same as --set prompt.max_length=N.
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
        let outcome = match (&self.target, &self.model, &self.text) {
            (None, Some(model), Some(text)) => {
                evaluate::of_folders(model, self.adapter.as_deref(), text, &set, sources)?
            }
            (Some(target), _, text) => evaluate::of_recipe_or_run(target, text.as_deref(), &set, sources)?,
            _ => unreachable!("clap asks for one of them"),
        };
        if self.format == TextFormat::Json {
            return print_json(&outcome);
        }
        let accuracy = outcome.accuracy.map_or(String::new(), |share| format!("  accuracy {share:.4}"));
        println!("loss {:.6}  perplexity {:.4}{accuracy}  tokens {}", outcome.loss, outcome.perplexity, outcome.tokens);
        Ok(ExitCode::SUCCESS)
    }
}
