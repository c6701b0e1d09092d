use framework_engine::Result;
use framework_registry::check::check_library;
use std::{path::PathBuf, process::ExitCode};

/// Load a dynamic library and try out every plugin in it.
#[derive(clap::Args)]
pub struct CheckPlugin {
    /// The library.
    library: PathBuf,
}

impl CheckPlugin {
    pub fn run(&self) -> Result<ExitCode> {
        let report = check_library(&self.library)?;
        println!("{report}");
        Ok(if report.passed() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}
