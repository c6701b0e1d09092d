use crate::{
    cli::{TextFormat, print_json},
    progress::{DataProgress, TrainProgress},
    signals::{STOPPED, stop_on_signals},
};
use framework_engine::{
    PluginSources, Result,
    train::{
        Event,
        verify::{self, Report, VerifyEvent},
    },
};
use std::{path::PathBuf, process::ExitCode, sync::atomic::Ordering};

/// Train a run's first steps again, and compare them with the recorded run.
///
/// Checkpoints of these steps are compared byte by byte, and metrics digit by digit. Data, weights and versions are
/// first compared with the run's lock.toml. The exit code is 1 if anything differs. The run's folder is not changed.
#[derive(clap::Args)]
pub struct Verify {
    /// The run's folder.
    run: PathBuf,
    /// Number of steps to train. Default: 10, or up to the first recorded step if that is later.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    steps: Option<u64>,
    #[arg(long, value_enum, default_value_t)]
    format: TextFormat,
}

impl Verify {
    pub fn run(&self, sources: &PluginSources) -> Result<ExitCode> {
        let stop = stop_on_signals();
        let mut watch = watch();
        let report = verify::run(&self.run, self.steps, sources, &|| stop.load(Ordering::Relaxed), &mut watch)?;
        conclude(report, self.format)
    }
}

/// Shows on stderr what a verification does.
pub fn watch() -> impl FnMut(&VerifyEvent) {
    let (mut reading, mut progress) = (DataProgress::new(), TrainProgress::new());
    move |event| match event {
        VerifyEvent::Preparing(at) => reading.preparing(*at),
        VerifyEvent::Phase(text) => {
            reading.end();
            progress.end();
            progress = TrainProgress::new();
            eprintln!("{text}");
        }
        // The numbers are those of a run that the user has seen, or would see.
        VerifyEvent::Train(Event::Metrics(_)) => {}
        VerifyEvent::Train(event) => progress.on(event),
        VerifyEvent::Interrupted(_) => progress.end(),
    }
}

/// Prints a report; the exit code says whether everything is equal.
pub fn conclude(report: Option<Report>, format: TextFormat) -> Result<ExitCode> {
    let Some(report) = report else { return Ok(ExitCode::from(STOPPED)) };
    match format {
        TextFormat::Json => drop(print_json(&report)?),
        TextFormat::Text => print(&report),
    }
    Ok(if report.equal { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn print(report: &Report) {
    report.changes.iter().for_each(|change| println!("changed  {change}"));
    let width = report.compared.iter().map(|part| part.what.len()).max().unwrap_or(0);
    for part in &report.compared {
        match &part.difference {
            None => println!("equal    {:width$}  {}", part.what, part.amount),
            Some(d) => println!("DIFFERS  {:width$}  {}: expected {}, found {}", part.what, d.at, d.expected, d.found),
        }
    }
    report.notes.iter().for_each(|note| println!("note: {note}"));
    let (steps, total) = (report.steps, report.total);
    match (report.equal, report.interrupted) {
        (true, Some(half)) => println!(
            "{steps} of {total} steps, interrupted and resumed after step {half}: the same as without interruption, bit for bit"
        ),
        (false, Some(half)) => {
            println!("{steps} of {total} steps, interrupted and resumed after step {half}: NOT the same")
        }
        (true, None) => println!("{steps} of {total} steps: the same as the run has recorded, bit for bit"),
        (false, None) if steps == 0 => {}
        (false, None) => println!("{steps} of {total} steps: NOT the same as the run has recorded"),
    }
}
