//! The JSON Schema of a recipe, for editors: the recipe's own tables with the options of the plugins in them.
//!
//! It is written for what editors of TOML do with a schema. Taplo reads completions and documentation through `properties`,
//! `anyOf` and `$ref`, but not through `then`, and leaves out what stands beside a `$ref`. So a table that names a plugin
//! lists the plugins' tables twice: in `anyOf` beside a schema that everything fits, for completion, and in a chain of `if`
//! and `then`, which tells what is wrong with one key instead of "fits none of these". All else is written out in place.
//! Draft 7 is the newest that all of them know.

mod clean;
mod component;
#[cfg(test)]
mod tests;

use super::{Recipe, component::FAMILIES};
use clean::cleaned;
use framework_core::{About, Kind};
use serde_json::{Map, Value, json};

/// The schema of recipes that can name these plugins.
///
/// What depends on several keys is left to [`Parsed::resolve`](super::Parsed::resolve): a valid recipe can still be wrong.
pub fn json_schema(plugins: &[&About]) -> Value {
    let mut recipe = cleaned(&framework_core::schema_of::<Recipe>());
    let mut definitions = Map::new();
    for family in &FAMILIES {
        let named: Vec<_> = plugins.iter().copied().filter(|about| about.kind == family.kind).collect();
        let table = &mut recipe["properties"][family.key];
        let table = if family.list { &mut table["items"] } else { table };
        *table = component::table(family, table, &named, &mut definitions);
    }
    let models: Vec<_> = plugins.iter().copied().filter(|about| about.kind == Kind::Model).collect();
    let model = &mut recipe["properties"]["model"];
    *model = component::model(model, &models, &mut definitions);
    let mut document = json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Recipe of framework",
    });
    if let (Value::Object(document), Value::Object(recipe)) = (&mut document, recipe) {
        document.extend(recipe);
        document.insert("definitions".into(), definitions.into());
    }
    document
}
