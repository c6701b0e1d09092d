use super::generate::ModelArgs;
use framework_engine::{
    Error, PluginSources, Result,
    generate::TextGenerator,
    generate::chat::{Conversation, Memory},
};
use rustyline::{DefaultEditor, error::ReadlineError};
use std::{
    io::{IsTerminal, Write},
    path::Path,
    process::ExitCode,
};

/// Talk to a run or a model: `framework chat runs/quickstart`. Ctrl-D or /quit ends it.
#[derive(clap::Args)]
pub struct Chat {
    #[command(flatten)]
    from: ModelArgs,
    /// A system message for the conversation.
    #[arg(long, value_name = "TEXT", conflicts_with = "raw")]
    system: Option<String>,
    /// Whether earlier turns are part of the prompt.
    #[arg(long, value_enum, default_value_t, conflicts_with = "raw")]
    memory: Keep,
    /// Use each line as a prompt by itself, without a template.
    #[arg(long)]
    raw: bool,
}

#[derive(Clone, Copy, Default, PartialEq, clap::ValueEnum)]
enum Keep {
    /// If the template is a format for conversations.
    #[default]
    Auto,
    /// Always.
    On,
    /// Never.
    Off,
}

const HELP: &str = "/help           this list
/system         show the system message
/system TEXT    set the system message and begin anew
/reset          forget the turns so far
/quit           end; Ctrl-D does too
A line that begins with // is sent with one / less.";

impl Chat {
    pub fn run(&self, sources: &PluginSources) -> Result<ExitCode> {
        let generator = self.from.open(None, sources)?;
        let memory = match self.memory {
            Keep::Auto => Memory::Auto,
            Keep::On => Memory::On,
            Keep::Off => Memory::Off,
        };
        let mut talk = Conversation::new(&generator, memory, self.system.clone())?;
        eprintln!("{}", self.banner(&generator, &talk));
        let mut editor = DefaultEditor::new().map_err(|e| Error::failed(e.to_string()))?;
        for turn in 0.. {
            match editor.readline("> ") {
                Ok(line) => {
                    let _ = editor.add_history_entry(&line);
                    // One bad prompt does not end the conversation.
                    match self.line(&generator, &mut talk, line.trim(), turn) {
                        Ok(true) => {}
                        Ok(false) => break,
                        Err(error) => eprintln!("error: {error}"),
                    }
                }
                Err(ReadlineError::Eof | ReadlineError::Interrupted) => break,
                Err(e) => return Err(Error::failed(e.to_string())),
            }
        }
        Ok(ExitCode::SUCCESS)
    }

    /// Does what a line says; `false` ends the conversation.
    fn line(&self, generator: &TextGenerator, talk: &mut Conversation, line: &str, turn: u64) -> Result<bool> {
        let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        match word {
            "" => {}
            "/quit" | "/exit" => return Ok(false),
            "/help" => eprintln!("{HELP}"),
            "/reset" => {
                talk.reset();
                eprintln!("the conversation begins anew");
            }
            "/system" if rest.is_empty() => match talk.system() {
                Some(system) => eprintln!("{system}"),
                None => eprintln!("no system message was set; /system TEXT sets one"),
            },
            "/system" => {
                talk.set_system(generator, rest.trim().to_owned())?;
                eprintln!("the system message is set; the conversation begins anew");
            }
            _ if is_command(word) => eprintln!("there is no command {word}; /help lists the commands"),
            _ => self.answer(
                generator,
                talk,
                line.strip_prefix('/').filter(|l| l.starts_with('/')).unwrap_or(line),
                turn,
            )?,
        }
        Ok(true)
    }

    fn answer(&self, generator: &TextGenerator, talk: &mut Conversation, line: &str, turn: u64) -> Result<()> {
        let mut show = |piece: &str| {
            print!("{piece}");
            let _ = std::io::stdout().flush();
        };
        if self.raw {
            generator.reply(line, true, turn, &mut show)?;
            println!();
            return Ok(());
        }
        let answer = talk.say(generator, line, &mut show)?;
        println!();
        if answer.dropped > 0 {
            let turns = if answer.dropped == 1 { "turn was" } else { "turns were" };
            eprintln!("the oldest {} {turns} dropped: the model's context is full", answer.dropped);
        }
        Ok(())
    }

    /// What is talked to, and how.
    fn banner(&self, generator: &TextGenerator, talk: &Conversation) -> String {
        let adapter = generator.adapter().map(|adapter| format!(", adapter {}", shown(adapter))).unwrap_or_default();
        let (template, keeps) = (generator.template(), talk.keeps_turns());
        let how = match () {
            () if self.raw => "none (--raw): each line is continued as it is".to_owned(),
            () if generator.continues_text() => {
                "none: the model was trained on texts, and continues each line on its own".to_owned()
            }
            () if keeps => format!("{}, the turns are kept", template.name()),
            () if template.is_dialogue() => format!("{}, each line is answered on its own", template.name()),
            () if template.has_turns() => format!(
                "{}, a prompt for single tasks: each line is answered on its own (--memory on keeps the turns)",
                template.name()
            ),
            () => format!("{}, which has no form for several turns: each line is answered on its own", template.name()),
        };
        let model = shown(generator.model());
        let end = if std::io::stdin().is_terminal() { "\n/help lists the commands, Ctrl-D ends" } else { "" };
        format!("model     {model}{adapter}\ntemplate  {how}\ndecoder   {}{end}", generator.decoder())
    }
}

/// Whether a word is meant as a command, and not the beginning of a path or of a text.
fn is_command(word: &str) -> bool {
    word.strip_prefix('/').is_some_and(|name| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphabetic()))
}

/// A path, from the working directory if it lies below.
fn shown(path: &Path) -> String {
    let here = std::env::current_dir().ok().and_then(|here| path.strip_prefix(here).ok());
    here.unwrap_or(path).display().to_string()
}
