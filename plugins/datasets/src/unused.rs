//! Fields with a known meaning that a dataset leaves out: they are counted, and named once in the log.

use crate::rows::Fault;
use framework_sdk::{Record, serde_json::Value, tracing};
use std::collections::BTreeMap;

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

/// How many rows had which field that was left out.
#[derive(Debug, Default)]
struct Unused(BTreeMap<&'static str, u64>);

impl Unused {
    fn note(&mut self, rest: &Record) {
        for name in KNOWN.iter().filter(|name| rest.get(**name).is_some_and(|value| !empty(value))) {
            *self.0.entry(name).or_default() += 1;
        }
    }

    fn message(&self, plugin: &str) -> Option<String> {
        let fields: Vec<_> = self
            .0
            .iter()
            .map(|(name, rows)| format!("`{name}` ({rows} row{})", if *rows == 1 { "" } else { "s" }))
            .collect();
        (!fields.is_empty()).then(|| format!("{plugin} does not use these fields: {}", fields.join(", ")))
    }
}

/// The records of rows that come with the fields that no one took; says at the end which of those are known.
pub fn noted(
    plugin: &'static str,
    mut rows: impl Iterator<Item = Result<(Record, Record), Fault>>,
) -> impl Iterator<Item = Result<Record, Fault>> {
    let mut unused = Unused::default();
    std::iter::from_fn(move || {
        let Some(row) = rows.next() else {
            if let Some(message) = std::mem::take(&mut unused).message(plugin) {
                tracing::warn!("{message}");
            }
            return None;
        };
        Some(row.map(|(record, rest)| {
            unused.note(&rest);
            record
        }))
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
        let mut unused = Unused::default();
        for rest in
            [json!({"images": ["a.png"], "id": 1}), json!({"images": [], "system": "s"}), json!({"images": "b"})]
        {
            unused.note(rest.as_object().unwrap());
        }
        let message = unused.message("toy").unwrap();
        assert_eq!(message, "toy does not use these fields: `images` (2 rows), `system` (1 row)");
        assert_eq!(Unused::default().message("toy"), None);
    }
}
