use crate::cli::{TextFormat, overrides, print_json};
use framework_engine::{
    Error, PluginSources, Problem, Result,
    generate::{Reply, TextGenerator},
};
use std::{
    io::Write,
    path::{Path, PathBuf},
    process::ExitCode,
};

/// The model to generate with, and its settings.
#[derive(clap::Args)]
pub struct ModelArgs {
    /// A run's folder, or a model folder.
    #[arg(value_name = "RUN")]
    target: Option<PathBuf>,
    /// A run's folder.
    #[arg(long, conflicts_with = "model")]
    run: Option<PathBuf>,
    /// A model folder, or an id on the hub.
    #[arg(long)]
    model: Option<PathBuf>,
    /// A PEFT adapter folder for the model.
    #[arg(long, requires = "model")]
    adapter: Option<PathBuf>,
    /// The decoder's plugin.
    #[arg(long)]
    decoder: Option<String>,
    /// Stop string: the answer ends before it. Taken literally, including line breaks; may be given several times.
    #[arg(long, value_name = "TEXT")]
    stop: Vec<String>,
    /// Seed for sampling. Default: the recipe's seed.
    #[arg(long)]
    seed: Option<u64>,
    /// Override a setting of `[generate]`, e.g. --set max_new_tokens=20, or any key of the recipe.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Compute on cpu, wgpu or cuda.
    #[arg(long)]
    backend: Option<String>,
}

impl ModelArgs {
    /// Opens what is named. `text`: the first positional argument is that where a run or a model has an option.
    pub fn open(&self, text: Option<&Path>, sources: &PluginSources) -> Result<TextGenerator> {
        let mut set = overrides(&self.set, self.backend.as_ref());
        set.extend(self.decoder.iter().map(|d| format!("generate.plugin=\"{d}\"")));
        set.extend(self.seed.iter().map(|seed| format!("seed={seed}")));
        if !self.stop.is_empty() {
            // JSON's strings are TOML's.
            set.push(format!("generate.stop={}", serde_json::Value::from(self.stop.clone())));
        }
        let target = self.target.as_deref().filter(|target| Some(*target) != text);
        match (target, &self.run, &self.model) {
            (Some(target), None, None) if is_model(target) => TextGenerator::of_folders(target, None, &set, sources),
            (Some(run), None, None) => TextGenerator::of_run(run, &set, sources),
            (None, Some(run), _) => TextGenerator::of_run(run, &set, sources),
            (None, None, Some(model)) => TextGenerator::of_folders(model, self.adapter.as_deref(), &set, sources),
            (None, None, None) => Err(unnamed()),
            (Some(target), ..) => {
                let message = format!("{} and an option both name a model", target.display());
                Err(Error::invalid(Problem::new(message).help("Leave --run or --model out, or the first argument.")))
            }
        }
    }

    /// Whether anything is named.
    fn is_named(&self) -> bool {
        self.target.is_some() || self.run.is_some() || self.model.is_some()
    }

    /// The first positional argument, if an option names the model.
    fn free_argument(&self) -> Option<&Path> {
        self.target.as_deref().filter(|_| self.run.is_some() || self.model.is_some())
    }
}

fn unnamed() -> Error {
    let help = "Name a run by its folder, e.g. `runs/quickstart` (or --run), or a model by its folder or its id on the hub \
                with --model, e.g. `--model EleutherAI/pythia-160m`.";
    Error::invalid(Problem::new("no model is named").help(help))
}

/// Whether a folder holds a model and not a run.
fn is_model(folder: &Path) -> bool {
    !folder.join("recipe.toml").is_file() && folder.join("config.json").is_file()
}

/// Answer prompts: `framework generate runs/quickstart "Who runs payroll?"`.
#[derive(clap::Args)]
pub struct Generate {
    #[command(flatten)]
    from: ModelArgs,
    /// A prompt: an instruction that is put into the template.
    #[arg(value_name = "TEXT")]
    text: Vec<String>,
    /// A prompt; may be given several times.
    #[arg(long, value_name = "TEXT")]
    prompt: Vec<String>,
    /// A file with one prompt per line; - is standard input.
    #[arg(long, value_name = "FILE")]
    prompts: Option<PathBuf>,
    /// Use prompts without a template.
    #[arg(long)]
    raw: bool,
    /// Number of prompts to answer at a time.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..))]
    batch_size: u32,
    #[arg(long, value_enum, default_value_t)]
    format: TextFormat,
}

impl Generate {
    pub fn run(&self, sources: &PluginSources) -> Result<ExitCode> {
        if !self.from.is_named() {
            return Err(unnamed());
        }
        let prompts = self.all()?;
        let generator = self.from.open(self.from.free_argument(), sources)?;
        if let Some(origin) = generator.template_origin().filter(|_| !self.raw) {
            eprintln!("{origin}");
        }
        let batch = self.batch_size as usize;
        match (&prompts[..], self.format) {
            ([prompt], TextFormat::Json) => print_json(&generator.reply(prompt, self.raw, 0, &mut |_| {})?),
            (_, TextFormat::Json) => print_json(&generator.replies(&prompts, self.raw, batch, &mut |_, _| {})?),
            ([prompt], TextFormat::Text) => {
                say(&generator, prompt, self.raw, 0)?;
                Ok(ExitCode::SUCCESS)
            }
            (_, TextFormat::Text) => {
                let mut tell = |i: usize, reply: &Reply| {
                    let gap = if i > 0 { "\n" } else { "" };
                    println!("{gap}> {}\n{}", prompts[i], reply.text);
                };
                generator.replies(&prompts, self.raw, batch, &mut tell)?;
                Ok(ExitCode::SUCCESS)
            }
        }
    }

    /// The prompts given here and in the file.
    fn all(&self) -> Result<Vec<String>> {
        let first = self.from.free_argument().map(|text| text.to_string_lossy().into_owned());
        let mut prompts: Vec<_> = first.into_iter().chain(self.text.clone()).chain(self.prompt.clone()).collect();
        if let Some(file) = &self.prompts {
            let text = match file.to_str() {
                Some("-") => std::io::read_to_string(std::io::stdin()),
                _ => std::fs::read_to_string(file),
            };
            let text = text.map_err(|e| {
                let help = "It holds a prompt on each line, in UTF-8.";
                Error::invalid(Problem::new(format!("`--prompts`: cannot read {}: {e}", file.display())).help(help))
            })?;
            prompts.extend(text.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned));
        }
        match (prompts.is_empty(), &self.prompts) {
            (false, _) => Ok(prompts),
            (true, Some(_)) => Err(Error::invalid(Problem::new("`--prompts`: there is no prompt in the file"))),
            (true, None) => {
                let help = "Write it behind the run, `framework generate runs/quickstart TEXT`, or give --prompt TEXT \
                            or --prompts FILE.";
                Err(Error::invalid(Problem::new("there is no prompt").help(help)))
            }
        }
    }
}

/// Prints an answer as it comes.
fn say(generator: &TextGenerator, prompt: &str, raw: bool, turn: u64) -> Result<()> {
    generator.reply(prompt, raw, turn, &mut |piece| {
        print!("{piece}");
        let _ = std::io::stdout().flush();
    })?;
    println!();
    Ok(())
}
