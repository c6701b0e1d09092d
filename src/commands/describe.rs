use crate::cli::{Format, print_json};
use framework_core::Kind;
use framework_engine::{Error, PluginSources, Problem, Result, recipe::reference};
use std::process::ExitCode;

/// Describe a plugin: its options, their types and defaults, and an example.
#[derive(clap::Args)]
pub struct Describe {
    /// The plugin's name.
    name: String,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

impl Describe {
    pub fn run(&self, sources: &PluginSources) -> Result<ExitCode> {
        let registry = sources.open(&[])?;
        let found: Vec<_> = registry.list(None).filter(|e| e.about.name == self.name).collect();
        if found.is_empty() {
            let names = || registry.list(None).map(|e| e.about.name.as_str());
            let near = names()
                .max_by(|a, b| strsim::jaro_winkler(a, &self.name).total_cmp(&strsim::jaro_winkler(b, &self.name)));
            let hint = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
            let message = format!("no plugin is called `{}`{hint}", self.name);
            let all = names().collect::<Vec<_>>().join(", ");
            return Err(Error::invalid(Problem::new(message).help(format!("There are: {all}."))));
        }
        if self.format == Format::Json {
            let all: Vec<_> = found.iter().map(|e| &e.about).collect();
            return match all.as_slice() {
                [one] => print_json(one),
                several => print_json(&several),
            };
        }
        for entry in found {
            let about = &entry.about;
            println!("{}, version {}, {}\n{}\n", about.label(), about.version, entry.origin, about.summary);
            println!("{}", reference::options_text(about).trim_end());
            let header = match entry.about.kind {
                Kind::Dataset => "[[dataset]]",
                Kind::Augmenter => "[[augment]]",
                Kind::Model => "[model.config]",
                Kind::Adapter => "[adapter]",
                Kind::Optimizer => "[optimizer]",
                Kind::Decoder => "[generate]",
            };
            let plugin = match entry.about.kind {
                Kind::Model => String::new(),
                _ => format!("plugin = \"{}\"\n", entry.about.name),
            };
            println!("\nexample:\n\n{header}\n{plugin}{}", entry.about.example);
        }
        Ok(ExitCode::SUCCESS)
    }
}
