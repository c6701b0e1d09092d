use crate::{
    cli::{Format, print_json},
    terminal::Terminal,
};
use framework_engine::{
    PluginSources, Result,
    doctor::{self, Options},
    runs,
};
use std::{path::PathBuf, process::ExitCode, time::Duration};

/// Examine this machine: processor, memory, disks, GPUs, plugins, hub. Exits with 1 if a fault prevents every run.
#[derive(clap::Args)]
pub struct Doctor {
    /// The folder into which runs will be written.
    #[arg(long, value_name = "DIR", default_value = runs::DEFAULT)]
    output: PathBuf,
    /// Time limit for the hub's answer, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..))]
    timeout: u64,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

impl Doctor {
    pub fn run(&self, sources: &PluginSources) -> Result<ExitCode> {
        let options = Options { output: &self.output, sources, limit: Duration::from_secs(self.timeout) };
        let report = doctor::examine(options);
        if self.format == Format::Json {
            print_json(&report)?;
        } else {
            println!("{}", Terminal::stdout().fit(&report.to_string(), 13));
        }
        Ok(if report.is_sound() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}
