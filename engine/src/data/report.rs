//! What became of the data.

use super::Encoded;
use crate::recipe::Split;
use serde::Serialize;
use std::fmt;

/// What was read, kept and dropped.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct DataReport {
    /// Each dataset, in the recipe's order.
    pub datasets: Vec<DatasetReport>,
    /// What is trained on.
    pub train: SetReport,
    /// What is evaluated on.
    pub validation: SetReport,
}

/// What was read from a dataset.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DatasetReport {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub split: Split,
    /// Records read, `limit` observed.
    pub rows: usize,
    /// Of these, held back for validation.
    pub held_back: usize,
    /// Records that it gives to training, repetitions by `weight` counted.
    pub trained: usize,
}

/// What became of the records for training, or of those for validation.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct SetReport {
    /// Records before the augmenters.
    pub records: usize,
    /// Examples after the augmenters.
    pub examples: usize,
    /// Sequences kept.
    pub kept: usize,
    /// Dropped because no token that would be trained is left of them.
    pub dropped_unsupervised: usize,
    /// Kept, but cut off at the greatest length.
    pub truncated: usize,
    /// Kept, but the end token was cut off, so that they do not teach to stop.
    pub end_cut: usize,
    /// Kept, with a response that is empty.
    pub empty_responses: usize,
    /// Kept, and learned as a whole.
    pub texts: usize,
    /// Tokens in the sequences kept.
    pub tokens: usize,
    /// Of these, those that the loss counts.
    pub supervised_tokens: usize,
    /// Lengths of all examples in tokens, before anything is cut off.
    pub lengths: Lengths,
}

impl fmt::Display for DataReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for d in &self.datasets {
            writeln!(f, "dataset      {}: {} rows read, {} held back for validation", d.name, d.rows, d.held_back)?;
        }
        write!(f, "training     {}", self.train)?;
        if self.validation.examples > 0 {
            write!(f, "\nvalidation   {}", self.validation)?;
        }
        Ok(())
    }
}

impl fmt::Display for SetReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} examples kept of {}", self.kept, self.examples)?;
        if self.dropped_unsupervised > 0 {
            write!(f, ", {} dropped: nothing trained is left within max_length", self.dropped_unsupervised)?;
        }
        if self.truncated > 0 {
            write!(f, ", {} cut off at max_length", self.truncated)?;
        }
        let Lengths { p50, p90, p95, max } = self.lengths;
        write!(f, "; lengths in tokens: half up to {p50}, 90 % up to {p90}, 95 % up to {p95}, longest {max}")
    }
}

/// Percentiles by nearest rank: the smallest length that so many percent do not exceed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[allow(missing_docs)]
pub struct Lengths {
    pub p50: usize,
    pub p90: usize,
    pub p95: usize,
    pub max: usize,
}

impl Lengths {
    /// Percentiles of these lengths, in any order; zeros if there are none.
    pub fn of(mut lengths: Vec<usize>) -> Self {
        lengths.sort_unstable();
        let Some(max) = lengths.last().copied() else { return Self::default() };
        let rank = |percent: usize| lengths[(lengths.len() * percent).div_ceil(100).max(1) - 1];
        Self { p50: rank(50), p90: rank(90), p95: rank(95), max }
    }
}

impl SetReport {
    /// Counts an example; true if its sequence is kept.
    pub(super) fn count(&mut self, encoded: &Encoded, text: bool, empty_response: bool) -> bool {
        self.examples += 1;
        let supervised = encoded.sequence.supervised();
        if supervised == 0 {
            self.dropped_unsupervised += 1;
            return false;
        }
        self.kept += 1;
        self.truncated += usize::from(encoded.length > encoded.sequence.len());
        self.end_cut += usize::from(encoded.end_cut);
        self.empty_responses += usize::from(empty_response);
        self.texts += usize::from(text);
        self.tokens += encoded.sequence.len();
        self.supervised_tokens += supervised;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The nearest-rank example of the usual textbooks: 15, 20, 35, 40, 50 has the median 35.
    #[test]
    fn nearest_rank() {
        assert_eq!(Lengths::of(vec![50, 15, 40, 20, 35]), Lengths { p50: 35, p90: 50, p95: 50, max: 50 });
        assert_eq!(Lengths::of((1..=100).collect()), Lengths { p50: 50, p90: 90, p95: 95, max: 100 });
        assert_eq!(Lengths::of(vec![]), Lengths::default());
        assert_eq!(Lengths::of(vec![7]).p50, 7);
    }
}
