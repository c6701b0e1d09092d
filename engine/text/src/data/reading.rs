//! Datasets that are ready to be read: which rows are held back, and which come once more.

use super::{
    DataSource, DatasetReport, Inputs,
    apart::{self, Keys, key},
    passes::{Pass, Rows, blame, open},
    random::{Purpose, choose, stream},
};
use framework_base::{Error, Problem, Result};
use framework_core::Skipped;
use framework_recipe::Split;
use std::{
    iter,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

/// Datasets that are ready to be read, every choice among their rows made.
pub(super) struct Reading<'a> {
    pub inputs: &'a Inputs<'a>,
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

    /// The passes that give the records of a set.
    pub(super) fn passes(&self, set: Split) -> Vec<Pass> {
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
    pub(super) fn validates(&self) -> bool {
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
