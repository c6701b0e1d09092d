//! What templates see of a record.

use framework_core::Record;
use minijinja::value::Serde;
use serde_json::Value;
use std::collections::BTreeMap;

/// Names under which datasets have the task; the first is the one that built-in templates read.
const TASK: [&str; 3] = ["instruction", "question", "prompt"];
/// Names under which datasets have the answer.
pub(super) const ANSWER: [&str; 4] = ["output", "answer", "response", "completion"];

/// Variables of a template, by name.
pub(super) type Fields = BTreeMap<String, minijinja::Value>;

/// The record's fields, with the task and the answer under all their names and as text. Nulls count as missing.
pub(super) fn fields(record: &Record, answer: Option<&str>) -> Fields {
    let there = record.iter().filter(|(_, value)| !value.is_null());
    let mut fields: Fields = there.map(|(key, value)| (key.clone(), variable(key, value))).collect();
    alias(&mut fields, &TASK, find(record, &TASK).map(as_text).as_deref());
    for name in ANSWER {
        fields.remove(name);
    }
    alias(&mut fields, &ANSWER, answer);
    fields.insert("record".into(), Serde(record).into());
    fields
}

fn alias(fields: &mut Fields, names: &[&str], text: Option<&str>) {
    for name in names {
        if let Some(text) = text {
            fields.entry((*name).to_owned()).or_insert_with(|| text.into());
        }
    }
}

/// What templates usually print is text even if the record has numbers or nested objects there.
fn variable(key: &str, value: &Value) -> minijinja::Value {
    if key == "input" || TASK.contains(&key) { as_text(value).into() } else { Serde(value).into() }
}

/// The record's task.
pub(super) fn task(record: &Record) -> Option<String> {
    find(record, &TASK).map(as_text)
}

/// The record's answer.
pub(super) fn answer(record: &Record) -> Option<String> {
    find(record, &ANSWER).map(as_text)
}

/// The whole text of a record that is to be learned as it stands.
pub(super) fn whole_text(record: &Record) -> Option<String> {
    let text = find(record, &["text"])?;
    answer(record).is_none().then(|| as_text(text))
}

fn find<'a>(record: &'a Record, names: &[&str]) -> Option<&'a Value> {
    names.iter().find_map(|name| record.get(*name).filter(|value| !value.is_null()))
}

/// A string as it is, anything else as JSON.
pub(super) fn as_text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// All strings of a record, however deep: what a tokenizer is trained on.
pub fn texts(record: &Record) -> Vec<&str> {
    fn collect<'a>(value: &'a Value, out: &mut Vec<&'a str>) {
        match value {
            Value::String(text) => out.push(text),
            Value::Array(list) => list.iter().for_each(|value| collect(value, out)),
            Value::Object(map) => map.values().for_each(|value| collect(value, out)),
            _ => {}
        }
    }
    let mut out = Vec::new();
    record.values().for_each(|value| collect(value, &mut out));
    out
}

/// The record's keys for messages.
pub(super) fn keys(record: &Record) -> String {
    let keys: Vec<_> = record.iter().filter(|(_, v)| !v.is_null()).map(|(key, _)| format!("`{key}`")).collect();
    if keys.is_empty() { "no keys".into() } else { keys.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::test::record;
    use serde_json::json;

    #[test]
    fn the_same_thing_by_other_names() {
        for (q, a) in
            [("instruction", "output"), ("question", "answer"), ("prompt", "response"), ("prompt", "completion")]
        {
            let r = record(json!({ q: "Q", a: 7 }));
            assert_eq!((task(&r).unwrap(), answer(&r).unwrap()), ("Q".to_owned(), "7".to_owned()));
            let fields = fields(&r, Some("A"));
            for name in TASK {
                assert_eq!(fields[name].as_str(), Some("Q"));
            }
            for name in ANSWER {
                assert_eq!(fields[name].as_str(), Some("A"));
            }
        }
    }

    #[test]
    fn objects_are_json_in_their_own_order() {
        let r = record(json!({ "question": "问", "answer": { "答案": "是", "ab": [1, 2.5, true] } }));
        assert_eq!(answer(&r).unwrap(), r#"{"答案":"是","ab":[1,2.5,true]}"#);
    }

    #[test]
    fn only_a_text_alone_is_learned_whole() {
        assert_eq!(whole_text(&record(json!({ "text": "a", "output": null }))).unwrap(), "a");
        assert_eq!(whole_text(&record(json!({ "text": "a", "output": "b" }))), None);
    }

    #[test]
    fn all_texts_of_a_record() {
        assert_eq!(texts(&record(json!({ "a": "x", "b": { "c": ["y", 1] } }))), ["x", "y"]);
    }
}
