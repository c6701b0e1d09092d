//! The whole pipeline: records in, sequences out.

use super::{
    Encoded, Encoder, Example, Inputs, Sequence,
    report::{DataReport, Lengths, SetReport},
    source::{augment, read},
};
use crate::{Error, Problem, Result};
use framework_core::Record;
use rayon::prelude::*;

/// Records that are encoded side by side before the next ones are read.
const CHUNK: usize = 4096;

/// What is trained and evaluated on.
#[derive(Debug, Clone, Default)]
pub struct Corpus {
    /// Sequences for training, in the records' order.
    pub train: Vec<Sequence>,
    /// Sequences for validation.
    pub validation: Vec<Sequence>,
    /// What was read, kept and dropped.
    pub report: DataReport,
}

impl Corpus {
    /// An error that says why, if nothing is left to train on.
    pub fn require_training(&self) -> Result<()> {
        let DataReport { datasets, train, .. } = &self.report;
        if train.kept > 0 {
            return Ok(());
        }
        let rows: usize = datasets.iter().map(|d| d.rows).sum();
        let message = format!(
            "nothing is left to train on: {rows} records were read, {} went into training, {} examples came out of the \
             augmenters, and {} of them were dropped because no trained token was left",
            train.records, train.examples, train.dropped_unsupervised
        );
        let help = match train.dropped_unsupervised {
            0 => "look at the datasets' paths, `limit`, `split` and `weight`, and at filtering augmenters",
            _ => "raise `prompt.max_length`: the prompts alone fill it",
        };
        Err(Error::invalid(Problem::new(message).help(help).key("dataset")))
    }
}

/// Reads, augments, renders and tokenizes everything. The same inputs give the same corpus, however many threads.
///
/// `progress` is told how many examples are done, from time to time.
///
/// # Errors
/// Wrong data, or records that the template cannot render: [`Error::Invalid`].
pub fn load(inputs: &Inputs, encoder: &Encoder, progress: &mut dyn FnMut(usize)) -> Result<Corpus> {
    let sets = read(inputs)?;
    let mut done = 0;
    let mut encode = |set, records| {
        encode(inputs, encoder, set, records, &mut |n| {
            done += n;
            progress(done);
        })
    };
    let (train, train_report) = encode("training", sets.train)?;
    let (validation, validation_report) = encode("validation", sets.validation)?;
    let report = DataReport { datasets: sets.datasets, train: train_report, validation: validation_report };
    Ok(Corpus { train, validation, report })
}

fn encode(
    inputs: &Inputs,
    encoder: &Encoder,
    set: &str,
    records: Vec<Record>,
    progress: &mut dyn FnMut(usize),
) -> Result<(Vec<Sequence>, SetReport)> {
    let mut report = SetReport { records: records.len(), ..SetReport::default() };
    let (mut sequences, mut lengths) = (Vec::new(), Vec::new());
    let mut stream = augment(inputs, records)?;
    loop {
        let chunk: Vec<Record> = stream.by_ref().take(CHUNK).collect::<Result<_, _>>()?;
        if chunk.is_empty() {
            break;
        }
        let encoded: Vec<_> = chunk.par_iter().map(|record| one(encoder, record)).collect();
        // One after the other, so that the first wrong record is the one that is named.
        for result in encoded {
            let number = report.examples + 1;
            for (example, encoded) in result.map_err(|e| in_record(e, set, number))? {
                let (text, empty) = (matches!(example, Example::Text(_)), example.is_empty());
                lengths.push(encoded.length);
                if report.count(&encoded, text, empty) {
                    sequences.push(encoded.sequence);
                }
            }
        }
        progress(chunk.len());
    }
    report.lengths = Lengths::of(lengths);
    Ok((sequences, report))
}

fn one(encoder: &Encoder, record: &Record) -> Result<Vec<(Example, Encoded)>> {
    let encode = |example: Example| encoder.encode(&example).map(|encoded| (example, encoded));
    encoder.template.examples(record)?.into_iter().map(encode).collect()
}

/// Says which record it was; what it came from is not known after the augmenters.
fn in_record(e: Error, set: &str, number: usize) -> Error {
    match e {
        Error::Invalid(mut problems) => {
            for problem in &mut problems {
                problem.message = format!("{set} example {number}: {}", problem.message);
            }
            Error::Invalid(problems)
        }
        failed => failed,
    }
}

#[cfg(test)]
#[path = "corpus_tests.rs"]
mod tests;
