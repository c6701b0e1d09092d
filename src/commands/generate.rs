use crate::cli::{TextFormat, overrides, print_json};
use framework_engine::{PluginSources, Result, infer::Speaker};
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
        match (&self.run, &self.model) {
            (Some(run), _) => Speaker::of_run(run, &set, sources),
            (None, Some(model)) => Speaker::of_folders(model, self.adapter.as_deref(), &set, sources),
            (None, None) => unreachable!("clap asks for one of them"),
        }
    }
}

/// Answer one prompt.
#[derive(clap::Args)]
pub struct Generate {
    #[command(flatten)]
    voice: Voice,
    /// The prompt: an instruction, put into the recipe's template.
    #[arg(long)]
    prompt: String,
    /// Take the prompt as it is, without a template.
    #[arg(long)]
    raw: bool,
    #[arg(long, value_enum, default_value_t)]
    format: TextFormat,
}

impl Generate {
    pub fn run(&self, sources: &PluginSources) -> Result<ExitCode> {
        let speaker = self.voice.open(sources)?;
        if self.format == TextFormat::Json {
            return print_json(&speaker.reply(&self.prompt, self.raw, &mut |_| {})?);
        }
        say(&speaker, &self.prompt, self.raw)?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Prints an answer as it comes.
pub fn say(speaker: &Speaker, prompt: &str, raw: bool) -> Result<()> {
    let mut streamed = false;
    let reply = speaker.reply(prompt, raw, &mut |piece| {
        streamed |= !piece.is_empty();
        print!("{piece}");
        let _ = std::io::stdout().flush();
    })?;
    println!("{}", if streamed { "" } else { reply.text.as_str() });
    Ok(())
}
