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

use super::{
    DatasetReport, StageReport,
    apart::{self, Keys, key},
    fields::texts,
    passes::{Pass, Passes, Rows, blame, open},
    random::{self, Purpose, choose, stream},
};
use framework_base::{Error, Problem, Result};
use framework_core::{Record, Records, Skipped, ffi::AugmenterObject, ffi::DatasetObject};
use framework_recipe::Split;
use std::{
    iter,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

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
/// What a dataset finds wrong with the data is [`Error::Invalid`]; its panics, and any error of an augmenter, are
/// [`Error::Failed`].
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

/// Datasets that are ready to be read, every choice among their rows made.
pub(super) struct Reading<'a> {
    inputs: &'a Inputs<'a>,
    parts: Vec<Part>,
    /// What is in the datasets for validation.
    validation: Arc<Keys>,
}

/// What is known of a dataset.
struct Part {
    /// Its rows, if they had to be counted.
    counted: Option<usize>,
    /// Numbers of the rows that are held back, ascending.
    held_back: Arc<[usize]>,
    /// Numbers, among the rows that are kept, of those that come once more than the others.
    once_more: Arc<[usize]>,
    tally: Arc<Tally>,
}

/// What was met on the way.
#[derive(Default)]
pub(super) struct Tally {
    pub rows: AtomicUsize,
    pub trained: AtomicUsize,
    /// Rows that are not trained because they are in a validation dataset.
    pub in_validation: AtomicUsize,
    /// What the dataset left out.
    pub skipped: Skipped,
}

impl<'a> Reading<'a> {
    /// Reads datasets once beforehand where a choice depends on all their rows.
    pub(super) fn new(inputs: &'a Inputs<'a>) -> Result<Self> {
        let shares = inputs.validation_fraction > 0.0;
        let of = |split: Split| inputs.sources.iter().any(move |source| source.split == split);
        let compares = of(Split::Train) && of(Split::Validation);
        let mut validation = Keys::default();
        let read = |(i, source): (usize, &DataSource)| {
            check_weight(i, source)?;
            let tally = Arc::new(Tally::default());
            let chooses = shares || source.weight.fract() != 0.0 || source.weight < 1.0;
            let keys = match source.split {
                Split::Train if chooses => Some(keys(i, source, &tally.skipped)?),
                Split::Validation if compares => {
                    validation.extend(keys(i, source, &Skipped::default())?);
                    None
                }
                _ => None,
            };
            Ok((keys, tally))
        };
        let read = inputs.sources.iter().enumerate().map(read).collect::<Result<Vec<_>>>()?;
        let all: Vec<u64> = read.iter().flat_map(|(keys, _)| keys.iter().flatten().copied()).collect();
        let chosen = apart::held_back(&all, inputs.validation_fraction, &mut stream(inputs.seed, Purpose::Validation));
        drop(all);
        let (mut chosen, mut start) = (chosen.into_iter().peekable(), 0);
        let mut part = |i: usize, source: &DataSource, keys: Option<Vec<u64>>, tally: Arc<Tally>| {
            let counted = keys.map(|keys| keys.len());
            let end = start + counted.unwrap_or(0);
            let held_back: Arc<[usize]> =
                iter::from_fn(|| chosen.next_if(|row| *row < end)).map(|row| row - start).collect();
            start = end;
            let kept = counted.unwrap_or(0) - held_back.len();
            let rest = (kept as f64 * source.weight.fract()).round() as usize;
            let once_more = choose(kept, rest, &mut stream(inputs.seed, Purpose::Mixture(i))).into();
            tally.rows.store(counted.unwrap_or(0), Relaxed);
            Part { counted, held_back, once_more, tally }
        };
        let all = inputs.sources.iter().zip(read).enumerate();
        let parts = all.map(|(i, (source, (keys, tally)))| part(i, source, keys, tally)).collect();
        Ok(Self { inputs, parts, validation: validation.into() })
    }

