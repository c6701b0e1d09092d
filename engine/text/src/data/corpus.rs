//! The whole pipeline: records in, sequences out.

use super::{
    Encoder, Example, Inputs, Sequence,
    apart::{Apart, of, of_sequence},
    flow::Flow,
    histogram::Histogram,
    reading::Reading,
    refused::{Outcome, Together, reason},
    report::{Counted, DataReport, Lengths, SetReport, note},
};
use framework_base::{Error, Result};
use framework_core::Record;
use framework_recipe::Split;
use rayon::prelude::*;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// Records that are worked on side by side while the next ones are read: so many at most, and about so many bytes.
const CHUNK: usize = 1024;
const CHUNK_BYTES: usize = 2 << 20;

/// What is trained and evaluated on.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Corpus {
    /// Sequences for training, in the records' order.
    pub train: Vec<Sequence>,
    /// Sequences for validation.
    pub validation: Vec<Sequence>,
    /// What each sequence for training counts, negative for an answer that is not wanted; empty if all count alike.
    pub train_weights: Vec<f32>,
    /// The same of those for validation.
    pub validation_weights: Vec<f32>,
    /// What was read, kept and dropped.
    pub report: DataReport,
}

/// How far the work on the records is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Records that the datasets gave.
    pub records: usize,
    /// All that they will give, if that is known.
    pub total: Option<usize>,
    /// Examples that the augmenters made of them.
    pub examples: usize,
}

