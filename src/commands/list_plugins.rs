use crate::{
    cli::{Format, print_json},
    terminal::Terminal,
};
use framework_core::{About, Kind};
use framework_engine::{
    Error, PluginSources, Problem, Result,
    executor::{BackendInfo, backends},
};
use framework_registry::Entry;
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
        let entries: Vec<(&Entry, Option<String>)> =
            registry.list(kind).filter(|_| !only_backends).map(hashed).collect::<Result<_>>()?;
        let backends = if show_backends { backends() } else { Vec::new() };
        if self.format == Format::Json {
            let plugins: Vec<_> = entries
                .iter()
                .map(|(e, sha256)| {
                    serde_json::json!({
                        "kind": e.about.kind, "name": e.about.name, "aliases": e.about.aliases,
                        "version": e.about.version, "summary": e.about.summary, "origin": e.origin.to_string(),
                        "sha256": sha256,
                    })
                })
                .collect();
            return print_json(&serde_json::json!({ "plugins": plugins, "backends": backends }));
        }
        let rows: Vec<_> = entries.into_iter().map(Row::plugin).chain(backends.into_iter().map(Row::backend)).collect();
        print!("{}", table(&rows, Terminal::stdout()));
        Ok(ExitCode::SUCCESS)
    }
}

/// A plugin with the SHA-256 of its library.
fn hashed(entry: &Entry) -> Result<(&Entry, Option<String>)> {
    let hash =
        entry.sha256().map_err(|e| Error::failed(format!("{}: the library cannot be read: {e}", entry.label())))?;
    Ok((entry, hash))
}

/// A line of the table.
struct Row {
    kind: String,
    name: String,
    version: String,
    text: String,
}

impl Row {
    fn plugin((entry, sha256): (&Entry, Option<String>)) -> Self {
        let About { kind, name, version, summary, .. } = &entry.about;
        let hash = sha256.map(|hash| format!(", sha256 {hash}")).unwrap_or_default();
        let text = format!("{summary} [{}{hash}]", entry.origin);
        Self { kind: kind.to_string(), name: name.clone(), version: version.clone(), text }
    }

    fn backend(backend: BackendInfo) -> Self {
        let state = match (backend.compiled_in, backend.devices.as_slice()) {
            (false, _) => "not compiled in".to_owned(),
            (true, []) => "no device answers".to_owned(),
            (true, devices) => devices.join("; "),
        };
        let remedy = backend.remedy.map(|remedy| format!(": {remedy}")).unwrap_or_default();
        let text = format!("{} [{state}{remedy}]", backend.summary);
        Self { kind: "backend".into(), name: backend.name.into(), version: String::new(), text }
    }
}

/// A section for each kind on a terminal; elsewhere a line for each row, with its kind.
fn table(rows: &[Row], terminal: Terminal) -> String {
    let mut out = String::new();
    let width = |of: fn(&Row) -> usize| rows.iter().map(of).max().unwrap_or(0);
    let (kind, name) = (width(|row| row.kind.len()), width(|row| row.name.len()));
    let version = width(|row| row.version.len());
    for (i, row) in rows.iter().enumerate() {
        let columns = format!("{:<name$}  {:<version$}  ", row.name, row.version);
        if !terminal.is_one() {
            out += &format!("{:<kind$}  {columns}{}\n", row.kind, row.text);
            continue;
        }
        if i == 0 || rows[i - 1].kind != row.kind {
            let gap = if i == 0 { "" } else { "\n" };
            out += &format!("{gap}{}\n", terminal.heading(&row.kind));
        }
        out += &format!("{}\n", terminal.fit(&format!("  {columns}{}", row.text), 2 + columns.len()));
    }
    out
}
