//! Records from datasets, as streams: read, split, mixed, augmented.
//!
//! No row is in both the training and the validation set. Four rules ensure this; each needs a hash of a row in
//! memory, never the row:
//!
//! 1. Rows with the same content ([`apart::key`]), in one dataset or in several, go to the same side of
//!    `validation.fraction` ([`apart::held_back`]). The number of rows that are held back is the rounded share wherever
//!    the numbers of equal rows allow it.
//! 2. A training row that equals a row of a dataset with `split = "validation"` is left out before the augmenters, so
//!    that no changed copy of it is trained.
//! 3. An augmenter that leaves out records like an earlier one (`x-keeps: first` in its schema, as `deduplicate` has)
//!    sees the validation records before the training records. Training records like a validation record, near
//!    duplicates included if it looks for those, do not leave it.
//! 4. What is trained is compared with what is evaluated in its last form ([`apart::Apart`]): records that became equal
//!    on their way are left out of training.
//!
//! Rules 2 to 4 leave training records out and count them; the validation set stays as it is.
//!
//! A repetition by `weight` is no duplicate. Where an augmenter keeps the first of like records, the repetitions come
//! in rounds, each with at most one repetition of a row, and the augmenter runs anew for each round.

use super::{DatasetReport, apart, fields::texts, reading::Reading};
use framework_base::Result;
use framework_core::{Record, ffi::AugmenterObject, ffi::DatasetObject};
use framework_recipe::Split;
use std::sync::Arc;

/// A dataset of the recipe.
pub struct DataSource {
    /// Its plugin's name, for messages.
    pub name: String,
    /// The dataset.
    pub dataset: Arc<DatasetObject>,
    /// Use only the first so many records.
    pub limit: Option<usize>,
    /// What the records are for.
    pub split: Split,
    /// How often each record occurs in training, on average; validation has each once.
    pub weight: f64,
}

/// An augmenter of the recipe.
pub struct Stage {
    /// Its plugin's name, for reports.
    pub name: String,
    /// The augmenter.
    pub augmenter: AugmenterObject,
    /// Whether it leaves out records that are like an earlier one, and keeps the others in their order.
    pub keeps_first: bool,
}

/// Where records come from.
#[derive(Clone, Copy)]
pub struct Inputs<'a> {
    /// Datasets, in the recipe's order.
    pub sources: &'a [DataSource],
    /// Augmenters, in the order of their use.
    pub augmenters: &'a [Stage],
    /// Share of the training records that is held back for validation, from 0 to below 1.
    pub validation_fraction: f64,
    /// Whether rows that cannot be trained are left out, or end the reading.
    pub skip_bad_rows: bool,
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
/// What a dataset finds wrong with the data is [`framework_base::Error::Invalid`]; its panics, and any error of an augmenter, are
/// [`framework_base::Error::Failed`].
pub fn records(inputs: &Inputs) -> Result<RecordSets> {
    let reading = Reading::new(inputs)?;
    let mut apart = apart::Apart::default();
    let mut set = |set| -> Result<Vec<Record>> {
        let all = reading.flow(set)?.collect::<Result<Vec<_>>>()?;
        Ok(all.into_iter().filter(|record| apart.keeps(set, apart::of(record))).collect())
    };
    let (validation, train) = (set(Split::Validation)?, set(Split::Train)?);
    Ok(RecordSets { train, validation, datasets: reading.datasets() })
}

/// Hands all strings of the training records, augmented, to `use_them`, as they are read.
pub fn with_texts<T>(
    inputs: &Inputs,
    use_them: impl FnOnce(&mut (dyn Iterator<Item = String> + Send)) -> Result<T>,
) -> Result<T> {
    let (flow, mut wrong) = (Reading::new(inputs)?.flow(Split::Train)?, None);
    let records = flow.map_while(|record| record.map_err(|e| wrong = Some(e)).ok());
    let owned = |record: Record| texts(&record).into_iter().map(str::to_owned).collect::<Vec<_>>();
    let done = use_them(&mut records.flat_map(owned));
    match wrong {
        Some(e) => Err(e),
        None => done,
    }
}

#[cfg(test)]
#[path = "source_tests.rs"]
mod tests;