    /// The records of a set, augmented. They are read as they are asked for.
    pub(super) fn flow(&self, set: Split) -> Result<Flow> {
        let fault = Fault::default();
        let stages = self.inputs.augmenters.len();
        let counts: Vec<Arc<AtomicUsize>> = iter::repeat_with(Arc::default).take(stages + 1).collect();
        // Up to here, repetitions are kept apart from duplicates.
        let comparing = self.inputs.augmenters.iter().rposition(|stage| stage.keeps_first).map_or(0, |last| last + 1);
        let mut rounds = vec![self.passes(set)];
        if set == Split::Train && comparing > 0 {
            rounds = rounds_of(rounds.remove(0));
        }
        let round = |(round, passes)| {
            let chain = Chain { reading: self, set, round, fault: &fault, counts: &counts };
            let records = counting(Box::new(Passes::new(passes, fault.clone())), &counts[0]);
            chain.through(records, 0..comparing)
        };
        let rounds = rounds.into_iter().enumerate().map(round).collect::<Result<Vec<_>>>()?;
        let chain = Chain { reading: self, set, round: 0, fault: &fault, counts: &counts };
        let records = chain.through(Box::new(rounds.into_iter().flatten()), comparing..stages)?;
        Ok(Flow { records, counts, fault, ended: false })
    }

    fn passes(&self, set: Split) -> Vec<Pass> {
        let all = || self.inputs.sources.iter().zip(&self.parts).enumerate();
        let pass = |i: usize, rows, round: usize, first: bool| Pass {
            number: i,
            dataset: self.inputs.sources[i].dataset.clone(),
            limit: self.inputs.sources[i].limit,
            rows,
            round,
            but: self.validation.clone(),
            first: first && self.parts[i].counted.is_none(),
            tally: self.parts[i].tally.clone(),
        };
        let mut passes = Vec::new();
        for (i, (source, part)) in all().filter(|(_, (source, _))| source.split == set) {
            if set == Split::Validation {
                passes.push(pass(i, Rows::All, 0, true));
                continue;
            }
            let whole = |n| pass(i, Rows::Kept { but: part.held_back.clone() }, n, n == 0);
            let times = source.weight.floor() as usize;
            passes.extend((0..times).map(whole));
            if !part.once_more.is_empty() {
                let (but, only) = (part.held_back.clone(), part.once_more.clone());
                passes.push(pass(i, Rows::Chosen { but, only }, times, false));
            }
        }
        if set == Split::Validation {
            let held_back = all().filter(|(_, (_, part))| !part.held_back.is_empty());
            passes.extend(held_back.map(|(i, (_, part))| pass(i, Rows::HeldBack(part.held_back.clone()), 0, false)));
        }
        passes
    }

    /// Whether anything is for validation.
    fn validates(&self) -> bool {
        let of = |(source, part): (&DataSource, &Part)| source.split == Split::Validation || !part.held_back.is_empty();
        self.inputs.sources.iter().zip(&self.parts).any(of)
    }

    /// How many records the datasets give in all, if that is known before they are read.
    pub(super) fn total(&self) -> Option<usize> {
        let of = |(source, part): (&DataSource, &Part)| {
            let kept = part.counted? - part.held_back.len();
            Some(source.weight.floor() as usize * kept + part.once_more.len() + part.held_back.len())
        };
        self.inputs.sources.iter().zip(&self.parts).map(of).sum()
    }

    /// What each dataset gave, as far as the flows have been read.
    pub(super) fn datasets(&self) -> Vec<DatasetReport> {
        let report = |(source, part): (&DataSource, &Part)| DatasetReport {
            name: source.name.clone(),
            split: source.split,
            rows: part.tally.rows.load(Relaxed),
            held_back: part.held_back.len(),
            in_validation: part.tally.in_validation.load(Relaxed),
            trained: part.tally.trained.load(Relaxed),
            skipped: part.tally.skipped.all(),
        };
        self.inputs.sources.iter().zip(&self.parts).map(report).collect()
    }

    /// What went into each augmenter and came out of it.
    pub(super) fn stages(&self, flow: &Flow) -> Vec<StageReport> {
        let stage = |(stage, counts): (&Stage, &[Arc<AtomicUsize>])| StageReport {
            name: stage.name.clone(),
            records_in: counts[0].load(Relaxed),
            records_out: counts[1].load(Relaxed),
        };
        self.inputs.augmenters.iter().zip(flow.counts.windows(2)).map(stage).collect()
    }
}

/// The augmented records of a set.
pub(super) struct Flow {
    records: Records,
    /// Records before the first augmenter and after each.
    counts: Vec<Arc<AtomicUsize>>,
    fault: Fault,
    ended: bool,
}

