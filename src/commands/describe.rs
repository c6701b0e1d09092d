use crate::{
    cli::{Format, print_json},
    terminal::Terminal,
};
use framework_core::Kind;
use framework_engine::{
    Error, PluginSources, Problem, Result,
    executor::{BackendInfo, backends},
    recipe::reference,
    suggest::nearest,
};
use framework_registry::{Entry, Registry};
use std::process::ExitCode;

/// Describe a plugin, a table of the recipe (`train`, `tokenizer.train`) or a backend: options, types, defaults, an
/// example.
#[derive(clap::Args)]
pub struct Describe {
    /// Its name.
    name: String,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// What has a name.
struct Found<'a> {
    plugins: Vec<&'a Entry>,
    table: Option<reference::Table>,
    backend: Option<BackendInfo>,
}

impl Describe {
    pub fn run(&self, sources: &PluginSources) -> Result<ExitCode> {
        let registry = sources.open(&[])?;
        let found = self.find(&registry).ok_or_else(|| self.unknown(&registry))?;
        if self.format == Format::Json {
            let plugins = found.plugins.iter().map(|e| serde_json::to_value(&e.about));
            let table = found.table.iter().map(serde_json::to_value);
            let all = plugins.chain(table).chain(found.backend.iter().map(serde_json::to_value));
            let all = all.collect::<Result<Vec<_>, _>>().map_err(|e| Error::failed(e.to_string()))?;
            return match all.as_slice() {
                [one] => print_json(one),
                several => print_json(&several),
            };
        }
        let terminal = Terminal::stdout();
        found.plugins.iter().for_each(|entry| plugin(entry, terminal));
        found.table.iter().for_each(|found| table(found, terminal));
        found.backend.iter().for_each(|found| backend(found, terminal));
        Ok(ExitCode::SUCCESS)
    }

    /// What has the name; small and capital letters are the same, and so are `train` and `[train]`.
    fn find<'a>(&self, registry: &'a Registry) -> Option<Found<'a>> {
        let wanted = self.name.trim_matches(['[', ']']).to_lowercase();
        let is = |name: &str| name.to_lowercase() == wanted;
        let by_name: Vec<_> = registry.list(None).filter(|e| is(&e.about.name)).collect();
        let by_alias = || registry.list(None).filter(|e| e.about.aliases.iter().any(|alias| is(alias))).collect();
        let table = reference::tables().into_iter().find(|table| is(&table.name));
        let backend = backends().into_iter().find(|backend| is(backend.name));
        let plugins = if by_name.is_empty() && table.is_none() { by_alias() } else { by_name };
        let any = !plugins.is_empty() || table.is_some() || backend.is_some();
        any.then_some(Found { plugins, table, backend })
    }

    fn unknown(&self, registry: &Registry) -> Error {
        let plugins: Vec<_> = registry.list(None).map(|e| e.about.name.clone()).collect();
        let tables: Vec<_> = reference::tables().into_iter().map(|table| table.name).collect();
        let backends: Vec<_> = backends().into_iter().map(|backend| backend.name.to_owned()).collect();
        let aliases = registry.list(None).flat_map(|e| &e.about.aliases).map(String::as_str);
        let names = [&plugins, &tables, &backends].into_iter().flatten().map(String::as_str).chain(aliases);
        let near = nearest(&self.name, names);
        let hint = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
        let message = format!("no plugin, table of the recipe or backend is called `{}`{hint}", self.name);
        let list = |names: &[String]| names.join(", ");
        let help =
            format!("Plugins: {}.\n    Tables: {}.\n    Backends: {}.", list(&plugins), list(&tables), list(&backends));
        Error::invalid(Problem::new(message).help(help))
    }
}

/// Options: on a terminal each with its text below it, elsewhere as columns.
fn options(rows: &[reference::Row], terminal: Terminal) -> String {
    if !terminal.is_one() || rows.is_empty() {
        return reference::columns(rows).trim_end().to_owned();
    }
    let option = |row: &reference::Row| {
        let [key, takes, default, text] = row.cells();
        let default = if row.required { default } else { format!("default {default}") };
        let first = format!("{}  {takes}; {default}", terminal.heading(&key));
        let text = terminal.fit(&format!("    {text}"), 4);
        format!("{}\n{text}", terminal.fit(&first, 4))
    };
    rows.iter().map(option).collect::<Vec<_>>().join("\n")
}

fn plugin(entry: &Entry, terminal: Terminal) {
    let about = &entry.about;
    let first = format!("{}, version {}, {}", about.label(), about.version, entry.origin);
    println!("{}\n{}\n", terminal.heading(&first), terminal.fit(&about.summary, 0));
    println!("{}", options(&reference::options(about), terminal));
    let header = match about.kind {
        Kind::Dataset => "[[dataset]]",
        Kind::Augmenter => "[[augment]]",
        Kind::Model => "[model.config]",
        Kind::Adapter => "[adapter]",
        Kind::Optimizer => "[optimizer]",
        Kind::Decoder => "[generate]",
    };
    let plugin = match about.kind {
        Kind::Model => String::new(),
        _ => format!("plugin = \"{}\"\n", about.name),
    };
    println!("\nexample:\n\n{header}\n{plugin}{}", about.example);
}

fn table(table: &reference::Table, terminal: Terminal) {
    let first = terminal.heading(&format!("{} of the recipe", table.header));
    println!("{first}\n{}\n\n{}", terminal.fit(&table.text, 0), options(&table.keys, terminal));
    if let Some(kind) = table.kind {
        let more = format!(
            "The other keys are those of the plugin: `framework list-plugins --kind {kind}` lists the plugins, \
             `framework describe NAME` shows the keys of one."
        );
        println!("\n{}", terminal.fit(&more, 0));
    }
}

fn backend(backend: &BackendInfo, terminal: Terminal) {
    let first = terminal.heading(&format!("backend `{}`", backend.name));
    println!("{first}\n{}\n", terminal.fit(backend.summary, 0));
    println!("compiled in: {}", if backend.compiled_in { "yes" } else { "no" });
    for (i, device) in backend.devices.iter().enumerate() {
        println!("device {i}: {device}");
    }
    if let Some(remedy) = &backend.remedy {
        println!("{}", terminal.fit(&format!("to use it: {remedy}"), 4));
    }
    println!("\nexample:\n\n[backend]\nname = \"{}\"", backend.name);
}
