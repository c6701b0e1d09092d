//! Answers that are to be JSON of a given form.
//!
//! The form is a JSON Schema of which these keywords are known: `type`, `properties`, `required`, `additionalProperties`,
//! `items`, `minItems`, `enum`; `$schema`, `title` and `description` say nothing about values. Others are an error, so that
//! no condition is passed over in silence.

use crate::{Counted, Pair, json::parsed, mean};
use serde_json::{Map, Value};

/// The form of answers about a magazine's articles: what the augmenter `qa-pairs` writes.
const MAGAZINE: &str = include_str!("magazine.schema.json");

/// A schema whose keywords are all known.
#[derive(Debug, Clone, PartialEq)]
pub struct Schema(Value);

impl Schema {
    /// The form of answers about a magazine's articles.
    pub fn magazine() -> Self {
        Self(serde_json::from_str(MAGAZINE).expect("it is part of this crate"))
    }

    /// A schema from its text.
    ///
    /// # Errors
    /// A sentence that says what is not JSON, or which keyword is unknown, and where.
    pub fn read(text: &str) -> Result<Self, String> {
        let schema = serde_json::from_str(text).map_err(|e| format!("it is not JSON: {e}"))?;
        known(&schema, "")?;
        Ok(Self(schema))
    }

    /// Whether a value has this form.
    pub fn allows(&self, value: &Value) -> bool {
        allows(&self.0, value)
    }
}

/// The share of answers that are JSON of this form.
pub fn conforming(pairs: &[Pair], schema: &Schema) -> Box<dyn Counted> {
    mean(pairs.iter().map(|pair| Some(f64::from(parsed(&pair.answer).is_some_and(|value| schema.allows(&value))))))
}

fn known(schema: &Value, place: &str) -> Result<(), String> {
    let table = match schema {
        Value::Bool(_) => return Ok(()),
        Value::Object(table) => table,
        other => return Err(format!("{place}: a schema is an object or a truth value, not {other}")),
    };
    for (keyword, value) in table {
        let place = format!("{place}/{keyword}");
        match keyword.as_str() {
            "$schema" | "title" | "description" => {}
            "type" if types(value).all(|name| name.is_some_and(|name| TYPES.contains(&name))) => {}
            "required" if value.as_array().is_some_and(|names| names.iter().all(Value::is_string)) => {}
            "enum" if value.is_array() => {}
            "minItems" if value.is_u64() => {}
            "properties" if value.is_object() => {
                let all = value.as_object().into_iter().flatten();
                all.into_iter().try_for_each(|(name, schema)| known(schema, &format!("{place}/{name}")))?;
            }
            "items" | "additionalProperties" => known(value, &place)?,
            "type" | "required" | "enum" | "minItems" | "properties" => {
                return Err(format!("{place}: {value} is not what this keyword takes"));
            }
            _ => {
                let names = "type, properties, required, additionalProperties, items, minItems and enum";
                return Err(format!("{place}: this keyword is not supported; {names} are"));
            }
        }
    }
    Ok(())
}

const TYPES: [&str; 7] = ["object", "array", "string", "number", "integer", "boolean", "null"];

/// The names that `type` has: one, or a list.
fn types(value: &Value) -> impl Iterator<Item = Option<&str>> {
    let list = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
    list.iter().map(Value::as_str)
}

fn allows(schema: &Value, value: &Value) -> bool {
    let Value::Object(schema) = schema else { return schema != &Value::Bool(false) };
    let is = |name: &str| match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "number" => value.is_number(),
        "integer" => value.as_f64().is_some_and(|x| x.fract() == 0.0),
        "boolean" => value.is_boolean(),
        _ => value.is_null(),
    };
    schema.get("type").is_none_or(|names| types(names).flatten().any(is))
        && schema.get("enum").and_then(Value::as_array).is_none_or(|values| values.contains(value))
        && value.as_object().is_none_or(|table| allows_table(schema, table))
        && value.as_array().is_none_or(|list| allows_list(schema, list))
}

fn allows_table(schema: &Map<String, Value>, table: &Map<String, Value>) -> bool {
    static ANY: Value = Value::Bool(true);
    let required = schema.get("required").and_then(Value::as_array).into_iter().flatten();
    let others = schema.get("additionalProperties").unwrap_or(&ANY);
    let of = |name: &str| schema.get("properties").and_then(|known| known.get(name)).unwrap_or(others);
    required.filter_map(Value::as_str).all(|name| table.contains_key(name))
        && table.iter().all(|(name, value)| allows(of(name), value))
}

fn allows_list(schema: &Map<String, Value>, list: &[Value]) -> bool {
    let fewest = schema.get("minItems").and_then(Value::as_u64).unwrap_or(0);
    list.len() as u64 >= fewest && schema.get("items").is_none_or(|of| list.iter().all(|value| allows(of, value)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_form_is_what_the_keywords_say() {
        let text = r#"{"type": "object", "required": ["a"], "additionalProperties": false, "properties":
            {"a": {"type": ["string", "null"]}, "b": {"type": "array", "minItems": 1, "items": {"enum": [1, "x"]}},
             "c": {"type": "integer"}}}"#;
        let schema = Schema::read(text).unwrap();
        let allowed = [json!({"a": null}), json!({"a": "", "b": [1, "x"], "c": 2.0})];
        let refused = [
            json!({}),
            json!({"a": 1}),
            json!({"a": "", "d": 1}),
            json!({"a": "", "b": []}),
            json!({"a": "", "b": [2]}),
            json!({"a": "", "c": 2.5}),
            json!([]),
        ];
        assert!(allowed.iter().all(|value| schema.allows(value)));
        assert!(!refused.iter().any(|value| schema.allows(value)));
    }

    #[test]
    fn nothing_is_passed_over() {
        let error = |text: &str| Schema::read(text).unwrap_err();
        assert!(error("{").starts_with("it is not JSON: "));
        assert!(error(r#"{"properties": {"a": {"pattern": "x"}}}"#).starts_with("/properties/a/pattern: this keyword"));
        assert_eq!(error(r#"{"type": "text"}"#), "/type: \"text\" is not what this keyword takes");
        assert!(error("[]").contains("not []"));
    }
}
