//! The registry as recipes see it.

use framework_core::{About, Kind, PluginError};
use framework_recipe::Catalog;
use framework_registry::Registry;
use serde_json::Value;

/// The plugins of a registry, for recipes.
pub(crate) struct Plugins<'a>(pub &'a Registry);

impl Catalog for Plugins<'_> {
    fn about(&self, kind: Kind, name: &str) -> Result<About, String> {
        self.0.find(kind, name).map(|entry| entry.about.clone()).map_err(|unknown| unknown.to_string())
    }

    fn named(&self, kind: Kind, name: &str) -> Option<String> {
        self.0.by_alias(kind, name).ok().map(|entry| entry.about.name.clone())
    }

    fn fill(&self, kind: Kind, name: &str, options: &Value) -> Result<Value, PluginError> {
        self.0.find(kind, name).map_err(|unknown| PluginError::new(unknown.to_string()))?.fill(options)
    }
}
