//! Arguments.

use crate::commands::*;
use clap::{Args, Parser, Subcommand};
use framework_engine::{PluginSources, Result};
use std::{path::PathBuf, process::ExitCode};

/// Fine-tune and train small language models from one TOML recipe, with plugins for every part.
#[derive(Parser)]
#[command(name = "framework", version, arg_required_else_help = true)]
pub struct Cli {
    /// Log more (-v) or everything (-vv) on stderr.
    #[arg(short, long, action = clap::ArgAction::Count, global = true)]
    pub verbose: u8,
    #[command(flatten)]
    plugins: Plugins,
    #[command(subcommand)]
    command: Command,
}

#[derive(Args)]
struct Plugins {
    /// A dynamic library with plugins, or a folder of libraries; may be given several times.
    #[arg(long = "plugin", value_name = "PATH", global = true)]
    libraries: Vec<PathBuf>,
    /// Leave out the built-in plugins.
    #[arg(long, global = true, hide = true)]
    no_built_in: bool,
}

#[derive(Subcommand)]
enum Command {
    ListPlugins(list_plugins::ListPlugins),
    Describe(describe::Describe),
    Schema(schema::Schema),
    Init(init::Init),
    Check(check::Check),
    Preview(preview::Preview),
    Prepare(prepare::Prepare),
    Train(train::Train),
    Sweep(sweep::Sweep),
    VerifyResume(verify_resume::VerifyResume),
    Verify(verify::Verify),
    Eval(eval::Eval),
    Generate(generate::Generate),
    Chat(chat::Chat),
    Tokenizer(tokenizer::Tokenizer),
    Compare(compare::Compare),
    Report(report::Report),
    Runs(runs::Runs),
    Export(export::Export),
    NewPlugin(new_plugin::NewPlugin),
    CheckPlugin(check_plugin::CheckPlugin),
    Doctor(doctor::Doctor),
    Completions(completions::Completions),
    Man(man::Manual),
}

impl Cli {
    /// Runs the sub-command.
    pub fn run(self) -> Result<ExitCode> {
        let sources = PluginSources { libraries: self.plugins.libraries, linked: !self.plugins.no_built_in };
        match self.command {
            Command::ListPlugins(command) => command.run(&sources),
            Command::Describe(command) => command.run(&sources),
            Command::Schema(command) => command.run(&sources),
            Command::Init(command) => command.run(&sources),
            Command::Check(command) => command.run(&sources),
            Command::Preview(command) => command.run(&sources),
            Command::Prepare(command) => command.run(&sources),
            Command::Train(command) => command.run(&sources),
            Command::Sweep(command) => command.run(&sources),
            Command::VerifyResume(command) => command.run(&sources),
            Command::Verify(command) => command.run(&sources),
            Command::Eval(command) => command.run(&sources),
            Command::Generate(command) => command.run(&sources),
            Command::Chat(command) => command.run(&sources),
            Command::Tokenizer(command) => command.run(&sources),
            Command::Compare(command) => command.run(&sources),
            Command::Report(command) => command.run(),
            Command::Runs(command) => command.run(),
            Command::Export(command) => command.run(&sources),
            Command::NewPlugin(command) => command.run(),
            Command::CheckPlugin(command) => command.run(),
            Command::Doctor(command) => command.run(&sources),
            Command::Completions(command) => command.run(&sources),
            Command::Man(command) => command.run(),
        }
    }
}

/// Format of a printed result.
#[derive(Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Table,
    /// For programs.
    Json,
}

/// Format of a printed answer.
#[derive(Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum TextFormat {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
}

/// Prints JSON to stdout.
pub fn print_json(value: &impl serde::Serialize) -> Result<ExitCode> {
    let text = serde_json::to_string_pretty(value).map_err(|e| framework_engine::Error::failed(e.to_string()))?;
    println!("{text}");
    Ok(ExitCode::SUCCESS)
}

/// Overrides with those that have a flag of their own.
pub fn overrides(set: &[String], backend: Option<&String>) -> Vec<String> {
    set.iter().cloned().chain(backend.map(|b| format!("backend.name=\"{b}\""))).collect()
}