impl Corpus {
    /// SHA-256 of the tokens and labels of sequences, and of their weights.
    pub fn hash(sequences: &[Sequence], weights: &[f32]) -> String {
        let (mut hash, mut bytes) = (Sha256::new(), Vec::new());
        for sequence in sequences {
            bytes.clear();
            bytes.extend((sequence.ids.len() as u64).to_le_bytes());
            bytes.extend(sequence.ids.iter().flat_map(|id| id.to_le_bytes()));
            bytes.extend(sequence.labels.iter().flat_map(|label| label.to_le_bytes()));
            hash.update(&bytes);
        }
        weights.iter().for_each(|weight| hash.update(weight.to_le_bytes()));
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// An error that says why, if nothing is left to train on.
    pub fn require_training(&self) -> Result<()> {
        if self.report.train.kept > 0 { Ok(()) } else { Err(self.report.nothing_left()) }
    }
}

/// Reads, augments, renders and tokenizes everything. The same inputs give the same corpus, however many threads.
///
/// Records are read as a stream and kept as tokens only. `progress` is told how far that is, from time to time.
///
/// # Errors
/// Wrong data, or records that the template cannot render: [`Error::Invalid`].
pub fn load(inputs: &Inputs, encoder: &Encoder, progress: &mut dyn FnMut(Progress)) -> Result<Corpus> {
    let mut corpus = Corpus::default();
    let compact = |mut sequence: Sequence, _| {
        sequence.ids.shrink_to_fit();
        sequence.labels.shrink_to_fit();
        Ok(sequence)
    };
    corpus.report = weighed(inputs, encoder, progress, compact, &mut |set, sequence, weight| {
        let (sequences, weights) = match set {
            Split::Train => (&mut corpus.train, &mut corpus.train_weights),
            Split::Validation => (&mut corpus.validation, &mut corpus.validation_weights),
        };
        sequences.push(sequence);
        weights.extend(encoder.template.weighs().then_some(weight));
        Ok(())
    })?;
    Ok(corpus)
}

/// What is evaluated on, one sequence after the other, then what is trained. `ready` is called for several side by
/// side.
pub fn sequences<T: Send>(
    inputs: &Inputs,
    encoder: &Encoder,
    progress: &mut dyn FnMut(Progress),
    ready: impl Fn(Sequence, Split) -> Result<T> + Sync,
    keep: &mut dyn FnMut(Split, T) -> Result<()>,
) -> Result<DataReport> {
    weighed(inputs, encoder, progress, ready, &mut |set, sequence, _| keep(set, sequence))
}

/// As [`sequences`], with what each counts. Both sequences of a pair are kept, or none.
fn weighed<T: Send>(
    inputs: &Inputs,
    encoder: &Encoder,
    progress: &mut dyn FnMut(Progress),
    ready: impl Fn(Sequence, Split) -> Result<T> + Sync,
    keep: &mut dyn FnMut(Split, T, f32) -> Result<()>,
) -> Result<DataReport> {
    let (mut lengths, mut apart) = (BTreeMap::new(), Apart::default());
    let pairs = encoder.template.reads_pairs();
    let tokenize = |set: Split, record: Record| {
        let encode = |example: Example| {
            let encoded = encoder.encode(&example)?;
            let (counted, hash) = (Counted::of(&encoded, &example), of_sequence(&encoded.sequence));
            Ok((ready(encoded.sequence, set)?, counted, hash, example.unused().to_vec()))
        };
        let rendered =
            encoder.template.weight(&record).and_then(|weight| Ok((encoder.template.examples(&record)?, weight)));
        Outcome::of(rendered, |(made, weight)| Ok((made.into_iter().map(encode).collect::<Result<Vec<_>>>()?, weight)))
    };
    let mut report = each(inputs, progress, tokenize, &mut |set, report, (mut encoded, weight)| {
        if pairs {
            let whole = encoded.iter().all(|(_, counted, ..)| counted.supervised > 0);
            let both = of(&encoded.iter().map(|(_, _, hash, _)| *hash).collect::<Vec<_>>());
            for (_, counted, hash, _) in &mut encoded {
                (*hash, counted.supervised) = (both, if whole { counted.supervised } else { 0 });
            }
        }
        for (sequence, counted, hash, unused) in encoded {
            report.lacks(&unused);
            *lengths.entry((set == Split::Train, counted.length)).or_insert(0) += 1;
            if report.count(&counted, apart.keeps(set, hash)) {
                keep(set, sequence, weight)?;
            }
        }
        Ok(())
    })?;
    let lengths_of =
        |train| lengths.iter().filter(move |((set, _), _)| *set == train).map(|((_, length), n)| (*length, *n));
    report.train.lengths = Lengths::of_counts(lengths_of(true));
    report.validation.lengths = Lengths::of_counts(lengths_of(false));
    let width = Histogram::width(report.train.lengths.max.max(report.validation.lengths.max));
    report.train.histogram = Histogram::of(width, lengths_of(true));
    report.validation.histogram = Histogram::of(width, lengths_of(false));
    Ok(report)
}

/// Does `work` on all records, several at a time, and hands what comes of it to `take` in the records' order: first
/// those for validation, so that those for training can be compared with them. The next records are read meanwhile.
/// Refused rows are counted and left out, or an error that names all among the rows worked on side by side.
pub fn each<T: Send>(
    inputs: &Inputs,
    progress: &mut dyn FnMut(Progress),
    work: impl Fn(Split, Record) -> Result<Outcome<T>> + Sync,
    take: &mut dyn FnMut(Split, &mut SetReport, T) -> Result<()>,
) -> Result<DataReport> {
    each_of(inputs, usize::MAX, progress, work, take)
}

/// As [`each`], with at most `most` records of each set.
pub fn each_of<T: Send>(
    inputs: &Inputs,
    most: usize,
    progress: &mut dyn FnMut(Progress),
    work: impl Fn(Split, Record) -> Result<Outcome<T>> + Sync,
    take: &mut dyn FnMut(Split, &mut SetReport, T) -> Result<()>,
) -> Result<DataReport> {
    let reading = Reading::new(inputs)?;
    let mut report = DataReport::default();
    let mut done = Progress { total: reading.total(), ..Progress::default() };
    for (set, name) in [(Split::Validation, "validation"), (Split::Train, "training")] {
        let mut flow = reading.flow(set)?;
        let counts = if set == Split::Train { &mut report.train } else { &mut report.validation };
        let (before, examples, mut number) = (done.records, done.examples, 0);
        let mut chunk = Chunk::read(&mut flow, most);
        while !chunk.records.is_empty() {
            let (at, left) = (before + flow.read(), most - number - chunk.records.len());
            let (results, next) = rayon::join(
                || chunk.records.into_par_iter().map(|record| work(set, record)).collect::<Vec<_>>(),
                || {
                    if chunk.end.is_none() {
                        Chunk::read(&mut flow, left)
                    } else {
                        Chunk { end: chunk.end, ..Chunk::default() }
                    }
                },
            );
            // One after the other, so that the first wrong record is the one that is named.
            let mut refused = Together::default();
            for result in results {
                number += 1;
                counts.row = number;
                match result {
                    Ok(Outcome::Made(made)) => take(set, counts, made),
                    Ok(Outcome::Refused(problems)) if inputs.skip_bad_rows => {
                        note(&mut counts.refused, &reason(&problems), number);
                        Ok(())
                    }
                    Ok(Outcome::Refused(problems)) => {
                        refused.add(number, problems);
                        Ok(())
                    }
                    Err(e) => Err(e),
                }
                .map_err(|e| in_record(e, name, number))?;
            }
            refused.told(name, number)?;
            (done.records, done.examples) = (at, examples + counts.examples);
            progress(done);
            chunk = next;
        }
        if let Some(Err(e)) = chunk.end {
            return Err(e);
        }
        done.records = before + flow.read();
        (counts.records, counts.row) = (flow.read(), 0);
        counts.stages = reading.stages(&flow);
    }
    report.datasets = reading.datasets();
    Ok(report)
}

/// Records that are worked on side by side.
#[derive(Default)]
struct Chunk {
    records: Vec<Record>,
    /// Whether it is the last, and why.
    end: Option<Result<()>>,
}

impl Chunk {
    fn read(flow: &mut Flow, most: usize) -> Self {
        let (mut records, mut bytes) = (Vec::new(), 0);
        while records.len() < CHUNK.min(most) && bytes < CHUNK_BYTES {
            match flow.next() {
                Some(Ok(record)) => {
                    bytes += record.values().map(size).sum::<usize>();
                    records.push(record);
                }
                Some(Err(e)) => return Self { records, end: Some(Err(e)) },
                None => return Self { records, end: Some(Ok(())) },
            }
        }
        Self { records, end: None }
    }
}

/// About so many bytes.
fn size(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Array(list) => list.iter().map(size).sum::<usize>(),
        Value::Object(map) => map.iter().map(|(key, value)| key.len() + size(value)).sum(),
        _ => 8,
    }
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
