//! Opens sessions: a recipe with its plugins, what it names on the hub, and what it takes over from folders.

use crate::{
    build::inherit,
    catalog::Plugins,
    generation, pipeline,
    session::{PluginSources, Session, placed},
    unused,
};
use framework_base::{Error, Problem, Result};
use framework_core::Kind;
use framework_hub as hub;
use framework_hub::Id;
use framework_recipe::{self as recipe, Parsed, Recipe};
use framework_registry::Registry;
use framework_weights::ModelFolder;
use serde_json::Value;
use std::path::Path;

/// A recipe with every default, those of the weights' folder included, and the keys that come from there.
fn filled(parsed: &Parsed, weights: Option<&Path>, registry: &Registry) -> Result<(Recipe, Vec<String>)> {
    let mut parsed = parsed.clone();
    let taken = weights.map_or(Vec::new(), |folder| parsed.default_generation(folder, &Plugins(registry)));
    Ok((parsed.resolve(&Plugins(registry))?, taken))
}

impl Session {
    /// Reads and checks a recipe. All its problems are told at once; nothing is written but, for what is named by an id
    /// on the hub, small files into the hub's cache.
    pub fn open(path: &Path, overrides: &[String], sources: &PluginSources) -> Result<Self> {
        Self::of(recipe::parse(path, overrides)?, sources)
    }

    /// Another recipe, with the same plugins.
    pub(crate) fn beside(&self, path: &Path) -> Result<Self> {
        Self::with(recipe::parse(path, &[])?, |_| Ok(self.registry.clone()))
    }

    /// [`Session::open`] for work that stops at records and needs no tokenizer.
    pub fn open_for_records(path: &Path, overrides: &[String], sources: &PluginSources) -> Result<Self> {
        Self::of(recipe::parse(path, overrides)?.for_records(), sources)
    }

    /// [`Session::open`] of a recipe that has been read.
    pub(crate) fn of(parsed: Parsed, sources: &PluginSources) -> Result<Self> {
        let mut session = Self::with(parsed, |parsed| sources.open(&parsed.plugins()?))?;
        session.libraries = sources.libraries.clone();
        Ok(session)
    }

    fn with(mut parsed: Parsed, plugins: impl FnOnce(&Parsed) -> Result<Registry>) -> Result<Self> {
        let registry = plugins(&parsed)?;
        if let Some(id) = parsed.unknown_on_hub() {
            let place = |e: Error| placed(&parsed, e.about("model.weights"));
            let folder = hub::resolve(&id, hub::Use::Model).map_err(place)?;
            parsed.set_model_folder(folder);
        }
        let local = parsed.weights();
        let (recipe, taken) = filled(&parsed, local.as_deref(), &registry)?;
        let mut session = Self { recipe, registry, written: Some(parsed), taken, libraries: Vec::new() };
        session.fetch_small_files().map_err(|e| session.placed(e))?;
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
            let ids = pipeline::tokenizer(self).and_then(|tokenizer| tokenizer.encode(text, true)).map_err(about)?;
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
        written.set_model_folder(folder.clone());
        let (mut recipe, taken) = filled(written, Some(folder), &self.registry)?;
        for ((_, _, new), (_, _, resolved)) in recipe.on_hub().into_iter().zip(self.recipe.on_hub()) {
            *new = resolved.take();
        }
        (self.recipe, self.taken) = (recipe, taken);
        Ok(())
    }

    /// Puts folders in the place of ids on the hub.
    fn fetch_small_files(&mut self) -> Result<()> {
        let mut found = Ok(());
        let known = self.written.as_ref().and_then(|written| Some((written.unknown_on_hub()?, written.weights()?)));
        for (key, purpose, path) in self.recipe.on_hub() {
            // What is on this machine has become an absolute path.
            let named = path.as_ref().filter(|path| path.is_relative()).and_then(|path| Id::parse(path.to_str()?));
            let Some(id) = named else { continue };
            let model = known.as_ref().filter(|(known, _)| key == "model.weights" && *known == id);
            match model.map_or_else(|| hub::resolve(&id, purpose), |(_, folder)| Ok(folder.clone())) {
                Ok(folder) => *path = Some(folder),
                Err(e) => found = Error::both(found, Err::<(), _>(e.about(key))).map(drop),
            }
        }
        found
    }

    /// A recipe that nobody wrote.
    pub(crate) fn made_up(parsed: &Parsed, registry: Registry) -> Result<Self> {
        let (recipe, taken) = filled(parsed, parsed.weights().as_deref(), &registry)?;
        let session = Self { recipe, registry, written: None, taken, libraries: Vec::new() };
        session.warn()?;
        Ok(session)
    }

    /// Tells of settings that change nothing.
    fn warn(&self) -> Result<()> {
        unused::warn(self, unused::in_recipe(&self.recipe));
        let generate = &self.recipe.generate;
        let mut idle = generation::sampling_only(&generate.settings);
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
}

/// A recipe made up for a model folder.
pub fn bare_session(model: &Path, template: &str, overrides: &[String], sources: &PluginSources) -> Result<Session> {
    let registry = sources.open(&[])?;
    let folder = ModelFolder::open(model)?;
    let kind = folder.config().get("model_type").and_then(|v| v.as_str()).unwrap_or_default().to_owned();
    let entry = registry.by_alias(Kind::Model, &kind).map_err(|unknown| {
        Error::invalid(Problem::new(format!("{}: model_type `{kind}`: {unknown}", model.display())))
    })?;
    let absolute = std::path::absolute(model).map_err(|e| Error::io("find", model, e))?;
    let table = serde_json::json!({
        "model": { "plugin": entry.about.name, "weights": absolute },
        "prompt": { "template": template },
    });
    let text = toml::to_string(&table).map_err(|e| Error::failed(e.to_string()))?;
    let parsed = recipe::parse_text(Path::new("command line"), text, overrides)?;
    Session::made_up(&parsed, registry)
}
