//! Schemas as schemars derives them, in the form of draft 7, everything written out in place.

use serde_json::{Map, Value, json};

/// A document without references, `null` and keywords that are ours.
///
/// TOML has no `null`: what is optional is left out. A reference within what it refers to becomes a schema that everything
/// fits. Tables have no keys but those that are listed, as in recipes, unless the schema says what other keys take.
pub(super) fn cleaned(document: &Value) -> Value {
    let mut cleaner = Cleaner { document, open: Vec::new() };
    cleaner.schema(document)
}

struct Cleaner<'a> {
    document: &'a Value,
    /// The references that are being written out.
    open: Vec<&'a str>,
}

/// What holds one schema, a list of schemas or schemas by name.
const ONE: [&str; 3] = ["items", "additionalProperties", "not"];
const LISTS: [&str; 4] = ["anyOf", "oneOf", "allOf", "prefixItems"];
const NAMED: [&str; 2] = ["properties", "patternProperties"];

impl<'a> Cleaner<'a> {
    fn schema(&mut self, schema: &'a Value) -> Value {
        let Value::Object(keywords) = schema else { return schema.clone() };
        let mut out = self.referred(keywords);
        for (keyword, value) in keywords.iter().filter(|(keyword, _)| keeps(keyword)) {
            let value = match value {
                Value::Array(list) if LISTS.contains(&keyword.as_str()) => {
                    list.iter().filter(|one| one["type"] != "null").map(|one| self.schema(one)).collect()
                }
                Value::Object(named) if NAMED.contains(&keyword.as_str()) => {
                    Value::Object(named.iter().map(|(name, one)| (name.clone(), self.schema(one))).collect())
                }
                one if ONE.contains(&keyword.as_str()) => self.schema(one),
                other => without_null(other),
            };
            out.insert(keyword.clone(), value);
        }
        if out.get("default").is_some_and(Value::is_null) {
            out.remove("default");
        }
        shorten(&mut out);
        choices(&mut out);
        positions(&mut out);
        if out.get("type").is_some_and(|of| of == "object") {
            out.entry("additionalProperties").or_insert(false.into());
        }
        Value::Object(out)
    }

    /// What a reference leads to.
    fn referred(&mut self, keywords: &'a Map<String, Value>) -> Map<String, Value> {
        let Some(to) = keywords.get("$ref").and_then(Value::as_str) else { return Map::new() };
        let target = to.strip_prefix('#').and_then(|pointer| self.document.pointer(pointer));
        let Some(target) = target.filter(|_| !self.open.contains(&to)) else { return Map::new() };
        self.open.push(to);
        let written = self.schema(target);
        self.open.pop();
        written.as_object().cloned().unwrap_or_default()
    }
}

/// Keywords that other programs know. The formats of schemars are types of Rust.
fn keeps(keyword: &str) -> bool {
    !keyword.starts_with("x-") && !["$ref", "$defs", "$schema", "title", "format"].contains(&keyword)
}

/// A type, an enumeration or a default without `null`.
fn without_null(value: &Value) -> Value {
    match value {
        Value::Array(list) => {
            let kept: Vec<_> = list.iter().filter(|one| !one.is_null() && *one != "null").map(without_null).collect();
            Value::Array(kept)
        }
        Value::Object(table) => {
            let kept = table.iter().filter(|(_, one)| !one.is_null());
            Value::Object(kept.map(|(key, one)| (key.clone(), without_null(one))).collect())
        }
        other => other.clone(),
    }
}

/// Lists with one element are that element.
fn shorten(out: &mut Map<String, Value>) {
    if let Some([of]) = out.get("type").and_then(Value::as_array).map(Vec::as_slice) {
        let of = of.clone();
        out.insert("type".into(), of);
    }
    for keyword in ["anyOf", "oneOf", "allOf"] {
        let Some([Value::Object(one)]) = out.get(keyword).and_then(Value::as_array).map(Vec::as_slice) else {
            continue;
        };
        let one = one.clone();
        out.remove(keyword);
        // What is said here goes before what is said of the type.
        for (keyword, value) in one {
            out.entry(keyword).or_insert(value);
        }
    }
}

/// Alternatives that are all strings as one enumeration, with their documentation as Taplo shows it: an editor then says
/// which strings there are, and not that none of several schemas fits.
fn choices(out: &mut Map<String, Value>) {
    let keyword = if out.contains_key("oneOf") { "oneOf" } else { "anyOf" };
    let Some(parts) = out.get(keyword).and_then(Value::as_array) else { return };
    let (mut names, mut texts) = (Vec::new(), Vec::new());
    for part in parts {
        let list = part["enum"].as_array().cloned().or_else(|| Some(vec![part.get("const")?.clone()]));
        let Some(list) = list.filter(|list| list.iter().all(Value::is_string)) else { return };
        let documented = part.pointer("/x-taplo/docs/enumValues").and_then(Value::as_array);
        texts.extend((0..list.len()).map(|i| documented.map_or(part["description"].clone(), |d| d[i].clone())));
        names.extend(list);
    }
    out.remove(keyword);
    out.insert("type".into(), "string".into());
    out.insert("enum".into(), names.into());
    if texts.iter().any(|text| !text.is_null()) {
        out.insert("x-taplo".into(), json!({ "docs": { "enumValues": texts } }));
    }
}

/// What draft 7 calls the elements of a list by position.
fn positions(out: &mut Map<String, Value>) {
    let Some(first) = out.remove("prefixItems") else { return };
    if let Some(rest) = out.insert("items".into(), first) {
        out.insert("additionalItems".into(), rest);
    }
}
