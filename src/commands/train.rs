use crate::{
    cli::overrides,
    progress::{DataProgress, TrainProgress},
};
use framework_engine::{
    PluginSources, Result, Session,
    train::{self, Event},
};
use std::{
    io::Write,
    path::PathBuf,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

/// The exit code of a run that was stopped by a signal, as shells have it.
pub const STOPPED: u8 = 130;

/// Train what a recipe describes.
#[derive(clap::Args)]
pub struct Train {
    /// The recipe.
    recipe: PathBuf,
    /// Override a key of the recipe, e.g. --set train.batch_size=4; may be given several times.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Go on from the run's newest checkpoint.
    #[arg(long)]
    resume: bool,
    /// Compute on cpu, wgpu or cuda.
    #[arg(long)]
    backend: Option<String>,
}

impl Train {
    pub fn run(&self, sources: &PluginSources) -> Result<ExitCode> {
        let session = Session::open(&self.recipe, &overrides(&self.set, self.backend.as_ref()), sources)?;
        if self.resume {
            train::check_resume(&session)?;
        }
        let mut reading = DataProgress::new();
        let prepared = train::prepare(session, &mut |at| reading.preparing(at))?;
        reading.end();
        eprintln!("{}", prepared.headline());
        let mut progress = TrainProgress::new();
        let mut samples = Vec::new();
        let stop = stop_on_signals();
        let summary = train::train_until(&prepared, self.resume, &|| stop.load(Ordering::Relaxed), &mut |event| {
            if let Event::Samples { answers, .. } = event {
                samples = answers.to_vec();
            }
            progress.on(event);
        })?;
        let Some(summary) = summary else { return Ok(ExitCode::from(STOPPED)) };
        for (prompt, answer) in samples {
            println!("> {prompt}\n{answer}\n");
        }
        let loss = |loss: Option<f64>| loss.map_or("-".to_owned(), |l| format!("{l:.4}"));
        println!("loss {} -> {} in {} steps", loss(summary.first_loss), loss(summary.train_loss), summary.steps);
        let memory = summary.peak_memory_bytes.map(|b| format!(", peak memory {} MiB", b >> 20)).unwrap_or_default();
        println!("{:.0} tokens/s{memory}", summary.tokens_per_second);
        println!("saved {}", summary.output.display());
        println!("talk to it: framework chat {}", prepared.session.recipe.output.display());
        Ok(ExitCode::SUCCESS)
    }
}

/// Becomes true with the first Ctrl-C or SIGTERM; the second ends the process.
pub fn stop_on_signals() -> Arc<AtomicBool> {
    let stop = Arc::new(AtomicBool::new(false));
    let asked = stop.clone();
    let handler = move || {
        if asked.swap(true, Ordering::Relaxed) {
            std::process::exit(STOPPED.into());
        }
        let _ = writeln!(std::io::stderr(), "stopping after this step; once more ends at once, without saving");
    };
    if let Err(e) = ctrlc::set_handler(handler) {
        tracing::warn!("Ctrl-C ends the run without saving: {e}");
    }
    stop
}
