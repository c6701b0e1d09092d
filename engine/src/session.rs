//! A recipe and the plugins that it can name: where every command begins.

use framework_base::{Error, Problem, Result};
use framework_core::{Kind, ffi};
use framework_hub as hub;
use framework_recipe::{Library, Parsed, Recipe};
use framework_registry::{Entry, Registry, RegistryError, Sources};
use std::path::{Path, PathBuf};

/// Which plugins there are.
#[derive(Debug, Clone)]
pub struct PluginSources {
    /// Libraries that the command line names.
    pub libraries: Vec<PathBuf>,
    /// Whether plugins linked into this program count.
    pub linked: bool,
}

impl Default for PluginSources {
    fn default() -> Self {
        Self { libraries: Vec::new(), linked: true }
    }
}

impl PluginSources {
    /// Finds the plugins, those of `more` libraries included.
    pub fn open(&self, more: &[Library]) -> Result<Registry> {
        let libraries: Vec<_> = more.iter().map(Library::path).chain(&self.libraries).cloned().collect();
        let pinned = more.iter().filter_map(|one| Some((one.path().clone(), one.sha256()?.to_owned()))).collect();
        let sources = Sources { linked: self.linked, pinned, ..Sources::new(&libraries) };
        Registry::open_with(&sources).map_err(|e: RegistryError| Error::Failed(e.to_string()))
    }
}

/// A checked recipe and the plugins that it can name.
pub struct Session {
    /// The recipe, every default written out and every path absolute.
    pub recipe: Recipe,
    /// The plugins.
    pub registry: Registry,
    /// The recipe as it was written, if it was.
    pub(crate) written: Option<Parsed>,
    /// Keys of `[generate]` that come from the model's `generation_config.json`.
    pub(crate) taken: Vec<String>,
    /// Libraries that the command line names.
    pub(crate) libraries: Vec<PathBuf>,
}

impl Session {
    /// The command line that goes on with this recipe's run, with more overrides.
    pub(crate) fn resume_command(&self, more: &[&str]) -> String {
        self.command(" --resume", more)
    }

    /// The command line that trains this recipe anew, with more overrides.
    pub(crate) fn train_command(&self, more: &[&str]) -> String {
        self.command("", more)
    }

    fn command(&self, flags: &str, more: &[&str]) -> String {
        let (path, given) = match &self.written {
            Some(written) => written.named(),
            None => (Path::new("RECIPE"), &[][..]),
        };
        let key = |set: &str| set.split_once('=').map(|(key, _)| key.trim().to_owned());
        let given = given.iter().map(String::as_str).filter(|set| !more.iter().any(|new| key(new) == key(set)));
        let mut line = format!("framework train {}{flags}", quoted(&path.display().to_string()));
        given.chain(more.iter().copied()).for_each(|set| line += &format!(" --set {}", quoted(set)));
        let libraries = self.libraries.iter().map(|library| library.display().to_string());
        libraries.for_each(|library| line += &format!(" --plugin {}", quoted(&library)));
        line
    }

    /// Whether the user wrote a key, in the recipe or as an override.
    pub(crate) fn wrote(&self, key: &str) -> bool {
        self.written.as_ref().is_some_and(|written| written.has(key))
    }

    /// The filled recipe as TOML. What came from the hub is named by its id and commit.
    pub(crate) fn recipe_to_toml(&self) -> String {
        let mut recipe = self.recipe.clone();
        for path in recipe.on_hub().into_iter().filter_map(|(_, _, path)| path.as_mut()) {
            *path = hub::id_of(path).map_or(std::mem::take(path), |id| id.to_string().into());
        }
        recipe.to_toml()
    }

    /// Where a key stands, for the beginning of a message; empty if nobody wrote it.
    pub(crate) fn place(&self, key: &str) -> String {
        let place = self.written.as_ref().and_then(|written| written.problem(key, "").place);
        place.map_or(String::new(), |place| format!("{place}: "))
    }

    /// An error, with the places of the recipe's keys that it names.
    pub(crate) fn placed(&self, e: Error) -> Error {
        match &self.written {
            Some(written) => placed(written, e),
            None => e,
        }
    }

    /// A plugin that the recipe names.
    pub fn entry(&self, kind: Kind, name: &str) -> Result<&Entry> {
        self.registry.find(kind, name).map_err(|unknown| Error::invalid(Problem::new(unknown.to_string())))
    }

    /// The recipe's decoder.
    pub fn decoder(&self) -> Result<ffi::DecoderObject> {
        let generate = &self.recipe.generate;
        Ok(self.entry(Kind::Decoder, &generate.plugin)?.decoder(&generate.options.clone().into())?)
    }

    /// The recipe's adapter.
    pub fn adapter(&self) -> Result<ffi::AdapterObject> {
        let adapter = &self.recipe.adapter;
        let built = self.entry(Kind::Adapter, &adapter.plugin)?.adapter(&adapter.options.clone().into());
        built.map_err(|e| Error::invalid(Problem::new(e.to_string()).key("adapter")))
    }

    /// The recipe's optimizer.
    pub fn optimizer(&self) -> Result<ffi::OptimizerObject> {
        let optimizer = &self.recipe.optimizer;
        Ok(self.entry(Kind::Optimizer, &optimizer.plugin)?.optimizer(&optimizer.options.clone().into())?)
    }
}

/// An error, with the places of the keys that it names.
pub(crate) fn placed(written: &Parsed, e: Error) -> Error {
    let Error::Invalid(mut problems) = e else { return e };
    for problem in &mut problems {
        if let (None, Some(key)) = (&problem.place, &problem.key) {
            problem.place = written.problem(key, "").place;
        }
    }
    problems.sort_by_key(|problem| problem.place.as_ref().and_then(|place| place.position));
    Error::Invalid(problems)
}

/// An argument as a shell takes it.
fn quoted(argument: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./=:,@+".contains(c);
    if !argument.is_empty() && argument.chars().all(plain) {
        return argument.to_owned();
    }
    format!("'{}'", argument.replace('\'', "'\\''"))
}
