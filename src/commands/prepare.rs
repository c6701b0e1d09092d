use crate::{
    cli::{Format, print_json},
    progress::DataProgress,
};
use framework_engine::{
    PluginSources, Result, Session,
    prepare::{self, Form},
};
use std::{path::PathBuf, process::ExitCode};

/// Write the training data of a recipe as JSON lines or Parquet, with a `split` of `train` or `validation` in every
/// row.
#[derive(clap::Args)]
pub struct Prepare {
    /// The recipe.
    recipe: PathBuf,
    /// The file: .jsonl, .jsonl.gz, .jsonl.zst or .parquet.
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
    /// The form of the rows.
    #[arg(long = "as", value_enum, default_value_t)]
    form: What,
    /// Override a key of the recipe; may be given several times.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Clone, Copy, Default, clap::ValueEnum)]
enum What {
    /// Records after the augmenters.
    #[default]
    Records,
    /// Prompts and responses after the template.
    Text,
    /// Token ids and labels.
    Tokens,
}

impl Prepare {
    pub fn run(&self, sources: &PluginSources) -> Result<ExitCode> {
        let form = match self.form {
            What::Records => Form::Records,
            What::Text => Form::Text,
            What::Tokens => Form::Tokens,
        };
        let session = match form {
            Form::Records => Session::open_for_records(&self.recipe, &self.set, sources)?,
            Form::Text | Form::Tokens => Session::open(&self.recipe, &self.set, sources)?,
        };
        let mut progress = DataProgress::new();
        let written = prepare::prepare(&session, &self.to, form, &mut |at| progress.at(at))?;
        progress.end();
        eprintln!("{}", written.data);
        eprintln!("wrote {}: {} rows, {} bytes", written.file.display(), written.rows, written.bytes);
        if self.format == Format::Json {
            return print_json(&written);
        }
        Ok(ExitCode::SUCCESS)
    }
}
