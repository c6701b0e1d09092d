//! Tables that name a plugin.

use super::clean::cleaned;
use crate::component::Family;
use framework_core::About;
use serde_json::{Map, Value, json};

/// The table of a family; `engine` has the keys that it has with every plugin.
pub(super) fn table(
    family: &Family,
    engine: &Value,
    plugins: &[&About],
    definitions: &mut Map<String, Value>,
) -> Value {
    let variant = |about: &&About| Variant::of(about, vec![about.name.clone()], with_options(engine, about));
    let variants: Vec<_> = plugins.iter().map(variant).collect();
    choice(engine, family.default, variants, definitions)
}

/// The table of the model, whose plugin's options are its `config`.
pub(super) fn model(engine: &Value, plugins: &[&About], definitions: &mut Map<String, Value>) -> Value {
    // It can be known from `weights` or `config`.
    let mut engine = engine.clone();
    remove(&mut engine, "required", "plugin");
    let variants = plugins.iter().map(|about| {
        let mut config = cleaned(&about.schema);
        // Keys of a config.json that make no difference are passed over; which they are depends on their values.
        config["additionalProperties"] = true.into();
        if let Some(keywords) = config.as_object_mut() {
            keywords.remove("required");
        }
        let mut table = engine.clone();
        table["properties"]["config"]["anyOf"] = json!([{ "type": "string" }, config]);
        Variant::of(about, std::iter::once(&about.name).chain(&about.aliases).cloned().collect(), table)
    });
    let variants = variants.collect();
    choice(&engine, None, variants, definitions)
}

/// What a table is with one plugin.
struct Variant {
    /// The definition's name.
    key: String,
    /// What the plugin is called.
    names: Vec<String>,
    summary: String,
    schema: Value,
}

impl Variant {
    fn of(about: &About, names: Vec<String>, mut schema: Value) -> Self {
        schema["properties"]["plugin"]["enum"] = json!(names);
        schema["description"] = about.summary.clone().into();
        if schema["required"].as_array().is_some_and(Vec::is_empty)
            && let Some(keywords) = schema.as_object_mut()
        {
            keywords.remove("required");
        }
        Self { key: format!("{}.{}", about.kind, about.name), names, summary: about.summary.clone(), schema }
    }
}

/// The engine's keys with the plugin's; of two with the same name the engine's counts, as in a recipe.
fn with_options(engine: &Value, about: &About) -> Value {
    let (mut table, options) = (engine.clone(), cleaned(&about.schema));
    let mut properties = Map::new();
    let mut required = Vec::new();
    parts(&options, &mut properties, &mut required);
    if let Some(own) = table["properties"].as_object_mut() {
        required.retain(|name| name.as_str().is_some_and(|name| !own.contains_key(name)));
        for (name, schema) in properties {
            own.entry(name).or_insert(schema);
        }
    }
    if let Some(before) = table["required"].as_array() {
        required.splice(0..0, before.iter().cloned());
    }
    table["required"] = required.into();
    table["additionalProperties"] = options.get("additionalProperties").cloned().unwrap_or(false.into());
    table
}

/// The keys of options, those of parts and alternatives included.
fn parts(options: &Value, properties: &mut Map<String, Value>, required: &mut Vec<Value>) {
    for (name, schema) in options["properties"].as_object().into_iter().flatten() {
        properties.entry(name).or_insert_with(|| schema.clone());
    }
    required.extend(options["required"].as_array().into_iter().flatten().cloned());
    let part = |keyword: &str| options[keyword].as_array().into_iter().flatten();
    part("allOf").for_each(|part| parts(part, properties, required));
    part("anyOf").chain(part("oneOf")).for_each(|part| parts(part, properties, &mut Vec::new()));
}

/// A table whose keys depend on its plugin. A table that names none has `default`.
fn choice(
    engine: &Value,
    default: Option<&str>,
    variants: Vec<Variant>,
    definitions: &mut Map<String, Value>,
) -> Value {
    if variants.is_empty() {
        return engine.clone();
    }
    let mut named = engine["properties"]["plugin"].clone();
    let names = variants.iter().flat_map(|one| one.names.iter().map(|name| (name, &one.summary)));
    let (names, summaries): (Vec<_>, Vec<_>) = names.unzip();
    named["enum"] = json!(names);
    named["x-taplo"] = json!({ "docs": { "enumValues": summaries } });
    let mut table = json!({ "type": "object", "properties": { "plugin": named } });
    for keyword in ["description", "default", "required"] {
        if let Some(value) = engine.get(keyword) {
            table[keyword] = value.clone();
        }
    }
    let reference = |one: &Variant| json!({ "$ref": format!("#/definitions/{}", one.key) });
    // Everything fits the first, so that this is for completion alone.
    let all = std::iter::once(json!({})).chain(variants.iter().map(reference));
    table["anyOf"] = all.collect();
    // Of a plugin that there is not, the other keys are not known.
    let mut chain = engine.clone();
    for one in variants.iter().rev() {
        let mut test = json!({ "properties": { "plugin": { "enum": one.names } } });
        if default != one.names.first().map(String::as_str) {
            test["required"] = json!(["plugin"]);
        }
        chain = json!({ "if": test, "then": reference(one), "else": chain });
    }
    if let (Some(table), Value::Object(chain)) = (table.as_object_mut(), chain) {
        table.extend(chain.into_iter().filter(|(keyword, _)| ["if", "then", "else"].contains(&keyword.as_str())));
    }
    definitions.extend(variants.into_iter().map(|one| (one.key, one.schema)));
    table
}

fn remove(schema: &mut Value, keyword: &str, name: &str) {
    if let Some(list) = schema[keyword].as_array_mut() {
        list.retain(|one| one != name);
    }
}
