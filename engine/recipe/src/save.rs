//! The filled recipe as TOML.

use super::Recipe;
use serde_json::Value;

impl Recipe {
    /// The recipe with every default written out; read again, it gives an equal recipe.
    pub fn to_toml(&self) -> String {
        let mut value = serde_json::to_value(self).expect("a recipe is made of strings, numbers, lists and tables");
        without_nulls(&mut value);
        toml::to_string(&value).expect("what is not null has a form in TOML")
    }
}

/// TOML has no null: a key without a value is left out.
fn without_nulls(value: &mut Value) {
    match value {
        Value::Array(list) => {
            list.retain(|v| !v.is_null());
            list.iter_mut().for_each(without_nulls);
        }
        Value::Object(map) => {
            map.retain(|_, v| !v.is_null());
            map.values_mut().for_each(without_nulls);
        }
        _ => {}
    }
}
