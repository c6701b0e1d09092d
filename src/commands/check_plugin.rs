use framework_engine::{Result, numeric};
use framework_registry::{Registry, check::check_registry};
use std::{path::PathBuf, process::ExitCode};

/// Load a dynamic library and try out every plugin in it.
#[derive(clap::Args)]
pub struct CheckPlugin {
    /// The library.
    library: PathBuf,
}

impl CheckPlugin {
    pub fn run(&self) -> Result<ExitCode> {
        let registry = Registry::from_libraries(std::slice::from_ref(&self.library))?;
        let mut report = check_registry(&registry);
        for (entry, report) in registry.list(None).zip(&mut report.plugins) {
            report.findings.extend(numeric::check(entry));
        }
        println!("{report}");
        Ok(if report.passed() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}
