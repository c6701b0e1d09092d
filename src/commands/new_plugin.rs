use framework_core::Kind;
use framework_engine::{Error, Problem, Result};
use framework_registry::scaffold::{SdkSource, new_plugin};
use std::{path::PathBuf, process::ExitCode};

/// Write the crate of a new plugin, which builds and passes its own test.
#[derive(clap::Args)]
pub struct NewPlugin {
    /// dataset, augmenter, model, adapter, optimizer or decoder.
    kind: Kind,
    /// Its name in recipes, in kebab-case. The crate is made in a folder of this name.
    name: String,
    /// A checkout of the framework's SDK to build with, instead of the published one.
    #[arg(long, value_name = "PATH")]
    sdk: Option<PathBuf>,
}

impl NewPlugin {
    pub fn run(&self) -> Result<ExitCode> {
        let sdk = self.sdk.clone().map_or_else(SdkSource::detect, SdkSource::Path);
        let here = PathBuf::from(".");
        let made =
            new_plugin(self.kind, &self.name, &here, &sdk).map_err(|e| Error::invalid(Problem::new(e.to_string())))?;
        println!("made {}; next: cd {} && cargo test", made.display(), made.display());
        Ok(ExitCode::SUCCESS)
    }
}
