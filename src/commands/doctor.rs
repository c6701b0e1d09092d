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

/// Look at what runs find on this machine: processor, memory, disks, GPUs, plugins, hub. Exits with 1 if something is
/// broken that every run needs.
#[derive(clap::Args)]
pub struct Doctor {
    /// The folder that runs are to be written into.
    #[arg(long, value_name = "DIR", default_value = runs::DEFAULT)]
    output: PathBuf,
    /// Seconds in which the hub must answer.
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
