//! Checks of datasets and augmenters.

use super::wrong;
use crate::{Omission, Record, Result, Skipped, ffi::Build};
use serde_json::Value;

/// Reads all records twice, which must be the same, and returns them.
pub fn dataset(build: &Build, label: &str, options: &Value) -> Result<Vec<Record>> {
    let dataset = build.dataset(label, options)?;
    let skipped = Skipped::default();
    let read = || -> Result<(Vec<Record>, Vec<Omission>)> {
        Ok((dataset.open(&skipped)?.collect::<Result<_>>()?, skipped.take()))
    };
    let (first, second) = (read()?, read()?);
    if first != second {
        return Err(wrong(label, "read twice, it gives or skips different records"));
    }
    Ok(first.0)
}

/// The most records that are read of a dataset to see whether it works.
const SAMPLE: usize = 1000;

/// Reads the first records twice, which must be the same: also of a dataset that never ends.
pub fn sample(build: &Build, label: &str, options: &Value) -> Result<()> {
    let dataset = build.dataset(label, options)?;
    let read = || dataset.open(&Skipped::default())?.take(SAMPLE).collect::<Result<Vec<_>>>();
    match read()? == read()? {
        true => Ok(()),
        false => Err(wrong(label, "read twice, it gives different records")),
    }
}

/// Augments records twice with the same seed, which must give the same, and returns them.
pub fn augmenter(build: &Build, label: &str, options: &Value, records: &[Record], seed: u64) -> Result<Vec<Record>> {
    let augmenter = build.augmenter(label, options)?;
    let run = || -> Result<Vec<Record>> {
        let copies = records.to_vec();
        augmenter.augment(Box::new(copies.into_iter().map(Ok)), seed)?.collect()
    };
    let first = run()?;
    if first != run()? {
        return Err(wrong(label, format!("seed {seed} gives different records the second time")));
    }
    Ok(first)
}
