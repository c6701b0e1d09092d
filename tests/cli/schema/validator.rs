//! Draft 7, as far as our schemas use it; any other keyword is an error of the test.

use serde_json::Value;

/// Keywords that only tell people something. Patterns are left to the other validator.
const NOTES: [&str; 8] =
    ["$schema", "title", "description", "default", "definitions", "x-taplo", "pattern", "examples"];

/// Places and sentences.
type Errors = Vec<(String, String)>;

/// Everything that is wrong with a value.
pub fn errors(schema: &Value, value: &Value) -> Errors {
    let mut found = Vec::new();
    check(schema, schema, value, "", &mut found);
    found
}

fn is(root: &Value, schema: &Value, value: &Value) -> bool {
    let mut found = Vec::new();
    check(root, schema, value, "", &mut found);
    found.is_empty()
}

fn check(root: &Value, schema: &Value, value: &Value, at: &str, found: &mut Errors) {
    let keywords = match schema {
        Value::Bool(true) => return,
        Value::Bool(false) => return found.push((at.into(), "nothing may stand here".into())),
        schema => schema.as_object().unwrap_or_else(|| panic!("no schema: {schema}")),
    };
    if let Some(to) = keywords.get("$ref") {
        let target = root.pointer(&to.as_str().unwrap()[1..]).unwrap_or_else(|| panic!("{to} leads nowhere"));
        assert_eq!(keywords.len(), 1, "draft 7 leaves out what stands beside a $ref");
        return check(root, target, value, at, found);
    }
    let list = |keyword: &str| keywords[keyword].as_array().unwrap();
    for (keyword, rule) in keywords {
        let mut wrong = |message: String| found.push((at.to_owned(), message));
        match (keyword.as_str(), value) {
            (note, _) if NOTES.contains(&note) => {}
            ("type", _) => {
                let names = rule.as_array().cloned().unwrap_or_else(|| vec![rule.clone()]);
                if !names.iter().any(|name| has_type(value, name.as_str().unwrap())) {
                    wrong(format!("{value} is no {rule}"));
                }
            }
            ("enum", _) if !rule.as_array().unwrap().contains(value) => wrong(format!("{value} is none of {rule}")),
            ("const", _) if rule != value => wrong(format!("{value} is not {rule}")),
            ("minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum", Value::Number(number)) => {
                let (number, limit) = (number.as_f64().unwrap(), rule.as_f64().unwrap());
                let holds = match keyword.as_str() {
                    "minimum" => number >= limit,
                    "maximum" => number <= limit,
                    "exclusiveMinimum" => number > limit,
                    _ => number < limit,
                };
                if !holds {
                    wrong(format!("{number} is beyond {keyword} {limit}"));
                }
            }
            ("minItems", Value::Array(values)) if (values.len() as u64) < rule.as_u64().unwrap() => {
                wrong("too few".into());
            }
            ("maxItems", Value::Array(values)) if values.len() as u64 > rule.as_u64().unwrap() => {
                wrong("too many".into())
            }
            ("items", Value::Array(values)) => {
                for (i, value) in values.iter().enumerate() {
                    let one = rule.as_array().map_or(Some(rule), |rules| rules.get(i));
                    let one = one.or(keywords.get("additionalItems")).unwrap_or(&Value::Bool(true));
                    check(root, one, value, &format!("{at}/{i}"), found);
                }
            }
            ("required", Value::Object(table)) => {
                for name in rule.as_array().unwrap().iter().filter_map(Value::as_str) {
                    if !table.contains_key(name) {
                        wrong(format!("`{name}` is missing"));
                    }
                }
            }
            ("properties", Value::Object(table)) => {
                for (name, rule) in rule.as_object().unwrap() {
                    if let Some(value) = table.get(name) {
                        check(root, rule, value, &format!("{at}/{name}"), found);
                    }
                }
            }
            ("additionalProperties", Value::Object(table)) => {
                let known = keywords.get("properties").and_then(Value::as_object);
                for (name, value) in table.iter().filter(|(name, _)| !known.is_some_and(|k| k.contains_key(*name))) {
                    match rule {
                        Value::Bool(false) => found.push((at.into(), format!("`{name}` is no key"))),
                        rule => check(root, rule, value, &format!("{at}/{name}"), found),
                    }
                }
            }
            ("anyOf", _) if !list("anyOf").iter().any(|one| is(root, one, value)) => {
                wrong(format!("{value} fits none of anyOf"));
            }
            ("oneOf", _) if list("oneOf").iter().filter(|one| is(root, one, value)).count() != 1 => {
                wrong(format!("{value} fits none or several of oneOf"));
            }
            ("allOf", _) => list("allOf").iter().for_each(|one| check(root, one, value, at, found)),
            ("if", _) => {
                let branch = if is(root, rule, value) { "then" } else { "else" };
                keywords.get(branch).into_iter().for_each(|branch| check(root, branch, value, at, found));
            }
            (known, _) => {
                let all = [
                    "enum",
                    "const",
                    "minimum",
                    "maximum",
                    "exclusiveMinimum",
                    "exclusiveMaximum",
                    "minItems",
                    "maxItems",
                    "items",
                    "additionalItems",
                    "required",
                    "properties",
                    "additionalProperties",
                    "anyOf",
                    "oneOf",
                    "then",
                    "else",
                ];
                assert!(all.contains(&known), "the validator does not know `{known}` at {at}");
            }
        }
    }
}

fn has_type(value: &Value, name: &str) -> bool {
    match name {
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("no type: {other}"),
    }
}
