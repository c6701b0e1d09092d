//! Options of a plugin: a serde struct whose doc comments are its documentation.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{borrow::Cow, ops::Deref, path::Path, path::PathBuf};

/// What every plugin type is: a serde struct, filled from the recipe's table.
///
/// Implemented for every type that has the parts; the SDK's `options!` derives them.
pub trait Options: Serialize + DeserializeOwned + JsonSchema + Send + Sync + 'static {}
impl<T: Serialize + DeserializeOwned + JsonSchema + Send + Sync + 'static> Options for T {}

/// The JSON Schema of a plugin's options.
pub fn schema_of<T: JsonSchema>() -> serde_json::Value {
    schemars::schema_for!(T).to_value()
}

/// A path in a plugin's options. The engine makes it absolute, relative to the recipe's folder, before the plugin sees
/// it, reports it if nothing is there, and records the file's hash with the run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FilePath(pub PathBuf);

impl Deref for FilePath {
    type Target = Path;
    fn deref(&self) -> &Path {
        &self.0
    }
}

impl JsonSchema for FilePath {
    fn schema_name() -> Cow<'static, str> {
        "FilePath".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({ "type": "string", "format": "path" })
    }
}
