//! A recipe and the plugins that it can name: where every command begins.

use crate::{
    error::{Error, Problem, Result},
    generate,
    hub::{self, Id},
    inherit,
    recipe::{self, Parsed, Recipe},
    unused,
};
use framework_core::{Kind, ffi};
use framework_registry::{Entry, Registry, RegistryError, Sources};
use serde_json::Value;
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
    pub fn open(&self, more: &[PathBuf]) -> Result<Registry> {
        let libraries: Vec<_> = more.iter().chain(&self.libraries).cloned().collect();
        Ok(Registry::open_with(&Sources { linked: self.linked, ..Sources::new(&libraries) })?)
    }
}

impl From<RegistryError> for Error {
    fn from(e: RegistryError) -> Self {
        Error::Failed(e.to_string())
    }
}

/// A checked recipe and the plugins that it can name.
pub struct Session {
    /// The recipe, every default written out and every path absolute.
    pub recipe: Recipe,
    /// The plugins.
    pub registry: Registry,
    /// The recipe as it was written, if it was.
    written: Option<Parsed>,
    /// Keys of `[generate]` that come from the model's `generation_config.json`.
    taken: Vec<String>,
}

/// A recipe with every default, those of the weights' folder included, and the keys that come from there.
fn filled(parsed: &Parsed, weights: Option<&Path>, registry: &Registry) -> Result<(Recipe, Vec<String>)> {
    let mut parsed = parsed.clone();
    let taken = weights.map_or(Vec::new(), |folder| parsed.default_generation(folder, registry));
    Ok((parsed.resolve(registry)?, taken))
}

impl Session {
    /// Reads and checks a recipe. All its problems are told at once; nothing is written but, for what is named by an id
    /// on the hub, small files into the hub's cache.
    pub fn open(path: &Path, overrides: &[String], sources: &PluginSources) -> Result<Self> {
        Self::of(recipe::parse(path, overrides)?, sources)
    }

    /// [`Session::open`] for work that stops at records and needs no tokenizer.
    pub fn open_for_records(path: &Path, overrides: &[String], sources: &PluginSources) -> Result<Self> {
        Self::of(recipe::parse(path, overrides)?.for_records(), sources)
    }

    fn of(mut parsed: Parsed, sources: &PluginSources) -> Result<Self> {
        let registry = sources.open(&parsed.plugins()?)?;
        if let Some(id) = parsed.unknown_on_hub() {
            let key = "model.weights";
            let place = |e: Error| placed(&parsed, e.about(key));
            let folder = hub::settle(&id, hub::Use::Model).map_err(place)?;
            parsed.settle_model(folder);
        }
        let local = parsed.weights();
        let (recipe, taken) = filled(&parsed, local.as_deref(), &registry)?;
        let mut session = Self { recipe, registry, written: Some(parsed), taken };
        session.settle().map_err(|e| session.placed(e))?;
        if local.is_none() {
            session.fill_again()?;
        }
        inherit::adapter(&mut session).map_err(|e| session.placed(e))?;
        session.fill_tokens().map_err(|e| session.placed(e))?;
        session.warn()?;
        Ok(session)
    }

    /// Fills in the tokens of an adapter's texts, which it cannot make itself: an option whose schema says `x-tokens` is
    /// a text, and names the option for its tokens.
    fn fill_tokens(&mut self) -> Result<()> {
        let schema = &self.entry(Kind::Adapter, &self.recipe.adapter.plugin)?.about.schema["properties"];
        let named = |(key, option): (&String, &Value)| Some((key.clone(), option["x-tokens"].as_str()?.to_owned()));
        let texts: Vec<_> = schema.as_object().into_iter().flatten().filter_map(named).collect();
        for (key, target) in texts {
            let Some(text) = self.recipe.adapter.options.get(&key).and_then(Value::as_str) else { continue };
            let about = |e: Error| e.about(&format!("adapter.{key}"));
            if self.recipe.tokenizer.train.is_some() {
                let message =
                    "needs the tokens of a text, which a tokenizer that is only trained by the run does not have";
                return Err(Error::invalid(Problem::new(message).key(format!("adapter.{key}"))));
            }
            let ids =
                crate::train::tokenizer(self).and_then(|tokenizer| tokenizer.encode(text, true)).map_err(about)?;
            if ids.is_empty() {
                return Err(Error::invalid(Problem::new("the text has no tokens").key(format!("adapter.{key}"))));
            }
            self.recipe.adapter.options.insert(target, ids.into());
        }
        Ok(())
    }

    /// Fills the recipe in once more, with the defaults of weights that have come from the hub.
    fn fill_again(&mut self) -> Result<()> {
        let (Some(written), Some(folder)) = (&mut self.written, &self.recipe.model.weights) else { return Ok(()) };
        written.settle_model(folder.clone());
        let (mut recipe, taken) = filled(written, Some(folder), &self.registry)?;
        for ((_, _, new), (_, _, settled)) in recipe.on_hub().into_iter().zip(self.recipe.on_hub()) {
            *new = settled.take();
        }
        (self.recipe, self.taken) = (recipe, taken);
        Ok(())
    }

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
        line
    }

    /// Whether the user wrote a key, in the recipe or as an override.
    pub(crate) fn wrote(&self, key: &str) -> bool {
        self.written.as_ref().is_some_and(|written| written.has(key))
    }

    /// Puts folders in the place of ids on the hub.
    fn settle(&mut self) -> Result<()> {
        let mut found = Ok(());
        let known = self.written.as_ref().and_then(|written| Some((written.unknown_on_hub()?, written.weights()?)));
        for (key, purpose, path) in self.recipe.on_hub() {
            // What is on this machine has become an absolute path.
            let named = path.as_ref().filter(|path| path.is_relative()).and_then(|path| Id::parse(path.to_str()?));
            let Some(id) = named else { continue };
            let model = known.as_ref().filter(|(known, _)| key == "model.weights" && *known == id);
            match model.map_or_else(|| hub::settle(&id, purpose), |(_, folder)| Ok(folder.clone())) {
                Ok(folder) => *path = Some(folder),
                Err(e) => found = Error::both(found, Err::<(), _>(e.about(key))).map(drop),
            }
        }
        found
    }

    /// A recipe that nobody wrote.
    pub(crate) fn made_up(parsed: &Parsed, registry: Registry) -> Result<Self> {
        let (recipe, taken) = filled(parsed, parsed.weights().as_deref(), &registry)?;
        let session = Self { recipe, registry, written: None, taken };
        session.warn()?;
        Ok(session)
    }

    /// Tells of settings that change nothing.
    fn warn(&self) -> Result<()> {
        unused::warn(self, unused::in_recipe(&self.recipe));
        let generate = &self.recipe.generate;
        let mut idle = generate::sampling_only(&generate.settings);
        idle.retain(|name| !self.taken.iter().any(|taken| taken == name));
        if !idle.is_empty() && !self.decoder()?.traits()?.sample {
            tracing::warn!(
                "{}[generate] {} {} no effect: the decoder `{}`, as it is set, does not sample",
                self.place(&format!("generate.{}", idle[0])),
                idle.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "),
                if idle.len() == 1 { "has" } else { "have" },
                generate.plugin
            );
        }
        Ok(())
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
fn placed(written: &Parsed, e: Error) -> Error {
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
