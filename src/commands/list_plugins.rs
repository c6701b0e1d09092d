use crate::cli::{Format, print_json};
use framework_core::Kind;
use framework_engine::{Error, PluginSources, Problem, Result, executor::backends};
use std::process::ExitCode;

/// List plugins and backends.
#[derive(clap::Args)]
pub struct ListPlugins {
    /// Only this kind: dataset, augmenter, model, adapter, optimizer, decoder or backend.
    #[arg(long)]
    kind: Option<String>,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

impl ListPlugins {
    pub fn run(&self, sources: &PluginSources) -> Result<ExitCode> {
        let (kind, show_backends) = match self.kind.as_deref() {
            None => (None, true),
            Some("backend") => (None, true),
            Some(kind) => {
                let wrong = |message: String| Error::invalid(Problem::new(format!("{message}, backend")).key("--kind"));
                (Some(kind.parse::<Kind>().map_err(wrong)?), false)
            }
        };
        let registry = sources.open(&[])?;
        let only_backends = self.kind.as_deref() == Some("backend");
        let entries: Vec<_> = registry.list(kind).filter(|_| !only_backends).collect();
        let backends = if show_backends { backends() } else { Vec::new() };
        if self.format == Format::Json {
            let plugins: Vec<_> = entries
                .iter()
                .map(|e| {
                    serde_json::json!({
                        "kind": e.about.kind, "name": e.about.name, "aliases": e.about.aliases,
                        "version": e.about.version, "summary": e.about.summary, "origin": e.origin.to_string(),
                    })
                })
                .collect();
            return print_json(&serde_json::json!({ "plugins": plugins, "backends": backends }));
        }
        for entry in entries {
            let about = &entry.about;
            println!("{:<10} {:<17} {:<8} {} [{}]", about.kind, about.name, about.version, about.summary, entry.origin);
        }
        for backend in backends {
            let state = match (backend.compiled_in, backend.devices.as_slice()) {
                (false, _) => "not compiled in".to_owned(),
                (true, []) => "no device answers".to_owned(),
                (true, devices) => devices.join("; "),
            };
            let remedy = backend.remedy.map(|remedy| format!(": {remedy}")).unwrap_or_default();
            println!("{:<10} {:<17} {:<8} {} [{state}{remedy}]", "backend", backend.name, "", backend.summary);
        }
        Ok(ExitCode::SUCCESS)
    }
}
