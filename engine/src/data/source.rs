//! Records from datasets, as streams: read, split, mixed, augmented.

use super::{
    DatasetReport, StageReport,
    fields::texts,
    passes::{Pass, Passes, Rows, blame, open},
    random::{self, Purpose, choose, stream},
};
use crate::{Error, Problem, Result, recipe::Split};
use framework_core::{Record, Records, ffi::AugmenterObject, ffi::DatasetObject};
use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

/// A dataset of the recipe.
pub struct Source {
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
}

/// Where records come from.
#[derive(Clone, Copy)]
pub struct Inputs<'a> {
    /// Datasets, in the recipe's order.
    pub sources: &'a [Source],
    /// Augmenters, in the order of their use.
    pub augmenters: &'a [Stage],
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
    let reading = Reading::new(inputs)?;
    let train = reading.flow(Split::Train)?.collect::<Result<_>>()?;
    let validation = reading.flow(Split::Validation)?.collect::<Result<_>>()?;
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
///
/// Validation is chosen among the records as they are read, before they are repeated and augmented: no copy of a
/// validation record is trained on.
pub(super) struct Reading<'a> {
    inputs: &'a Inputs<'a>,
    parts: Vec<Part>,
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
}

impl<'a> Reading<'a> {
    /// Counts rows where a choice depends on their number: a first pass over the dataset.
    pub(super) fn new(inputs: &'a Inputs<'a>) -> Result<Self> {
        let sources = inputs.sources.iter().enumerate();
        let count = |(i, source): (usize, &Source)| {
            check_weight(i, source)?;
            let chooses = inputs.validation_fraction > 0.0 || source.weight.fract() != 0.0 || source.weight < 1.0;
            (source.split == Split::Train && chooses).then(|| count(i, source)).transpose()
        };
        let counted = sources.map(count).collect::<Result<Vec<_>>>()?;
        let rows: usize = counted.iter().flatten().sum();
        let held_back = held_back(rows, inputs.validation_fraction);
        let chosen = choose(rows, held_back, &mut stream(inputs.seed, Purpose::Validation));
        let (mut chosen, mut start) = (chosen.into_iter().peekable(), 0);
        let part = |(i, (source, counted)): (usize, (&Source, Option<usize>))| {
            let end = start + counted.unwrap_or(0);
            let held_back: Arc<[usize]> =
                std::iter::from_fn(|| chosen.next_if(|row| *row < end)).map(|row| row - start).collect();
            start = end;
            let kept = counted.unwrap_or(0) - held_back.len();
            let rest = (kept as f64 * source.weight.fract()).round() as usize;
            let once_more = choose(kept, rest, &mut stream(inputs.seed, Purpose::Mixture(i))).into();
            let tally = Tally { rows: counted.unwrap_or(0).into(), ..Tally::default() };
            Part { counted, held_back, once_more, tally: tally.into() }
        };
        let parts = inputs.sources.iter().zip(counted).enumerate().map(part).collect();
        Ok(Self { inputs, parts })
    }

    /// The records of a set, augmented. They are read as they are asked for.
    pub(super) fn flow(&self, set: Split) -> Result<Flow> {
        let fault = Fault::default();
        let passes = Passes::new(self.passes(set), fault.clone());
        let mut counts = vec![Arc::new(AtomicUsize::new(0))];
        let mut records = counting(Box::new(passes), &counts[0]);
        for (i, stage) in self.inputs.augmenters.iter().enumerate() {
            let seed = random::seed(self.inputs.seed, Purpose::Augmenter(i));
            let augmented = stage.augmenter.augment(records, seed).map_err(|e| fault.or(e))?;
            counts.push(Arc::default());
            records = counting(augmented, &counts[i + 1]);
        }
        Ok(Flow { records, counts, fault, ended: false })
    }

    fn passes(&self, set: Split) -> Vec<Pass> {
        let all = || self.inputs.sources.iter().zip(&self.parts).enumerate();
        let pass = |i: usize, rows, first: bool| Pass {
            number: i,
            dataset: self.inputs.sources[i].dataset.clone(),
            limit: self.inputs.sources[i].limit,
            rows,
            first: first && self.parts[i].counted.is_none(),
            tally: self.parts[i].tally.clone(),
        };
        let mut passes = Vec::new();
        for (i, (source, part)) in all().filter(|(_, (source, _))| source.split == set) {
            if set == Split::Validation {
                passes.push(pass(i, Rows::All, true));
                continue;
            }
            let whole = |n| pass(i, Rows::Kept { but: part.held_back.clone() }, n == 0);
            passes.extend((0..source.weight.floor() as usize).map(whole));
            if !part.once_more.is_empty() {
                let (but, only) = (part.held_back.clone(), part.once_more.clone());
                passes.push(pass(i, Rows::Chosen { but, only }, false));
            }
        }
        if set == Split::Validation {
            let held_back = all().filter(|(_, (_, part))| !part.held_back.is_empty());
            passes.extend(held_back.map(|(i, (_, part))| pass(i, Rows::HeldBack(part.held_back.clone()), false)));
        }
        passes
    }

    /// How many records the datasets give in all, if that is known before they are read.
    pub(super) fn total(&self) -> Option<usize> {
        let of = |(source, part): (&Source, &Part)| {
            let kept = part.counted? - part.held_back.len();
            Some(source.weight.floor() as usize * kept + part.once_more.len() + part.held_back.len())
        };
        self.inputs.sources.iter().zip(&self.parts).map(of).sum()
    }

    /// What each dataset gave, as far as the flows have been read.
    pub(super) fn datasets(&self) -> Vec<DatasetReport> {
        let report = |(source, part): (&Source, &Part)| DatasetReport {
            name: source.name.clone(),
            split: source.split,
            rows: part.tally.rows.load(Relaxed),
            held_back: part.held_back.len(),
            trained: part.tally.trained.load(Relaxed),
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

fn check_weight(i: usize, source: &Source) -> Result<()> {
    if source.weight.is_finite() && source.weight >= 0.0 {
        return Ok(());
    }
    let message = format!("{} is not a number from 0 on", source.weight);
    Err(Error::invalid(Problem::new(message).key(format!("dataset.{i}.weight"))))
}

fn count(i: usize, source: &Source) -> Result<usize> {
    open(&source.dataset, i)?
        .take(source.limit.unwrap_or(usize::MAX))
        .try_fold(0, |n, record| record.map(|_| n + 1).map_err(|e| blame(e, i)))
}

/// The share, rounded; at least one record if there is a share and one can be spared.
fn held_back(rows: usize, fraction: f64) -> usize {
    if fraction <= 0.0 || rows < 2 { 0 } else { ((rows as f64 * fraction).round() as usize).clamp(1, rows - 1) }
}

#[cfg(test)]
#[path = "source_tests.rs"]
mod tests;
