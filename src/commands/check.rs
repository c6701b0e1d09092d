use crate::{
    cli::{Format, overrides, print_json},
    progress::DataProgress,
    terminal::Terminal,
};
use framework_engine::{PluginSources, Result, Session, plan};
use std::{path::PathBuf, process::ExitCode};

/// Check a recipe and plan its run, without running it. Exits with 1 if the run does not fit into memory.
#[derive(clap::Args)]
pub struct Check {
    /// The recipe.
    recipe: PathBuf,
    /// Override a key of the recipe; may be given several times.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Plan for cpu, wgpu or cuda.
    #[arg(long)]
    backend: Option<String>,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

impl Check {
    pub fn run(&self, sources: &PluginSources) -> Result<ExitCode> {
        let session = Session::open(&self.recipe, &overrides(&self.set, self.backend.as_ref()), sources)?;
        let mut reading = DataProgress::new();
        let plan = plan::plan(&session, &mut |at| reading.at(at))?;
        reading.end();
        if self.format == Format::Json {
            print_json(&plan)?;
        } else {
            println!("{}", Terminal::stdout().fit(&plan.to_string(), 13));
        }
        Ok(if plan.fits == Some(false) { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }
}
