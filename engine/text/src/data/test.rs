//! What the tests of this module share: plugins linked into the test program.

use super::{DataSource, Stage};
use framework_core::{Record, ffi};
use framework_recipe::Split;
use framework_sdk::prelude::*;

/// A record from JSON.
pub(crate) fn record(fields: serde_json::Value) -> Record {
    fields.as_object().cloned().expect("a record is a JSON object")
}

options! {
    /// Counts: records `{"row": name/number, "instruction": number, "output": number}`. After `of` numbers it begins
    /// again.
    pub struct Counting {
        name: String,
        rows: usize,
        #[serde(default)]
        of: Option<usize>,
        /// Rows have one more field.
        #[serde(default)]
        text: bool,
        #[serde(default)]
        fails_at: Option<usize>,
        #[serde(default)]
        panics: bool,
    }
}

impl Dataset for Counting {
    fn open(&self, _skipped: &Skipped) -> Result<Records> {
        assert!(!self.panics, "on purpose");
        let Counting { name, rows, fails_at, of, text, .. } = self.clone();
        Ok(Box::new((0..rows).map(move |i| match fails_at {
            Some(row) if row == i => Err(PluginError::at("data.csv".as_ref(), i as u64 + 1, "3 fields, expected 2")),
            _ => {
                let number = i % of.unwrap_or(rows);
                let row = json!({ "row": format!("{name}{number}"), "instruction": number, "output": number });
                let mut row = record(row);
                row.extend(text.then(|| ("more".to_owned(), "text".into())));
                Ok(row)
            }
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

options! {
    /// Keeps the first of each row, whatever it became.
    #[schemars(extend("x-keeps" = "first"))]
    pub struct First {}
}

impl Augmenter for First {
    fn augment(&self, records: Records, _seed: u64) -> Result<Records> {
        let mut seen = std::collections::HashSet::new();
        Ok(each(records, move |record| Ok(if seen.insert(record["row"].clone()) { vec![record] } else { Vec::new() })))
    }
}

register!(augmenter "test-first" => First, example = "");

options! {
    /// Calls all rows the same.
    pub struct Levelling {}
}

impl Augmenter for Levelling {
    fn augment(&self, records: Records, _seed: u64) -> Result<Records> {
        Ok(each(records, |_| Ok(vec![record(json!({ "row": "same" }))])))
    }
}

register!(augmenter "test-levelling" => Levelling, example = "");

fn build(name: &str) -> ffi::Build {
    ffi::linked().into_iter().find(|d| d.about.name == name).expect("registered above").build
}

/// A dataset of so many records.
pub(crate) fn source(name: &str, rows: usize, split: Split, weight: f64) -> DataSource {
    source_of(json!({ "name": name, "rows": rows }), split, weight)
}

pub(crate) fn source_of(options: serde_json::Value, split: Split, weight: f64) -> DataSource {
    let dataset = build("test-counting").dataset("test-counting", &options).unwrap();
    DataSource { name: "test-counting".into(), dataset: dataset.into(), limit: None, split, weight }
}

/// The doubling augmenter.
pub(crate) fn doubling() -> Stage {
    stage("test-doubling")
}

/// An augmenter of those above.
pub(crate) fn stage(name: &str) -> Stage {
    let augmenter = build(name).augmenter(name, &json!({})).unwrap();
    Stage { name: name.into(), augmenter, keeps_first: name == "test-first" }
}
