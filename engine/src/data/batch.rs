//! Batches: in which order sequences are trained, and how they are put together.

use super::{
    IGNORE, Sequence,
    random::{Purpose, shuffle, stream},
};
use std::ops::Range;

/// Batches whose sequences are sorted by length together, as in transformers' `group_by_length`.
const WINDOW: usize = 50;

/// The order of an epoch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Order {
    /// As they come.
    Fixed,
    /// Another order in every epoch.
    #[default]
    Shuffled,
    /// Another order in every epoch, with sequences of similar length in the same batch: less padding.
    ByLength,
}

/// Sequences side by side, filled up on the right to the longest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Token ids `[rows, time]`.
    pub ids: Vec<u32>,
    /// Labels `[rows, time]`, unshifted; [`IGNORE`] where nothing is trained.
    pub labels: Vec<i32>,
    /// The length `[rows]` of each sequence; what comes after it is padding.
    pub lengths: Vec<usize>,
    /// Number of sequences.
    pub rows: usize,
    /// Length of the longest.
    pub time: usize,
}

impl Batch {
    /// Puts sequences together.
    pub fn new<'a>(sequences: impl IntoIterator<Item = &'a Sequence>, pad: u32) -> Self {
        let sequences: Vec<_> = sequences.into_iter().collect();
        let (rows, time) = (sequences.len(), sequences.iter().map(|s| s.len()).max().unwrap_or(0));
        let (mut ids, mut labels) = (Vec::with_capacity(rows * time), Vec::with_capacity(rows * time));
        for (row, sequence) in (1..).zip(&sequences) {
            ids.extend(&sequence.ids);
            ids.resize(row * time, pad);
            labels.extend(&sequence.labels);
            labels.resize(row * time, IGNORE);
        }
        let lengths = sequences.iter().map(|s| s.len()).collect();
        Self { ids, labels, lengths, rows, time }
    }

    /// The number of tokens that the loss counts.
    pub fn supervised(&self) -> usize {
        let rows = self.labels.chunks(self.time.max(1));
        rows.map(|row| row.iter().skip(1).filter(|label| **label != IGNORE).count()).sum()
    }
}

/// The batches of a training run. What an epoch looks like depends on nothing but these fields and its number, so a
/// run that is resumed goes on in the same order.
#[derive(Debug, Clone, Copy)]
pub struct Batches<'a> {
    /// What is trained on.
    pub sequences: &'a [Sequence],
    /// Sequences per batch.
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
        self.sequences.len().div_ceil(self.batch_size.max(1))
    }

    /// Optimizer steps in an epoch; the last may have fewer batches.
    pub fn steps_per_epoch(&self) -> usize {
        self.batches_per_epoch().div_ceil(self.accumulation.max(1))
    }

    /// The plan of an epoch, counted from 0.
    pub fn epoch(&self, epoch: u64) -> Epoch {
        let size = self.batch_size.max(1);
        let mut order: Vec<usize> = (0..self.sequences.len()).collect();
        if self.order != Order::Fixed {
            shuffle(&mut order, &mut stream(self.seed, Purpose::Order(epoch)));
        }
        if self.order == Order::ByLength {
            for window in order.chunks_mut(WINDOW * size) {
                window.sort_by_key(|i| std::cmp::Reverse(self.sequences[*i].len()));
            }
        }
        let mut batches: Vec<Vec<usize>> = order.chunks(size).map(<[_]>::to_vec).collect();
        if self.order == Order::ByLength {
            // A short batch stays last.
            let whole = self.sequences.len() / size;
            shuffle(&mut batches[..whole], &mut stream(self.seed, Purpose::Batches(epoch)));
        }
        Epoch { batches, accumulation: self.accumulation.max(1) }
    }

    /// Puts a batch together, of sequences by their numbers.
    pub fn batch(&self, numbers: &[usize]) -> Batch {
        Batch::new(numbers.iter().map(|i| &self.sequences[*i]), self.pad)
    }
}

/// The plan of an epoch: which sequences, by their numbers, are in which batch.
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
