//! Which architecture a recipe's model has: the plugin that it names, by its own name or by a `model_type` of
//! transformers, or the one that fits the `config.json` of its folder.

use super::{
    Catalog, Parsed,
    check::Checker,
    node::{Content, Entry, Node},
};
use crate::Problem;
use framework_core::Kind;
use std::path::PathBuf;

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
                let canonical = entry.node.text().and_then(|name| catalog.named(Kind::Model, name));
                if let Some(name) = canonical {
                    entry.node = Node::from_json(&name.into(), entry.node.origin);
                }
            }
            None => keys.extend(fitting.map(|name| Entry::from_json("plugin", &name.into(), origin))),
        }
    }

    /// Notes a plugin that is another than the one that fits the folder.
    pub(super) fn check_architecture(&self, checker: &mut Checker, root: &Node, catalog: &dyn Catalog) {
        let Some((plugin, name)) = root.at("model.plugin").and_then(|node| Some((node, node.text()?))) else { return };
        let Some(kind) = self.model_type(root) else { return };
        let known = catalog.about(Kind::Model, name).is_ok();
        let fitting = catalog.named(Kind::Model, &kind).filter(|fitting| known && fitting != name);
        if let Some(fitting) = fitting {
            let message = format!("`{name}` is another architecture than the model's, whose model_type is `{kind}`");
            let problem = Problem::new(message).help(format!("plugin = \"{fitting}\", or leave the key out"));
            checker.add(plugin.origin, "model.plugin", problem);
        }
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
        let file =
            path("weights", "model").map(|folder| folder.join("config.json")).or_else(|| path("config", "file"))?;
        let bytes = std::fs::read(file).ok()?;
        let text = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&bytes);
        let config: serde_json::Value = serde_json::from_slice(text).ok()?;
        config["model_type"].as_str().map(str::to_owned)
    }
}
