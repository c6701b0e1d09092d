//! What became of the data.

use super::{Encoded, Example, histogram::Histogram};
use framework_base::{Error, Problem};
use framework_core::Omission;
use framework_recipe::Split;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What was read, kept and dropped.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct DataReport {
    /// Each dataset, in the recipe's order.
    pub datasets: Vec<DatasetReport>,
    /// What is trained on.
    pub train: SetReport,
    /// What is evaluated on.
    pub validation: SetReport,
}

/// What was read from a dataset.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DatasetReport {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub split: Split,
    /// Records read, `limit` observed.
    pub rows: usize,
    /// Of these, held back for validation.
    pub held_back: usize,
    /// Of these, not trained because a dataset for validation has the same row.
    #[serde(default)]
    pub in_validation: usize,
    /// Records that it gives to training, repetitions by `weight` counted.
    pub trained: usize,
    /// Rows and fields of the files that it left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skipped: Vec<Omission>,
}

/// Something that holds for some rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Noted {
    /// What it is.
    pub what: String,
    /// For how many rows.
    pub rows: usize,
    /// The number of the first of them among the set's examples, counted from 1.
    pub first: usize,
}

/// So many reasons are kept apart; all others are counted together.
const REASONS: usize = 20;
const OTHERS: &str = "other reasons";

/// Counts a row; whether it is the first of its kind.
pub(super) fn note(noted: &mut Vec<Noted>, what: &str, row: usize) -> bool {
    let what = if noted.len() < REASONS || noted.iter().any(|n| n.what == what) { what } else { OTHERS };
    if let Some(known) = noted.iter_mut().find(|n| n.what == what) {
        known.rows += 1;
        return false;
    }
    noted.push(Noted { what: what.to_owned(), rows: 1, first: row });
    true
}

/// What an augmenter made of the records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageReport {
    /// Its name.
    pub name: String,
    /// Records that went in.
    pub records_in: usize,
    /// Records that came out.
    pub records_out: usize,
}

/// What became of the records for training, or of those for validation.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SetReport {
    /// Records before the augmenters.
    pub records: usize,
    /// What each augmenter made of them, in order.
    pub stages: Vec<StageReport>,
    /// Examples after the augmenters.
    pub examples: usize,
    /// Rows left out because they cannot be trained, by reason.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<Noted>,
    /// What rows have and the prompt template does not render.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unused: Vec<Noted>,
    /// The number of the row at hand.
    #[serde(skip)]
    pub row: usize,
    /// Sequences kept.
    pub kept: usize,
    /// Dropped because no token that would be trained is left of them.
    pub dropped_unsupervised: usize,
    /// Left out of training because the same is evaluated.
    #[serde(default)]
    pub dropped_in_validation: usize,
    /// Kept, but cut off at the greatest length.
    pub truncated: usize,
    /// Tokens that are lost because the greatest length cuts them off, or because it leaves nothing that would be
    /// trained.
    pub lost_tokens: usize,
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
    /// The same, counted in bins.
    #[serde(default)]
    pub histogram: Histogram,
}

impl fmt::Display for DataReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for d in &self.datasets {
            write!(f, "dataset      {}: {} rows read, {} held back for validation", d.name, d.rows, d.held_back)?;
            if d.in_validation > 0 {
                write!(f, ", {} not trained: a validation dataset has them", d.in_validation)?;
            }
            writeln!(f)?;
            d.left_out().try_for_each(|line| writeln!(f, "             {line}"))?;
        }
        for (i, stage) in self.train.stages.iter().enumerate() {
            write!(f, "augmenter    {}: {} → {} records", stage.name, stage.records_in, stage.records_out)?;
            match self.validation.stages.get(i).filter(|stage| stage.records_in > 0) {
                Some(stage) => writeln!(f, "; validation {} → {}", stage.records_in, stage.records_out)?,
                None => writeln!(f)?,
            }
        }
        write!(f, "training     {}", self.train)?;
        if self.validation.examples > 0 {
            write!(f, "\nvalidation   {}", self.validation)?;
        }
        self.noted().try_for_each(|line| write!(f, "\n             {line}"))
    }
}

impl DataReport {
    /// Rows left out because they cannot be trained, what rows have that is not used, and empty answers: a line for each.
    pub fn noted(&self) -> impl Iterator<Item = String> {
        let sets = [("training", &self.train), ("validation", &self.validation)];
        sets.into_iter().flat_map(|(name, set)| {
            let rows = |n: usize| if n == 1 { "row" } else { "rows" };
            let refused = set.refused.iter().map(move |Noted { what, rows: n, first }| {
                format!("{n} {name} {} left out: {what} (first: example {first})", rows(*n))
            });
            let unused = set.unused.iter().map(move |Noted { what, rows: n, first }| {
                format!(
                    "{n} {name} {} with {what}, for which the template has no form (first: example {first})",
                    rows(*n)
                )
            });
            let empty = (set.empty_responses > 0).then(|| {
                format!(
                    "{} {name} {} with an empty answer, which teaches the model to say nothing (`framework preview \
                     --all` names them)",
                    set.empty_responses,
                    rows(set.empty_responses)
                )
            });
            refused.chain(unused).chain(empty)
        })
    }
}

