//! Which architecture a recipe's model has: the plugin that it names, by its own name or by a `model_type` of
//! transformers, or the one that fits the `config.json` of its folder.

use super::{
    Catalog, Parsed,
    check::Checker,
    node::{Content, Entry, Node},
};
use framework_base::{Problem, id::Id};
use framework_core::Kind;
use std::path::PathBuf;

/// Where a plugin reads several architectures, the `model_type` by which the recipe names it says which. A table of
/// settings without one gets it: the plugin's default may be another architecture.
fn keep_model_type(model: &mut [Entry], plugin: &str, given: &str, catalog: &dyn Catalog) {
    let reads =
        catalog.about(Kind::Model, plugin).is_ok_and(|about| !about.schema["properties"]["model_type"].is_null());
    let Some(config) = model.iter_mut().find(|entry| entry.name == "config").filter(|_| reads) else { return };
    let origin = config.node.origin;
    let Content::Table(settings) = &mut config.node.content else { return };
    if !settings.iter().any(|entry| entry.name == "model_type") {
        // `Qwen3ForCausalLM` is the class of transformers for `qwen3`.
        let kind = given.strip_suffix("ForCausalLM").map_or_else(|| given.to_owned(), str::to_lowercase);
        settings.push(Entry::from_json("model_type", &kind.into(), origin));
    }
}

impl Parsed {
    /// Writes the architecture's plugin, by its own name, into the recipe's `[model]`.
    pub(super) fn name_architecture(&self, root: &mut Node, catalog: &dyn Catalog) {
        let fitting = self.model_type(root).and_then(|kind| catalog.named(Kind::Model, &kind));
        let Content::Table(tables) = &mut root.content else { return };
        let Some(model) = tables.iter_mut().find(|entry| entry.name == "model") else { return };
        let origin = model.node.origin;
        let Content::Table(keys) = &mut model.node.content else { return };
        match keys.iter_mut().find(|entry| entry.name == "plugin") {
            Some(entry) => {
                let given = entry.node.text().unwrap_or_default().to_owned();
                let Some(name) = catalog.named(Kind::Model, &given) else { return };
                entry.node = Node::from_json(&name.as_str().into(), entry.node.origin);
                if name != given {
                    keep_model_type(keys, &name, &given, catalog);
                }
            }
            None => keys.extend(fitting.map(|name| Entry::from_json("plugin", &name.into(), origin))),
        }
    }

    /// Notes a plugin that is another than the one that fits the folder.
    pub(super) fn check_architecture(&self, checker: &mut Checker, root: &Node, catalog: &dyn Catalog) {
        let Some((plugin, name)) = root.at("model.plugin").and_then(|node| Some((node, node.text()?))) else { return };
        let Some(kind) = self.model_type(root) else { return };
        // One without names of transformers does not say what it reads: a third party's may be for this very model.
        let known = catalog.about(Kind::Model, name).is_ok_and(|about| !about.aliases.is_empty());
        let fitting = catalog.named(Kind::Model, &kind).filter(|fitting| known && fitting != name);
        if let Some(fitting) = fitting {
            let message = format!("`{name}` is another architecture than the model's, whose model_type is `{kind}`");
            let problem = Problem::new(message).help(format!("plugin = \"{fitting}\", or leave the key out"));
            checker.add(plugin.origin, "model.plugin", problem);
        }
    }

    /// The id on the hub whose `config.json` has to be read before the recipe can be checked, because the recipe does not
    /// say which architecture it has.
    pub fn unknown_on_hub(&self) -> Option<Id> {
        let model = self.root.get("model").filter(|model| model.get("plugin").is_none())?;
        let node = model.get("weights")?;
        let path = super::paths::resolve(&self.source, node.origin, node.text()?, Some("model")).ok()?;
        Id::parse(path.to_str()?).filter(|_| path.is_relative())
    }

    /// Notes the folder of the model's id on the hub.
    pub fn set_model_folder(&mut self, folder: PathBuf) {
        self.from_hub = Some(folder);
    }

    /// The `model_type` of the configuration that the recipe names.
    fn model_type(&self, root: &Node) -> Option<String> {
        let model = root.get("model")?;
        if let Some(kind) = model.get("config").and_then(|config| config.get("model_type")) {
            return kind.text().map(str::to_owned);
        }
        let path = |key: &str, what: &'static str| -> Option<PathBuf> {
            let node = model.get(key)?;
            super::paths::resolve(&self.source, node.origin, node.text()?, Some(what)).ok()
        };
        let folder = path("weights", "model").map(|path| self.from_hub.clone().unwrap_or(path));
        let file = folder.map(|folder| folder.join("config.json")).or_else(|| path("config", "file"))?;
        let bytes = std::fs::read(file).ok()?;
        let config: serde_json::Value = framework_base::json::from_slice(&bytes).ok()?;
        config["model_type"].as_str().map(str::to_owned)
    }
}
