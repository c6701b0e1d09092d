//! Checks of what a plugin says about itself.

use super::wrong;
use crate::{About, PluginError, Result, ffi::Build};
use serde_json::Value;

/// Name, aliases, version, summary and option documentation are there and well-formed. Names all that is wrong.
pub fn documentation(about: &About) -> Result<()> {
    let mut problems = Vec::new();
    if !About::is_name(&about.name) {
        problems.push(format!("the name `{}` is not kebab-case, like `my-plugin`", about.name));
    }
    for alias in &about.aliases {
        if alias.is_empty() || alias.contains(char::is_whitespace) {
            problems.push(format!("the alias `{alias}` is empty or has spaces"));
        }
    }
    if about.version.is_empty() {
        problems.push("there is no version".into());
    }
    if about.summary.is_empty() {
        problems.push("the options struct has no doc comment".into());
    }
    for (option, schema) in about.schema["properties"].as_object().into_iter().flatten() {
        if !schema["description"].is_string() {
            problems.push(format!("option `{option}` has no doc comment"));
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(wrong(&about.label(), problems.join("; "))) }
}

/// A TOML table as JSON options.
pub fn table(toml: &str) -> Result<Value> {
    toml::from_str(toml).map_err(|e| PluginError::new(e.to_string().trim_end()))
}

/// The example as options, without the `plugin` line if it has one.
pub fn example(about: &About) -> Result<Value> {
    let mut options =
        table(&about.example).map_err(|e| wrong(&about.label(), format!("the example is not TOML: {}", e.message)))?;
    if let Some(options) = options.as_object_mut() {
        options.remove("plugin");
    }
    Ok(options)
}

/// Builds the plugin from `options` and returns all options. Every default is filled in, and building from the filled
/// options changes nothing.
pub fn defaults(about: &About, build: &Build, label: &str, options: &Value) -> Result<Value> {
    let filled = build.fill(about.kind, label, options)?;
    for (option, schema) in about.schema["properties"].as_object().into_iter().flatten() {
        if schema.get("default").is_some_and(|d| !d.is_null()) && filled.get(option).is_none() {
            return Err(wrong(label, format!("option `{option}` has a default that is not filled in")));
        }
    }
    match build.fill(about.kind, label, &filled)? {
        again if again == filled => Ok(filled),
        again => Err(wrong(label, format!("the filled options {filled} become {again} when read again"))),
    }
}