impl DatasetReport {
    /// What it left out, a line for each reason.
    pub fn left_out(&self) -> impl Iterator<Item = String> {
        self.skipped.iter().map(|Omission { reason, first, rows, field, .. }| {
            let many = if *rows == 1 { "row" } else { "rows" };
            match field {
                true => format!("{rows} {many} with a field `{reason}`, which is not used"),
                false => format!("{rows} {many} skipped: {reason} (first: {first})"),
            }
        })
    }
}

impl fmt::Display for SetReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} examples kept of {}", self.kept, self.examples)?;
        if self.dropped_unsupervised > 0 {
            write!(f, ", {} dropped: nothing trained is left within max_length", self.dropped_unsupervised)?;
        }
        if self.dropped_in_validation > 0 {
            write!(f, ", {} dropped: the same as a validation example", self.dropped_in_validation)?;
        }
        if self.truncated > 0 {
            write!(f, ", {} cut off at max_length", self.truncated)?;
        }
        if self.lost_tokens > 0 {
            let share = 100.0 * self.lost_tokens as f64 / (self.tokens + self.lost_tokens) as f64;
            write!(f, " ({} tokens lost, {share:.1} %)", self.lost_tokens)?;
        }
        if self.lengths.max == 0 {
            return Ok(()); // not tokenized
        }
        let Lengths { p50, p90, p95, max } = self.lengths;
        write!(f, "; lengths in tokens: half up to {p50}, 90 % up to {p90}, 95 % up to {p95}, longest {max}")
    }
}

/// Percentiles by nearest rank: the smallest length that so many percent do not exceed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
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
        Self::of_counts(lengths.into_iter().map(|length| (length, 1)))
    }

    /// Percentiles of lengths, ascending, each with how often it occurs; zeros if there are none.
    pub fn of_counts(lengths: impl Iterator<Item = (usize, usize)> + Clone) -> Self {
        let count: usize = lengths.clone().map(|(_, n)| n).sum();
        let rank = |percent: usize| {
            let (place, mut passed) = ((count * percent).div_ceil(100).max(1), 0);
            let reached = |(_, n): &(usize, usize)| {
                passed += n;
                passed >= place
            };
            lengths.clone().find(reached).map_or(0, |(length, _)| length)
        };
        Self { p50: rank(50), p90: rank(90), p95: rank(95), max: rank(100) }
    }
}

/// What is counted of an example.
pub(super) struct Counted {
    /// Tokens before anything is cut off.
    pub length: usize,
    tokens: usize,
    pub supervised: usize,
    end_cut: bool,
    text: bool,
    empty_response: bool,
}

impl Counted {
    pub(super) fn of(encoded: &Encoded, example: &Example) -> Self {
        Self {
            length: encoded.length,
            tokens: encoded.sequence.len(),
            supervised: encoded.sequence.supervised(),
            end_cut: encoded.end_cut,
            text: matches!(example, Example::Text(_)),
            empty_response: example.is_empty(),
        }
    }
}

impl DataReport {
    /// That there is nothing to train on, and why.
    pub fn nothing_left(&self) -> Error {
        let train = &self.train;
        let rows: usize = self.datasets.iter().map(|d| d.rows).sum();
        let same = match train.dropped_in_validation {
            0 => String::new(),
            n => format!(", and {n} because they are the same as a validation example"),
        };
        let refused: usize = train.refused.iter().map(|noted| noted.rows).sum();
        let bad = match train.refused.first() {
            None => String::new(),
            Some(noted) => format!(", and {refused} because they cannot be trained, the first because {}", noted.what),
        };
        let message = format!(
            "nothing is left to train on: {rows} records were read, {} went into training, {} examples came out of the \
             augmenters, and {} of them were dropped because no trained token was left{same}{bad}",
            train.records,
            train.examples + refused,
            train.dropped_unsupervised
        );
        let help = match train.dropped_unsupervised {
            0 if refused > 0 => "give the rows what the template reads, or choose another `prompt.template`",
            0 if train.dropped_in_validation > 0 || self.datasets.iter().any(|d| d.in_validation > 0) => {
                "give training rows that the validation datasets do not have, or hold a share back with \
                 `validation.fraction`"
            }
            0 => "look at the datasets' paths, `limit`, `split` and `weight`, and at filtering augmenters",
            _ => "raise `prompt.max_length`: the prompts alone fill it",
        };
        Error::invalid(Problem::new(message).help(help).key("dataset"))
    }
}

impl SetReport {
    /// Counts what the template does not render of the row at hand.
    pub fn lacks(&mut self, unused: &[String]) {
        unused.iter().for_each(|what| _ = note(&mut self.unused, what, self.row));
    }

    /// Counts an example, which is evaluated as well if it is not `apart`; true if its sequence is kept.
    pub(super) fn count(&mut self, example: &Counted, apart: bool) -> bool {
        self.examples += 1;
        if example.supervised == 0 {
            self.lost_tokens += example.length;
            self.dropped_unsupervised += 1;
            return false;
        }
        if !apart {
            self.dropped_in_validation += 1;
            return false;
        }
        self.kept += 1;
        self.lost_tokens += example.length - example.tokens;
        self.truncated += usize::from(example.length > example.tokens);
        self.end_cut += usize::from(example.end_cut);
        self.empty_responses += usize::from(example.empty_response);
        self.texts += usize::from(example.text);
        self.tokens += example.tokens;
        self.supervised_tokens += example.supervised;
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
        let counts = [(15, 1), (20, 2), (35, 97)];
        assert_eq!(Lengths::of_counts(counts.into_iter()), Lengths { p50: 35, p90: 35, p95: 35, max: 35 });
    }
}
