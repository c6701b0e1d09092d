use crate::{
    cli::{Format, print_json},
    terminal::Terminal,
};
use framework_engine::{
    Result,
    runs::{self, Pruned},
};
use std::{path::Path, path::PathBuf, process::ExitCode};

/// List runs with their states, losses and sizes, or remove old checkpoints.
#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Runs {
    #[command(subcommand)]
    command: Option<Command>,
    /// The folder that holds the runs. Default: runs.
    folder: Option<PathBuf>,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(clap::Subcommand)]
enum Command {
    Prune(Prune),
}

/// Remove the checkpoints of runs, except for the newest ones and the best one. The results of the runs stay.
#[derive(clap::Args)]
struct Prune {
    /// Folders of runs.
    #[arg(required = true, value_name = "RUN")]
    runs: Vec<PathBuf>,
    /// Number of the newest checkpoints to keep, besides the best one; 0 removes all checkpoints of a finished run.
    #[arg(long, value_name = "N")]
    keep: usize,
    /// Print what would be removed, and remove nothing.
    #[arg(long)]
    dry_run: bool,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

impl Runs {
    pub fn run(&self) -> Result<ExitCode> {
        if let Some(Command::Prune(prune)) = &self.command {
            return prune.run();
        }
        let folder = self.folder.as_deref().unwrap_or(Path::new(runs::DEFAULT));
        // Nothing has been trained here yet, which is no mistake of the user's.
        let none = self.folder.is_none() && !folder.exists();
        let found = if none { Vec::new() } else { runs::list(folder)? };
        if self.format == Format::Json {
            return print_json(&found);
        }
        if found.is_empty() {
            eprintln!("there are no runs in {}; `framework runs DIR` looks elsewhere", folder.display());
        } else {
            print!("{}", runs::table(&found));
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Prune {
    fn run(&self) -> Result<ExitCode> {
        let pruned = runs::prune(&self.runs, self.keep, self.dry_run)?;
        if self.format == Format::Json {
            return print_json(&pruned);
        }
        for one in &pruned {
            println!("{}", Terminal::stdout().fit(&sentence(one, self.dry_run), 4));
            for path in &one.foreign {
                eprintln!("{} holds other files than a checkpoint's, and is left as it is", path.display());
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn sentence(one: &Pruned, dry: bool) -> String {
    let listed = |steps: &[u64]| match steps {
        [] => "none".to_owned(),
        steps => steps.iter().map(u64::to_string).collect::<Vec<_>>().join(", "),
    };
    let (run, kept) = (one.run.display(), listed(&one.kept));
    if one.removed.is_empty() {
        return format!("{run}: nothing to remove; kept {kept}");
    }
    let verb = if dry { "would remove" } else { "removed" };
    let (removed, size) = (listed(&one.removed), one.bytes.div_ceil(1 << 20));
    format!("{run}: {verb} the checkpoints of steps {removed} ({size} MiB); kept {kept}")
}
