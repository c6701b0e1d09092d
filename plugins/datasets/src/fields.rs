//! Fields of the objects in a file.

use crate::{input::Place, rows::Fault};
use framework_sdk::{Record, serde_json::Value};
use std::collections::BTreeMap;

/// A field's text, taken out of the object; none if it is missing or null. Numbers and truth values are written out.
pub fn take(object: &mut Record, name: &str, place: &Place) -> Result<Option<String>, Fault> {
    match object.shift_remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(value @ (Value::Number(_) | Value::Bool(_))) => Ok(Some(value.to_string())),
        Some(other) => Err(place.wrong(format!("the field `{name}` is not text but {}", kind(&other)))),
    }
}

/// A text that must be there; `option` is the key of the recipe that says where.
pub fn need(object: &mut Record, name: &str, option: &str, place: &Place) -> Result<String, Fault> {
    let (names, null) = (names(object), object.get(name).is_some_and(Value::is_null));
    match take(object, name, place)? {
        Some(text) if !text.trim().is_empty() => Ok(text),
        Some(_) => Err(place.wrong(format!("the field `{name}` is empty"))),
        None if null => Err(place.wrong(format!("the field `{name}` is null"))),
        None => {
            Err(place.wrong(format!("there is no field `{name}`, only {names}; name the right one with `{option}`")))
        }
    }
}

/// What a value is, for messages.
pub fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// The object's fields, for messages.
pub fn names(object: &Record) -> String {
    let names: Vec<_> = object.keys().take(20).map(|k| format!("`{k}`")).collect();
    if names.is_empty() { "nothing".into() } else { names.join(", ") }
}

/// Keeps the fields that `columns` names, under their new names and in that order; all of them if it names none.
pub fn rename(mut object: Record, columns: &BTreeMap<String, String>, place: &Place) -> Result<Record, Fault> {
    if columns.is_empty() {
        return Ok(object);
    }
    let known = names(&object);
    let mut record = Record::new();
    let mut uses = columns.values().fold(BTreeMap::new(), |mut uses: BTreeMap<&str, usize>, old| {
        *uses.entry(old).or_default() += 1;
        uses
    });
    for (new, old) in columns {
        let left = uses.get_mut(old.as_str()).map_or(0, |left| {
            *left -= 1;
            *left
        });
        let value = if left > 0 { object.get(old).cloned() } else { object.shift_remove(old) };
        let missing = || place.wrong(format!("there is no field `{old}`, only {known}; correct it in `columns`"));
        record.insert(new.clone(), value.ok_or_else(missing)?);
    }
    Ok(record)
}

#[cfg(test)]
mod tests {
    use super::*;
    use framework_sdk::serde_json::json;
    use std::path::Path;

    fn place() -> Place {
        Place { path: Path::new("a.json").into(), line: 3, column: 1 }
    }

    #[test]
    fn one_column_may_become_two() {
        let columns = BTreeMap::from([("b".into(), "x".into()), ("a".into(), "x".into()), ("c".into(), "y".into())]);
        let object = json!({"x": 1, "y": null, "z": 3}).as_object().unwrap().clone();
        let renamed = rename(object.clone(), &columns, &place()).unwrap();
        assert_eq!(Value::Object(renamed), json!({"a": 1, "b": 1, "c": null}));
        let columns = BTreeMap::from([("a".into(), "w".into())]);
        let Err(Fault::Row(wrong)) = rename(object, &columns, &place()) else { panic!("not refused") };
        assert!(wrong.message.starts_with("there is no field `w`, only `x`, `y`, `z`; "), "{}", wrong.message);
        assert_eq!(wrong.place, "a.json:3:1");
    }
}
