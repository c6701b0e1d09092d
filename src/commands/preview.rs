use crate::progress::DataProgress;
use framework_engine::{
    PluginSources, Result, Session,
    preview::{self, Options},
};
use std::{io::IsTerminal, path::PathBuf, process::ExitCode};

/// Show examples as they are trained, with the supervised tokens marked. Checks the first 1024 training records, and exits
/// with 1 if they would train badly.
#[derive(clap::Args)]
pub struct Preview {
    /// The recipe.
    recipe: PathBuf,
    /// Number of examples to show.
    #[arg(short = 'n', default_value_t = 3)]
    number: usize,
    /// Check every training record.
    #[arg(long)]
    all: bool,
    /// Override a key of the recipe; may be given several times.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
}

impl Preview {
    pub fn run(&self, sources: &PluginSources) -> Result<ExitCode> {
        let session = Session::open(&self.recipe, &self.set, sources)?;
        let mut reading = DataProgress::new();
        let most = if self.all { usize::MAX } else { preview::SOME };
        let options = Options { show: self.number, most, color: std::io::stdout().is_terminal() };
        let preview = preview::preview(&session, options, &mut |at| reading.at(at))?;
        reading.end();
        for (i, text) in preview.examples.iter().enumerate() {
            println!("--- example {} ---\n{text}\n", i + 1);
        }
        println!("{}", preview.report);
        for problem in &preview.problems {
            eprintln!("error: {problem}");
        }
        Ok(if preview.problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}
