use crate::{
    cli::{TextFormat, overrides},
    commands::verify::{conclude, watch},
    signals::stop_on_signals,
};
use framework_engine::{PluginSources, Result, Session, train::verify};
use std::{path::PathBuf, process::ExitCode, sync::atomic::Ordering};

/// Train a recipe's first steps with and without an interruption, and compare the results.
///
/// The second training is interrupted halfway and resumed from its checkpoint. Weights, optimizer state, position in
/// the data, losses and metrics are compared byte by byte, except for times; the exit code is 1 if anything differs.
/// The learning rate follows the schedule of the whole run. Both trainings run in a temporary folder.
#[derive(clap::Args)]
pub struct VerifyResume {
    /// The recipe.
    recipe: PathBuf,
    /// Number of steps to train; the interruption comes after half of them.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u64).range(2..))]
    steps: u64,
    /// Override a key of the recipe; may be given several times.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Compute on cpu, wgpu or cuda.
    #[arg(long)]
    backend: Option<String>,
    #[arg(long, value_enum, default_value_t)]
    format: TextFormat,
}

impl VerifyResume {
    pub fn run(&self, sources: &PluginSources) -> Result<ExitCode> {
        let session = Session::open(&self.recipe, &overrides(&self.set, self.backend.as_ref()), sources)?;
        let stop = stop_on_signals();
        let report = verify::resume(session, self.steps, &|| stop.load(Ordering::Relaxed), &mut watch())?;
        conclude(report, self.format)
    }
}
