use crate::{
    cli::overrides,
    progress::{DataProgress, TrainProgress},
    screen::{Screen, View},
    signals::{STOPPED, stop_on_signals},
};
use framework_engine::{
    Error, PluginSources, Result, Session,
    run::{self, Lock},
    train::{self, Event, Prepared},
};
use std::{
    io::IsTerminal,
    path::PathBuf,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

/// Train a recipe.
#[derive(clap::Args)]
pub struct Train {
    /// The recipe.
    recipe: PathBuf,
    /// Override a key of the recipe, e.g. --set train.batch_size=4; may be given several times.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Continue from the run's newest checkpoint.
    #[arg(long)]
    resume: bool,
    /// Do not start unless data, weights, tokenizer, template, plugins and the framework are those of a lock: that of
    /// the run in the recipe's `output`, or FILE.
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true)]
    locked: Option<Option<PathBuf>>,
    /// Compute on cpu, wgpu or cuda.
    #[arg(long)]
    backend: Option<String>,
    /// Show the run full-screen: curves, figures, answers. q or Ctrl-C saves and ends the run.
    #[arg(long)]
    tui: bool,
}

impl Train {
    pub fn run(&self, sources: &PluginSources) -> Result<ExitCode> {
        let session = Session::open(&self.recipe, &overrides(&self.set, self.backend.as_ref()), sources)?;
        if self.resume {
            train::check_resume(&session)?;
        }
        let mut reading = DataProgress::new();
        let mut preparing = |at| reading.preparing(at);
        let prepared = match &self.locked {
            Some(file) => {
                let lock = Lock::of_run(&session, file.as_deref())?;
                train::prepare_locked(session, &lock, &mut preparing)?
            }
            None => train::prepare(session, &mut preparing)?,
        };
        reading.end();
        eprintln!("{}", prepared.headline());
        let mut samples = Vec::new();
        let stop = stop_on_signals();
        let mut progress = self.progress(&prepared, &stop)?;
        let summary = train::train_until(&prepared, self.resume, &|| stop.load(Ordering::Relaxed), &mut |event| {
            if let Event::Samples { answers, .. } = event {
                samples = answers.to_vec();
            }
            match &mut progress {
                Progress::Lines(lines) => lines.on(event),
                Progress::Screen(screen) => screen.on(event),
            }
        });
        // The terminal is as it was before anything is told.
        drop(progress);
        let summary = summary?;
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

/// What is shown while a run goes on.
enum Progress {
    Lines(TrainProgress),
    Screen(Screen),
}

impl Train {
    /// A screen if one is asked for and can be shown; else lines.
    fn progress(&self, prepared: &Prepared, stop: &Arc<AtomicBool>) -> Result<Progress> {
        if self.tui && !std::io::stderr().is_terminal() {
            eprintln!("--tui: standard error is no terminal; progress is told in lines");
        } else if self.tui {
            let recipe = &prepared.session.recipe;
            let earlier = match self.resume {
                true => run::read_metrics(&recipe.output.join("metrics.jsonl"))?,
                false => Vec::new(),
            };
            let screen = Screen::open(View::new(&recipe.name, &earlier), stop.clone());
            let advice = "leave --tui out to have progress in lines";
            return screen
                .map(Progress::Screen)
                .map_err(|e| Error::failed(format!("--tui: the terminal cannot show a screen: {e}\n    {advice}")));
        }
        Ok(Progress::Lines(TrainProgress::new()))
    }
}