impl Flow {
    /// Records before the augmenters, so far.
    pub(super) fn read(&self) -> usize {
        self.counts[0].load(Relaxed)
    }
}

impl Iterator for Flow {
    type Item = Result<Record>;
    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let next = match self.records.next() {
            Some(record) => Some(record.map_err(|e| self.fault.or(e))),
            // An augmenter may have kept the error to itself.
            None => self.fault.take().map(Err),
        };
        self.ended = !matches!(next, Some(Ok(_)));
        next
    }
}

/// What was wrong with a dataset, kept here on the error's way through the augmenters.
#[derive(Clone, Default)]
pub(super) struct Fault(Arc<Mutex<Option<Error>>>);

impl Fault {
    pub(super) fn set(&self, e: Error) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(e);
    }

    fn take(&self) -> Option<Error> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn or(&self, e: framework_core::PluginError) -> Error {
        self.take().unwrap_or_else(|| e.into())
    }
}

fn counting(records: Records, count: &Arc<AtomicUsize>) -> Records {
    let count = count.clone();
    Box::new(records.inspect(move |record| _ = count.fetch_add(usize::from(record.is_ok()), Relaxed)))
}

fn check_weight(i: usize, source: &DataSource) -> Result<()> {
    if source.weight.is_finite() && source.weight >= 0.0 {
        return Ok(());
    }
    let message = format!("{} is not a number from 0 on", source.weight);
    Err(Error::invalid(Problem::new(message).key(format!("dataset.{i}.weight"))))
}

/// Keys of a dataset's rows.
fn keys(i: usize, source: &DataSource, skipped: &Skipped) -> Result<Vec<u64>> {
    let rows = open(&source.dataset, i, skipped)?.take(source.limit.unwrap_or(usize::MAX));
    rows.map(|record| record.map(|record| key(&record)).map_err(|e| blame(e, i))).collect()
}

/// Passes by round: in each, no row comes twice.
fn rounds_of(passes: Vec<Pass>) -> Vec<Vec<Pass>> {
    let mut rounds = Vec::new();
    for pass in passes {
        if rounds.len() <= pass.round {
            rounds.resize_with(pass.round + 1, Vec::new);
        }
        rounds[pass.round].push(pass);
    }
    rounds
}

/// Augmenters, one after the other.
struct Chain<'a> {
    reading: &'a Reading<'a>,
    set: Split,
    round: usize,
    fault: &'a Fault,
    counts: &'a [Arc<AtomicUsize>],
}

impl Chain<'_> {
    fn through(&self, mut records: Records, stages: std::ops::Range<usize>) -> Result<Records> {
        for i in stages {
            records = counting(self.stage(i, records)?, &self.counts[i + 1]);
        }
        Ok(records)
    }

    fn stage(&self, i: usize, records: Records) -> Result<Records> {
        let reading = self.reading;
        let stage = &reading.inputs.augmenters[i];
        let purpose = match self.round {
            0 => Purpose::Augmenter(i),
            round => Purpose::Again(round, i),
        };
        let seed = random::seed(reading.inputs.seed, purpose);
        let augment = |records| stage.augmenter.augment(records, seed).map_err(|e| self.fault.or(e));
        if self.set == Split::Validation || !stage.keeps_first || !reading.validates() {
            return augment(records);
        }
        // What leaves this stage for validation differs from each other: it leaves it again, before all others.
        let before = Arc::new(AtomicUsize::new(0));
        let validation = counting(self.validation(i)?, &before);
        let (mut all, mut left) = (augment(Box::new(validation.chain(records)))?, 0);
        Ok(Box::new(iter::from_fn(move || {
            loop {
                let next = all.next()?;
                if next.is_err() || left == before.load(Relaxed) {
                    return Some(next);
                }
                left += 1;
            }
        })))
    }

    /// The validation records that leave a stage, read once more.
    fn validation(&self, i: usize) -> Result<Records> {
        let unseen: Vec<_> = self.counts.iter().map(|_| Arc::default()).collect();
        let chain = Chain { set: Split::Validation, round: 0, counts: &unseen, ..*self };
        let mut passes = self.reading.passes(Split::Validation);
        passes.iter_mut().for_each(|pass| pass.first = false);
        chain.through(Box::new(Passes::new(passes, self.fault.clone())), 0..i + 1)
    }
}

#[cfg(test)]
#[path = "source_tests.rs"]
mod tests;
