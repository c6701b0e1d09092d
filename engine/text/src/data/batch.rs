//! In which order sequences are trained.

use super::{
    Batch, Sequence,
    random::{Purpose, shuffle, stream},
};
use std::ops::Range;

/// Batches whose rows are sorted by length together, as in transformers' `group_by_length`.
const WINDOW: usize = 50;

/// The order of an epoch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Order {
    /// As they come.
    Fixed,
    /// Another order in every epoch.
    #[default]
    Shuffled,
    /// Another order in every epoch, with rows of similar length in the same batch: less padding.
    ByLength,
}

/// The batches of a training run. What an epoch looks like depends on nothing but these fields and its number, so a
/// run that is resumed goes on in the same order.
#[derive(Debug, Clone)]
pub struct Batches<'a> {
    /// What is trained on.
    pub sequences: &'a [Sequence],
    /// What each counts; empty if all count alike.
    pub weights: &'a [f32],
    /// Which sequences, by their numbers, share a row: [`alone`](super::alone) or [`pack`](super::pack).
    pub rows: Vec<Vec<usize>>,
    /// Rows, one behind the other, that are always in the same batch: 2 for pairs.
    pub together: usize,
    /// Rows per batch, or groups of rows that are together.
    pub batch_size: usize,
    /// Batches per optimizer step.
    pub accumulation: usize,
    /// The order.
    pub order: Order,
    /// The run's seed.
    pub seed: u64,
    /// The id that batches are filled up with.
    pub pad: u32,
}

impl Batches<'_> {
    /// Batches in an epoch; the last may be short.
    pub fn batches_per_epoch(&self) -> usize {
        self.groups().div_ceil(self.batch_size.max(1))
    }

    fn groups(&self) -> usize {
        self.rows.len() / self.together
    }

    /// Optimizer steps in an epoch; the last may have fewer batches.
    pub fn steps_per_epoch(&self) -> usize {
        self.batches_per_epoch().div_ceil(self.accumulation.max(1))
    }

    /// The plan of an epoch, counted from 0.
    pub fn epoch(&self, epoch: u64) -> Epoch {
        let size = self.batch_size.max(1);
        let mut order: Vec<usize> = (0..self.groups()).collect();
        let rows = |group: usize| group * self.together..(group + 1) * self.together;
        if self.order != Order::Fixed {
            shuffle(&mut order, &mut stream(self.seed, Purpose::Order(epoch)));
        }
        if self.order == Order::ByLength {
            for window in order.chunks_mut(WINDOW * size) {
                window.sort_by_key(|&group| std::cmp::Reverse(rows(group).map(|row| self.length(row)).max()));
            }
        }
        let batch = |groups: &[usize]| groups.iter().flat_map(|&group| rows(group)).collect();
        let mut batches: Vec<Vec<usize>> = order.chunks(size).map(batch).collect();
        if self.order == Order::ByLength {
            // A short batch stays last.
            let whole = self.groups() / size;
            shuffle(&mut batches[..whole], &mut stream(self.seed, Purpose::Batches(epoch)));
        }
        Epoch { batches, accumulation: self.accumulation.max(1) }
    }

    /// Puts a batch together, of rows by their numbers.
    pub fn batch(&self, numbers: &[usize]) -> Batch {
        let row = |&row: &usize| self.rows[row].iter().map(|&i| &self.sequences[i]).collect();
        let mut batch = Batch::packed(numbers.iter().map(row), self.pad);
        batch.numbers = numbers.iter().flat_map(|&row| self.rows[row].iter().copied()).collect();
        if !self.weights.is_empty() {
            batch.weights = batch.numbers.iter().map(|&i| self.weights[i]).collect();
        }
        batch
    }

    /// Tokens in the longest row.
    pub fn longest(&self) -> usize {
        (0..self.rows.len()).map(|row| self.length(row)).max().unwrap_or(0)
    }

    fn length(&self, row: usize) -> usize {
        self.rows[row].iter().map(|&i| self.sequences[i].len()).sum()
    }

    /// Tokens in the batches of the first epoch that are padding, and all tokens.
    pub fn padding(&self) -> (usize, usize) {
        let (mut tokens, mut all) = (0, 0);
        for batch in self.epoch(0).batches {
            let lengths = || batch.iter().map(|&row| self.length(row));
            tokens += lengths().sum::<usize>();
            all += batch.len() * lengths().max().unwrap_or(0);
        }
        (all - tokens, all)
    }
}

/// The plan of an epoch: which rows, by their numbers, are in which batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Epoch {
    /// All batches, in order.
    pub batches: Vec<Vec<usize>>,
    accumulation: usize,
}

impl Epoch {
    /// Number of optimizer steps.
    pub fn steps(&self) -> usize {
        self.batches.len().div_ceil(self.accumulation)
    }

    /// The batches of an optimizer step, counted from 0.
    pub fn step(&self, step: usize) -> &[Vec<usize>] {
        let Range { start, end } = step * self.accumulation..(step + 1) * self.accumulation;
        &self.batches[start..end.min(self.batches.len())]
    }
}

#[cfg(test)]
#[path = "batch_tests.rs"]
mod tests;
