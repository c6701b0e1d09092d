//! The registry as recipes see it.

use crate::recipe::Catalog;
use framework_core::{About, Kind, PluginError};
use framework_registry::Registry;
use serde_json::Value;

impl Catalog for Registry {
    fn about(&self, kind: Kind, name: &str) -> Result<About, String> {
        self.find(kind, name).map(|entry| entry.about.clone()).map_err(|unknown| unknown.to_string())
    }

    fn named(&self, kind: Kind, name: &str) -> Option<String> {
        self.by_alias(kind, name).ok().map(|entry| entry.about.name.clone())
    }

    fn fill(&self, kind: Kind, name: &str, options: &Value) -> Result<Value, PluginError> {
        self.find(kind, name).map_err(|unknown| PluginError::new(unknown.to_string()))?.fill(options)
    }
}
