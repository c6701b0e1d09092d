//! Passes over datasets: which rows of each are read, one dataset open at a time.

use super::{
    apart::{Keys, key},
    flow::Fault,
    reading::Tally,
};
use framework_base::{Error, Problem, Result};
use framework_core::{PluginError, Record, Records, Skipped, ffi::DatasetObject};
use std::{
    collections::VecDeque,
    sync::{Arc, atomic::Ordering::Relaxed},
};
use tracing::subscriber::{NoSubscriber, with_default};

/// Which rows a pass gives. Numbers are ascending.
pub(super) enum Rows {
    /// All of a dataset that is for validation.
    All,
    /// All that are not held back.
    Kept { but: Arc<[usize]> },
    /// Of those that are not held back, only those with these numbers among them.
    Chosen { but: Arc<[usize]>, only: Arc<[usize]> },
    /// Those that are held back.
    HeldBack(Arc<[usize]>),
}

/// A dataset, read once.
pub(super) struct Pass {
    /// The dataset's number in the recipe.
    pub number: usize,
    pub dataset: Arc<DatasetObject>,
    pub limit: Option<usize>,
    pub rows: Rows,
    /// Which repetition of its rows this is, counted from 0.
    pub round: usize,
    /// Rows that are not trained, because a dataset for validation has them.
    pub but: Arc<Keys>,
    /// Nobody has read the dataset before: its rows are counted, and what it logs is shown.
    pub first: bool,
    pub tally: Arc<Tally>,
}

impl Pass {
    /// Where what is left out is counted: only once for all passes.
    fn skipped(&self) -> Skipped {
        if self.first { self.tally.skipped.clone() } else { Skipped::default() }
    }
}

/// One pass after the other.
pub(super) struct Passes {
    waiting: VecDeque<Pass>,
    open: Option<Open>,
    fault: Fault,
}

struct Open {
    pass: Pass,
    records: Records,
    /// Rows read, and rows met that are not held back.
    row: usize,
    kept: usize,
    /// How many of the pass's numbers are behind.
    passed: usize,
    chosen: usize,
}

impl Passes {
    /// What is wrong with a dataset goes into `fault`; the error that is passed on only ends the stream.
    pub(super) fn new(passes: Vec<Pass>, fault: Fault) -> Self {
        Self { waiting: passes.into(), open: None, fault }
    }

    fn advance(&mut self) -> Result<Option<Record>, (usize, PluginError)> {
        loop {
            if let Some(open) = &mut self.open {
                let number = open.pass.number;
                if let Some(record) = open.next().map_err(|e| (number, e))? {
                    return Ok(Some(record));
                }
                self.open = None;
            }
            let Some(pass) = self.waiting.pop_front() else { return Ok(None) };
            let number = pass.number;
            let records = logged_once(pass.first, || pass.dataset.open(&pass.skipped())).map_err(|e| (number, e))?;
            self.open = Some(Open { pass, records, row: 0, kept: 0, passed: 0, chosen: 0 });
        }
    }
}

impl Iterator for Passes {
    type Item = framework_core::Result<Record>;
    fn next(&mut self) -> Option<Self::Item> {
        self.advance().transpose().map(|next| {
            next.map_err(|(number, e)| {
                self.waiting.clear();
                self.open = None;
                self.fault.set(blame(e.clone(), number));
                e
            })
        })
    }
}

impl Open {
    /// The next row that the pass is for.
    fn next(&mut self) -> Result<Option<Record>, PluginError> {
        while !self.finished() && self.row < self.pass.limit.unwrap_or(usize::MAX) {
            let Some(record) = logged_once(self.pass.first, || self.records.next()).transpose()? else { break };
            let wanted = self.wants();
            self.row += 1;
            let tally = &self.pass.tally;
            tally.rows.fetch_add(usize::from(self.pass.first), Relaxed);
            if !wanted {
                continue;
            }
            if !matches!(self.pass.rows, Rows::Kept { .. } | Rows::Chosen { .. }) {
                return Ok(Some(record));
            }
            if self.pass.but.is_empty() || !self.pass.but.contains(&key(&record)) {
                tally.trained.fetch_add(1, Relaxed);
                return Ok(Some(record));
            }
            tally.in_validation.fetch_add(usize::from(self.pass.round == 0), Relaxed);
        }
        Ok(None)
    }

    /// Whether the pass is for the row at hand.
    fn wants(&mut self) -> bool {
        let (row, kept) = (self.row, self.kept);
        let mut held_back = |numbers: &[usize]| {
            let held_back = numbers.get(self.passed) == Some(&row);
            self.passed += usize::from(held_back);
            held_back
        };
        match &self.pass.rows {
            Rows::All => true,
            Rows::Kept { but } => !held_back(but),
            Rows::HeldBack(numbers) => held_back(numbers),
            Rows::Chosen { but, only } => {
                if held_back(but) {
                    return false;
                }
                self.kept += 1;
                let chosen = only.get(self.chosen) == Some(&kept);
                self.chosen += usize::from(chosen);
                chosen
            }
        }
    }

    /// Whether nothing that the pass is for can follow.
    fn finished(&self) -> bool {
        match &self.pass.rows {
            Rows::All | Rows::Kept { .. } => false,
            Rows::HeldBack(numbers) => self.passed == numbers.len(),
            Rows::Chosen { only, .. } => self.chosen == only.len(),
        }
    }
}

/// Opens a dataset for the first time.
pub(super) fn open(dataset: &DatasetObject, number: usize, skipped: &Skipped) -> Result<Records> {
    dataset.open(skipped).map_err(|e| blame(e, number))
}

/// What a dataset says of the data is the user's to put right; a panic is the plugin's.
pub(super) fn blame(e: PluginError, number: usize) -> Error {
    match e.panicked() {
        true => e.into(),
        false => Error::invalid(Problem::of(&e).key(format!("dataset.{number}"))),
    }
}

/// Drops what a dataset logs unless it is read for the first time: it would be the same again.
fn logged_once<T>(first: bool, read: impl FnOnce() -> T) -> T {
    if first { read() } else { with_default(NoSubscriber::default(), read) }
}
