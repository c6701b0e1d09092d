use crate::{
    cli::{Format, overrides, print_json},
    progress::{DataProgress, TrainProgress},
    signals::{STOPPED, stop_on_signals},
};
use framework_engine::{
    PluginSources, Result,
    train::sweep::{Request, Sweep as Runs, SweepEvent},
};
use std::{path::PathBuf, process::ExitCode, sync::atomic::Ordering};

/// Train a recipe several times with different values, and compare the runs.
///
/// The same command continues an interrupted sweep.
#[derive(clap::Args)]
pub struct Sweep {
    /// The recipe.
    recipe: PathBuf,
    /// A key and the values to try, e.g. --set train.epochs=3,4,6,8; may be given several times, and all combinations are
    /// trained. A single value overrides the key in all runs.
    #[arg(long, value_name = "KEY=VALUE,…")]
    set: Vec<String>,
    /// Train only this many of the combinations, drawn at random by the recipe's seed.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    trials: Option<u64>,
    /// The sweep's folder. Default: the run's folder with -sweep appended.
    #[arg(long, value_name = "FOLDER")]
    to: Option<PathBuf>,
    /// Compute on cpu, wgpu or cuda.
    #[arg(long)]
    backend: Option<String>,
    /// Format of the printed table.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

impl Sweep {
    pub fn run(&self, sources: &PluginSources) -> Result<ExitCode> {
        let sets = overrides(&self.set, self.backend.as_ref());
        let trials = self.trials.map(|n| usize::try_from(n).unwrap_or(usize::MAX));
        let request = Request { sets: &sets, trials, folder: self.to.clone() };
        let sweep = Runs::open(&self.recipe, &request, sources)?;
        let folder = sweep.folder().to_owned();
        let stop = stop_on_signals();
        let (mut reading, mut progress) = (DataProgress::new(), TrainProgress::new());
        let table = sweep.run(&|| stop.load(Ordering::Relaxed), &mut |event| match event {
            SweepEvent::Begin { number, of, label, resumed } => {
                eprintln!("[{number}/{of}] {label}{}", if *resumed { ", which goes on" } else { "" });
                progress = TrainProgress::new();
            }
            SweepEvent::Preparing(at) => reading.preparing(*at),
            SweepEvent::Train(event) => {
                reading.end();
                progress.on(event);
            }
            SweepEvent::End(row) => {
                if let Some(error) = &row.error {
                    eprintln!("{} failed: {error}", row.run);
                }
            }
        })?;
        let Some(table) = table else {
            eprintln!("to go on with the sweep: the same command once more");
            return Ok(ExitCode::from(STOPPED));
        };
        let failed = table.rows.iter().any(|row| row.error.is_some());
        match self.format {
            Format::Json => drop(print_json(&table)?),
            Format::Table => {
                print!("{}", table.text());
                println!("saved {}: table.md, table.csv, curves.svg and the runs", folder.display());
                let page = folder.join("report.html");
                if page.exists() {
                    println!("look at them all: {}", page.display());
                }
                if let Some(best) = table.best() {
                    println!("talk to the best one: framework chat {}", folder.join(&best.run).display());
                }
            }
        }
        Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }
}
