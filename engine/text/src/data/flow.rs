//! The records of a set on their way through the augmenters.

use super::{
    Stage, StageReport,
    passes::{Pass, Passes},
    random::{self, Purpose},
    reading::Reading,
};
use framework_base::{Error, Result};
use framework_core::{Record, Records};
use framework_recipe::Split;
use std::{
    iter,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

impl Reading<'_> {
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
