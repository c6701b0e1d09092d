//! Checks of datasets and augmenters.

use super::{expect, options, plugin};
use crate::{Kind, Record, Result, conformance};

/// Reads all records twice, which must be the same, and returns them.
pub fn dataset(name: &str, table: &str) -> Result<Vec<Record>> {
    let (build, label) = plugin(Kind::Dataset, name);
    conformance::dataset(&build, &label, &options(table))
}

/// Augments records twice with the same seed, which must give the same, and returns them.
pub fn augmenter(
    name: &str,
    table: &str,
    records: impl IntoIterator<Item = serde_json::Value>,
    seed: u64,
) -> Vec<Record> {
    let (build, label) = plugin(Kind::Augmenter, name);
    let records: Vec<Record> = records
        .into_iter()
        .map(|r| r.as_object().cloned().unwrap_or_else(|| panic!("a record is a JSON object, not {r}")))
        .collect();
    expect(conformance::augmenter(&build, &label, &options(table), &records, seed))
}
