use crate::cli::{TextFormat, overrides, print_json};
use framework_engine::{
    Error, PluginSources, Problem, Result,
    infer::{Reply, Speaker},
};
use std::{io::Write, path::PathBuf, process::ExitCode};

/// What is to speak, and how.
#[derive(clap::Args)]
pub struct Voice {
    /// A run's folder.
    #[arg(long, required_unless_present = "model", conflicts_with = "model")]
    run: Option<PathBuf>,
    /// A model folder.
    #[arg(long)]
    model: Option<PathBuf>,
    /// A PEFT adapter folder for the model.
    #[arg(long, requires = "model")]
    adapter: Option<PathBuf>,
    /// The decoder's plugin.
    #[arg(long)]
    decoder: Option<String>,
    /// End an answer before this string, as it is, line breaks included; may be given several times.
    #[arg(long, value_name = "TEXT")]
    stop: Vec<String>,
    /// Seed of what is drawn at random. Default: the recipe's.
    #[arg(long)]
    seed: Option<u64>,
    /// Override a setting of `[generate]`, e.g. --set max_new_tokens=20, or any key of the recipe.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Compute on cpu, wgpu or cuda.
    #[arg(long)]
    backend: Option<String>,
}

impl Voice {
    pub fn open(&self, sources: &PluginSources) -> Result<Speaker> {
        let mut set = overrides(&self.set, self.backend.as_ref());
        set.extend(self.decoder.iter().map(|d| format!("generate.plugin=\"{d}\"")));
        set.extend(self.seed.iter().map(|seed| format!("seed={seed}")));
        if !self.stop.is_empty() {
            // JSON's strings are TOML's.
            set.push(format!("generate.stop={}", serde_json::Value::from(self.stop.clone())));
        }
        match (&self.run, &self.model) {
            (Some(run), _) => Speaker::of_run(run, &set, sources),
            (None, Some(model)) => Speaker::of_folders(model, self.adapter.as_deref(), &set, sources),
            (None, None) => unreachable!("clap asks for one of them"),
        }
    }
}

/// Answer prompts.
#[derive(clap::Args)]
pub struct Generate {
    #[command(flatten)]
    voice: Voice,
    /// A prompt: an instruction, put into the recipe's template; may be given several times.
    #[arg(long, required_unless_present = "prompts")]
    prompt: Vec<String>,
    /// A file with a prompt on each line; - is standard input.
    #[arg(long, value_name = "FILE")]
    prompts: Option<PathBuf>,
    /// Take prompts as they are, without a template.
    #[arg(long)]
    raw: bool,
    /// Prompts that are answered together.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..))]
    batch_size: u32,
    #[arg(long, value_enum, default_value_t)]
    format: TextFormat,
}

impl Generate {
    pub fn run(&self, sources: &PluginSources) -> Result<ExitCode> {
        let prompts = self.all()?;
        let speaker = self.voice.open(sources)?;
        let batch = self.batch_size as usize;
        match (&prompts[..], self.format) {
            ([prompt], TextFormat::Json) => print_json(&speaker.reply(prompt, self.raw, 0, &mut |_| {})?),
            (_, TextFormat::Json) => print_json(&speaker.replies(&prompts, self.raw, batch, &mut |_, _| {})?),
            ([prompt], TextFormat::Text) => {
                say(&speaker, prompt, self.raw, 0)?;
                Ok(ExitCode::SUCCESS)
            }
            (_, TextFormat::Text) => {
                let mut tell = |i: usize, reply: &Reply| {
                    let gap = if i > 0 { "\n" } else { "" };
                    println!("{gap}> {}\n{}", prompts[i], reply.text);
                };
                speaker.replies(&prompts, self.raw, batch, &mut tell)?;
                Ok(ExitCode::SUCCESS)
            }
        }
    }

    /// The prompts given here and in the file.
    fn all(&self) -> Result<Vec<String>> {
        let mut prompts = self.prompt.clone();
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
        match prompts.is_empty() {
            true => Err(Error::invalid(Problem::new("`--prompts`: there is no prompt in the file"))),
            false => Ok(prompts),
        }
    }
}

/// Prints an answer as it comes.
pub fn say(speaker: &Speaker, prompt: &str, raw: bool, turn: u64) -> Result<()> {
    speaker.reply(prompt, raw, turn, &mut |piece| {
        print!("{piece}");
        let _ = std::io::stdout().flush();
    })?;
    println!();
    Ok(())
}
