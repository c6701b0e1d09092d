use crate::cli::{TextFormat, overrides, print_json};
use framework_engine::{
    PluginSources, Result,
    compare::{Options, compare},
};
use std::{path::PathBuf, process::ExitCode};

/// Compare models by their answers to the same prompts, with metrics and confidence intervals. A single run is compared
/// with its base model.
#[derive(clap::Args)]
pub struct Compare {
    /// Runs' folders, model folders or ids on the hub.
    #[arg(required = true, value_name = "RUN|DIR")]
    targets: Vec<PathBuf>,
    /// Also compare the base model of the first run.
    #[arg(long)]
    base: bool,
    /// A file with one prompt per line, or JSON lines with "prompt" and "reference". Default: the validation data of
    /// the runs.
    #[arg(long, value_name = "FILE")]
    prompts: Option<PathBuf>,
    /// Metrics to compute. Default: `report.metrics` of the first run, otherwise common ones.
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    metrics: Option<Vec<String>>,
    /// Use only the first N prompts.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
    /// Number of prompts whose answers are printed.
    #[arg(long, value_name = "N", default_value_t = 5)]
    show: u32,
    /// Write compare.html, compare.md and compare.json into this folder.
    #[arg(long, value_name = "DIR")]
    to: Option<PathBuf>,
    /// Override a key of the recipes; may be given several times.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Compute on cpu, wgpu or cuda.
    #[arg(long)]
    backend: Option<String>,
    #[arg(long, value_enum, default_value_t)]
    format: TextFormat,
}

impl Compare {
    pub fn run(&self, sources: &PluginSources) -> Result<ExitCode> {
        let mut set = overrides(&self.set, self.backend.as_ref());
        // JSON's strings are TOML's.
        set.extend(self.metrics.iter().map(|names| format!("report.metrics={}", serde_json::json!(names))));
        let options = Options {
            targets: self.targets.clone(),
            base: self.base,
            prompts: self.prompts.clone(),
            limit: self.limit.unwrap_or(0) as usize,
            overrides: set,
        };
        let comparison = compare(&options, sources, &mut |model, done, all| {
            tracing::info!("{model}: {done} of {all} prompts are answered");
        })?;
        if let Some(folder) = &self.to {
            comparison.write(folder)?;
            eprintln!("wrote {}", folder.join("compare.html").display());
        }
        if self.format == TextFormat::Json {
            return print_json(&comparison);
        }
        print!("{}", comparison.to_markdown(self.show as usize));
        Ok(ExitCode::SUCCESS)
    }
}
