//! What the tests of this module share: plugins linked into the test program.

use super::{Source, Stage};
use crate::recipe::Split;
use framework_core::{Record, ffi};
use framework_sdk::prelude::*;

/// A record from JSON.
pub(crate) fn record(fields: serde_json::Value) -> Record {
    fields.as_object().cloned().expect("a record is a JSON object")
}

options! {
    /// Counts: records `{"id": name/number, "instruction": number, "output": number}`.
    pub struct Counting {
        name: String,
        rows: usize,
        #[serde(default)]
        fails_at: Option<usize>,
        #[serde(default)]
        panics: bool,
    }
}

impl Dataset for Counting {
    fn open(&self) -> Result<Records> {
        assert!(!self.panics, "on purpose");
        let Counting { name, rows, fails_at, .. } = self.clone();
        Ok(Box::new((0..rows).map(move |i| match fails_at {
            Some(row) if row == i => Err(PluginError::at("data.csv".as_ref(), i as u64 + 1, "3 fields, expected 2")),
            _ => Ok(record(json!({ "id": format!("{name}{i}"), "instruction": i, "output": i }))),
        })))
    }
}

register!(dataset "test-counting" => Counting, example = "");

options! {
    /// Yields each record and a copy that knows the seed.
    pub struct Doubling {}
}

impl Augmenter for Doubling {
    fn augment(&self, records: Records, seed: u64) -> Result<Records> {
        Ok(each(records, move |record| {
            let mut copy = record.clone();
            copy.insert("seed".into(), seed.into());
            Ok(vec![record, copy])
        }))
    }
}

register!(augmenter "test-doubling" => Doubling, example = "");

fn build(name: &str) -> ffi::Build {
    ffi::linked().into_iter().find(|d| d.about.name == name).expect("registered above").build
}

/// A dataset of so many records.
pub(crate) fn source(name: &str, rows: usize, split: Split, weight: f64) -> Source {
    source_of(json!({ "name": name, "rows": rows }), split, weight)
}

pub(crate) fn source_of(options: serde_json::Value, split: Split, weight: f64) -> Source {
    let dataset = build("test-counting").dataset("test-counting", &options).unwrap();
    Source { name: "test-counting".into(), dataset: dataset.into(), limit: None, split, weight }
}

/// The doubling augmenter.
pub(crate) fn doubling() -> Stage {
    let augmenter = build("test-doubling").augmenter("test-doubling", &json!({})).unwrap();
    Stage { name: "test-doubling".into(), augmenter }
}
