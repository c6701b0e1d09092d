use crate::progress::DataProgress;
use framework_engine::{PluginSources, Result, Session, preview};
use std::{io::IsTerminal, path::PathBuf, process::ExitCode};

/// Show examples as they are trained, supervised tokens marked. Exits with 1 if the data would train badly.
#[derive(clap::Args)]
pub struct Preview {
    /// The recipe.
    recipe: PathBuf,
    /// How many examples.
    #[arg(short = 'n', default_value_t = 3)]
    number: usize,
    /// Override a key of the recipe; may be given several times.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
}

impl Preview {
    pub fn run(&self, sources: &PluginSources) -> Result<ExitCode> {
        let session = Session::open(&self.recipe, &self.set, sources)?;
        let mut reading = DataProgress::new();
        let color = std::io::stdout().is_terminal();
        let preview = preview::preview(&session, self.number, color, &mut |at| reading.at(at))?;
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
