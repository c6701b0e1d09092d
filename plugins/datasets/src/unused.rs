//! Fields with a known meaning that a dataset leaves out: they are reported.

use crate::rows::Fault;
use framework_sdk::{Record, Skipped, serde_json::Value};

/// Fields of common data sets that change what their authors train.
const KNOWN: [&str; 12] = [
    "instruction",
    "input",
    "output",
    "system",
    "history",
    "tools",
    "chosen",
    "rejected",
    "kto_tag",
    "images",
    "videos",
    "audios",
];

/// The records of rows that come with the fields that no one took; those that are known are reported.
pub fn noted<I: Iterator<Item = Result<(Record, Record), Fault>>>(
    skipped: &Skipped,
    rows: I,
) -> impl Iterator<Item = Result<Record, Fault>> + use<I> {
    let skipped = skipped.clone();
    rows.map(move |row| {
        let (record, rest) = row?;
        let known = KNOWN.iter().filter(|name| rest.get(**name).is_some_and(|value| !empty(value)));
        known.for_each(|name| skipped.field(*name));
        Ok(record)
    })
}

/// Whether a field has nothing in it.
pub fn empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        Value::Array(list) => list.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use framework_sdk::serde_json::json;

    #[test]
    fn known_fields_are_counted() {
        let rests =
            [json!({"images": ["a.png"], "id": 1}), json!({"images": [], "system": "s"}), json!({"images": "b"})];
        let rows = rests.into_iter().map(|rest| Ok((Record::new(), rest.as_object().cloned().unwrap_or_default())));
        let skipped = Skipped::default();
        assert_eq!(noted(&skipped, rows).count(), 3);
        let told: Vec<_> = skipped.take().into_iter().map(|o| (o.reason, o.rows, o.field)).collect();
        assert_eq!(told, [("images".into(), 2, true), ("system".into(), 1, true)]);
    }
}
