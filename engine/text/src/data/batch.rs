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
    /// Which sequences, by their numbers, share a row: [`alone`](super::alone) or [`pack`](super::pack).
    pub rows: Vec<Vec<usize>>,
    /// Rows per batch.
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
        self.rows.len().div_ceil(self.batch_size.max(1))
    }

    /// Optimizer steps in an epoch; the last may have fewer batches.
    pub fn steps_per_epoch(&self) -> usize {
        self.batches_per_epoch().div_ceil(self.accumulation.max(1))
    }

    /// The plan of an epoch, counted from 0.
    pub fn epoch(&self, epoch: u64) -> Epoch {
        let size = self.batch_size.max(1);
        let mut order: Vec<usize> = (0..self.rows.len()).collect();
        if self.order != Order::Fixed {
            shuffle(&mut order, &mut stream(self.seed, Purpose::Order(epoch)));
        }
        if self.order == Order::ByLength {
            for window in order.chunks_mut(WINDOW * size) {
                window.sort_by_key(|&row| std::cmp::Reverse(self.length(row)));
            }
        }
        let mut batches: Vec<Vec<usize>> = order.chunks(size).map(<[_]>::to_vec).collect();
        if self.order == Order::ByLength {
            // A short batch stays last.
            let whole = self.rows.len() / size;
            shuffle(&mut batches[..whole], &mut stream(self.seed, Purpose::Batches(epoch)));
        }
        Epoch { batches, accumulation: self.accumulation.max(1) }
    }

    /// Puts a batch together, of rows by their numbers.
    pub fn batch(&self, numbers: &[usize]) -> Batch {
        let row = |&row: &usize| self.rows[row].iter().map(|&i| &self.sequences[i]).collect();
        Batch::packed(numbers.iter().map(row), self.pad)
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
