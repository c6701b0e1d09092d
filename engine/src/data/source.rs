//! Records from datasets: read, split, mixed, augmented.

use super::{
    DatasetReport,
    random::{self, Purpose, choose, stream},
};
use crate::{Error, Problem, Result, recipe::Split};
use framework_core::{PluginError, Record, Records, ffi::AugmenterObject, ffi::DatasetObject};

/// A dataset of the recipe.
pub struct Source {
    /// Its plugin's name, for messages.
    pub name: String,
    /// The dataset.
    pub dataset: DatasetObject,
    /// Use only the first so many records.
    pub limit: Option<usize>,
    /// What the records are for.
    pub split: Split,
    /// How often each record occurs in training, on average; validation has each once.
    pub weight: f64,
}

/// Where records come from.
#[derive(Clone, Copy)]
pub struct Inputs<'a> {
    /// Datasets, in the recipe's order.
    pub sources: &'a [Source],
    /// Augmenters, in the order of their use.
    pub augmenters: &'a [AugmenterObject],
    /// Share of the training records that is held back for validation, from 0 to below 1.
    pub validation_fraction: f64,
    /// Seed of every choice.
    pub seed: u64,
}

/// Records for training and for validation.
#[derive(Debug, Clone, Default)]
pub struct RecordSets {
    /// For training.
    pub train: Vec<Record>,
    /// For validation.
    pub validation: Vec<Record>,
    /// What each dataset gave.
    pub datasets: Vec<DatasetReport>,
}

/// All records, augmented: what would be trained, before it is put into templates.
///
/// # Errors
/// What a dataset finds wrong with the data is [`Error::Invalid`]; its panics, and any error of an augmenter, are
/// [`Error::Failed`].
pub fn records(inputs: &Inputs) -> Result<RecordSets> {
    let RecordSets { train, validation, datasets } = read(inputs)?;
    let collect = |records| -> Result<Vec<Record>> { Ok(augment(inputs, records)?.collect::<Result<_, _>>()?) };
    Ok(RecordSets { train: collect(train)?, validation: collect(validation)?, datasets })
}

/// Reads the datasets, holds back what is for validation and mixes the rest.
///
/// Validation is chosen among the records as they are read, before they are repeated and augmented: no copy of a
/// validation record is trained on.
pub(super) fn read(inputs: &Inputs) -> Result<RecordSets> {
    let mut sets = RecordSets::default();
    let mut rows = Vec::new();
    for (i, source) in inputs.sources.iter().enumerate() {
        let records = open(i, source)?;
        let (name, split) = (source.name.clone(), source.split);
        sets.datasets.push(DatasetReport { name, split, rows: records.len(), held_back: 0, trained: 0 });
        match split {
            Split::Train => rows.extend(records.into_iter().map(|record| (i, record))),
            Split::Validation => sets.validation.extend(records),
        }
    }
    let held_back = held_back(rows.len(), inputs.validation_fraction);
    let chosen = choose(rows.len(), held_back, &mut stream(inputs.seed, Purpose::Validation));
    let (mut chosen, mut kept) = (chosen.into_iter().peekable(), vec![Vec::new(); inputs.sources.len()]);
    for (row, (i, record)) in rows.into_iter().enumerate() {
        if chosen.next_if_eq(&row).is_some() {
            sets.datasets[i].held_back += 1;
            sets.validation.push(record);
        } else {
            kept[i].push(record);
        }
    }
    for (i, records) in kept.into_iter().enumerate() {
        let before = sets.train.len();
        weigh(&mut sets.train, records, inputs, i);
        sets.datasets[i].trained = sets.train.len() - before;
    }
    Ok(sets)
}

/// Passes records through the augmenters.
pub(super) fn augment(inputs: &Inputs, records: Vec<Record>) -> Result<Records> {
    let mut stream: Records = Box::new(records.into_iter().map(Ok));
    for (i, augmenter) in inputs.augmenters.iter().enumerate() {
        let seed = random::seed(inputs.seed, Purpose::Augmenter(i));
        stream = augmenter.augment(stream, seed)?;
    }
    Ok(stream)
}

fn open(i: usize, source: &Source) -> Result<Vec<Record>> {
    let key = format!("dataset.{i}");
    if !(source.weight.is_finite() && source.weight >= 0.0) {
        let message = format!("{} is not a number from 0 on", source.weight);
        return Err(Error::invalid(Problem::new(message).key(format!("{key}.weight"))));
    }
    let failed = |e| blame(e, key.clone());
    let records = source.dataset.open().map_err(failed)?;
    records.take(source.limit.unwrap_or(usize::MAX)).collect::<Result<_, _>>().map_err(failed)
}

/// What a dataset says of the data is the user's to put right; a panic is the plugin's.
fn blame(e: PluginError, key: String) -> Error {
    if e.panicked_at.is_some() { e.into() } else { Error::invalid(Problem::new(e.to_string()).key(key)) }
}

/// The share, rounded; at least one record if there is a share and one can be spared.
fn held_back(rows: usize, fraction: f64) -> usize {
    if fraction <= 0.0 || rows < 2 { 0 } else { ((rows as f64 * fraction).round() as usize).clamp(1, rows - 1) }
}

/// Adds the records as often as the weight says: all of them so many whole times, and a choice for the rest.
fn weigh(train: &mut Vec<Record>, records: Vec<Record>, inputs: &Inputs, i: usize) {
    let weight = inputs.sources[i].weight;
    for _ in 1..weight.floor() as usize {
        train.extend(records.iter().cloned());
    }
    let rest = (records.len() as f64 * weight.fract()).round() as usize;
    let part = choose(records.len(), rest, &mut stream(inputs.seed, Purpose::Mixture(i)));
    if weight < 1.0 {
        let mut part = part.into_iter().peekable();
        let chosen = records.into_iter().enumerate().filter(|(row, _)| part.next_if_eq(row).is_some());
        train.extend(chosen.map(|(_, record)| record));
    } else {
        let part: Vec<_> = part.into_iter().map(|row| records[row].clone()).collect();
        train.extend(records);
        train.extend(part);
    }
}

#[cfg(test)]
#[path = "source_tests.rs"]
mod tests;
