use crate::{cli::Cli, commands::init};
use clap::{
    Arg, Command, CommandFactory,
    builder::{PossibleValue, PossibleValuesParser},
};
use clap_complete::Shell;
use framework_core::Kind;
use framework_engine::{PluginSources, Result, executor::backends, recipe::reference};
use framework_registry::Registry;
use std::process::ExitCode;

/// Print a script that completes commands, options and names of plugins in a shell.
///
/// bash: framework completions bash > ~/.local/share/bash-completion/completions/framework
///
/// zsh: framework completions zsh > ~/.zfunc/_framework, with fpath+=~/.zfunc before compinit
///
/// fish: framework completions fish > ~/.config/fish/completions/framework.fish
///
/// PowerShell: framework completions powershell >> $PROFILE
///
/// The script contains the names of the plugins that are found now; print it again after adding plugins. bash, zsh and
/// fish complete names, the other shells only commands and options.
#[derive(clap::Args)]
pub struct Completions {
    /// The shell.
    shell: Shell,
}

impl Completions {
    pub fn run(&self, sources: &PluginSources) -> Result<ExitCode> {
        let registry = sources.open(&[])?;
        let mut command = with_names(Cli::command(), &registry);
        // Written as a whole: the generator would panic where nobody reads on.
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut command, "framework", &mut script);
        if self.shell == Shell::Fish {
            script.extend(positional(&command).into_bytes());
        }
        print!("{}", String::from_utf8_lossy(&script));
        Ok(ExitCode::SUCCESS)
    }
}

/// The names that arguments without an option take, which the generator for fish leaves out.
fn positional(command: &Command) -> String {
    let mut script = String::new();
    for inner in command.get_subcommands() {
        let values = inner.get_positionals().flat_map(Arg::get_possible_values);
        let names: Vec<_> = values.map(|value| value.get_name().to_owned()).collect();
        if !names.is_empty() {
            let (of, names) = (inner.get_name(), names.join(" "));
            script +=
                &format!("complete -c framework -n \"__fish_framework_using_subcommand {of}\" -f -a \"{names}\"\n");
        }
    }
    script
}

/// The command line with the names that arguments take. It is for generators alone: as values are parsed, other names get
/// better messages.
fn with_names(command: Command, registry: &Registry) -> Command {
    let of = command.get_name().to_owned();
    let named = |arg: Arg| match names(&of, arg.get_id().as_str(), registry) {
        Some(values) => arg.value_parser(PossibleValuesParser::new(values)),
        None => arg,
    };
    command.mut_args(named).mut_subcommands(|inner| with_names(inner, registry))
}

fn names(command: &str, arg: &str, registry: &Registry) -> Option<Vec<PossibleValue>> {
    let plugins = |kind: Option<Kind>| registry.list(kind).map(|e| value(&e.about.name, &e.about.summary));
    let kinds = || Kind::ALL.iter().map(|kind| value(kind.name(), ""));
    let backends = || backends().into_iter().map(|backend| value(backend.name, backend.summary));
    Some(match (command, arg) {
        ("describe", "name") => {
            let tables = reference::tables().into_iter().map(|table| value(&table.name, &table.text));
            // A name of several kinds is described with all of them.
            let mut all: Vec<PossibleValue> = Vec::new();
            for one in plugins(None).chain(tables).chain(backends()) {
                if !all.iter().any(|other| other.get_name() == one.get_name()) {
                    all.push(one);
                }
            }
            all
        }
        ("list-plugins", "kind") => kinds().chain([value("backend", "")]).collect(),
        ("new-plugin", "kind") => kinds().collect(),
        ("init", "like") => init::names().map(|(name, summary)| value(name, summary)).collect(),
        (_, "decoder") => plugins(Some(Kind::Decoder)).collect(),
        (_, "backend") => backends().collect(),
        _ => return None,
    })
}

/// A value with the first sentence of what it is. The texts stay as long as the process, which ends soon.
fn value(name: &str, text: &str) -> PossibleValue {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let sentence = text.split_once(". ").map_or(text.as_str(), |(first, _)| first).trim_end_matches('.');
    let value = PossibleValue::new(&*name.to_owned().leak());
    if sentence.is_empty() { value } else { value.help(&*sentence.to_owned().leak()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_argument_with_names_is_found() {
        let registry = PluginSources::default().open(&[]).unwrap();
        let command = with_names(Cli::command(), &registry);
        command.clone().debug_assert();
        let values = |of: &str, arg: &str| -> Vec<String> {
            let found = command.find_subcommand(of).unwrap().get_arguments().find(|a| a.get_id() == arg);
            let values = found.unwrap_or_else(|| panic!("{of} has no {arg}")).get_possible_values();
            values.iter().map(|value| value.get_name().to_owned()).collect()
        };
        let has = |of: &str, arg: &str, name: &str| assert!(values(of, arg).iter().any(|v| v == name), "{of} {arg}");
        has("describe", "name", "instruction-csv");
        has("describe", "name", "tokenizer.train");
        has("describe", "name", "cpu");
        has("init", "like", "quickstart");
        has("list-plugins", "kind", "backend");
        has("new-plugin", "kind", "augmenter");
        has("generate", "decoder", "beam");
        has("train", "backend", "wgpu");
    }
}
