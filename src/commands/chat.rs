use super::generate::{Voice, say};
use framework_engine::{Error, PluginSources, Result};
use rustyline::{DefaultEditor, error::ReadlineError};
use std::process::ExitCode;

/// Talk to a run or a model: each line is an instruction. Ctrl-D or an empty line ends it.
#[derive(clap::Args)]
pub struct Chat {
    #[command(flatten)]
    voice: Voice,
    /// Take what is typed as it is, without a template.
    #[arg(long)]
    raw: bool,
}

impl Chat {
    pub fn run(&self, sources: &PluginSources) -> Result<ExitCode> {
        let speaker = self.voice.open(sources)?;
        let mut editor = DefaultEditor::new().map_err(|e| Error::failed(e.to_string()))?;
        for turn in 0.. {
            match editor.readline("> ") {
                Ok(line) if line.trim().is_empty() => break,
                Ok(line) => {
                    let _ = editor.add_history_entry(&line);
                    // One bad prompt does not end the conversation.
                    if let Err(error) = say(&speaker, line.trim(), self.raw, turn) {
                        eprintln!("error: {error}");
                    }
                }
                Err(ReadlineError::Eof | ReadlineError::Interrupted) => break,
                Err(e) => return Err(Error::failed(e.to_string())),
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}
