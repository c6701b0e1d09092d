//! Streams of records on the boundary, a few hundred at a time.

use super::{RawError, RawResult, from_json, guard, receive, to_json};
use crate::{Omission, Record, Records, Result, Skipped};
use abi_stable::{
    sabi_trait,
    sabi_trait::TD_Opaque,
    std_types::{RBox, RResult, RString},
};
use serde::{Deserialize, Serialize};

const BATCH: usize = 256;

#[sabi_trait]
pub trait Stream: Send + 'static {
    /// The next [`Batch`] as JSON; one without records at the end.
    #[sabi(last_prefix_field)]
    fn next(&mut self) -> RResult<RString, RawError>;
}

pub type RawStream = Stream_TO<RBox<()>>;

#[derive(Default, Serialize, Deserialize)]
struct Batch {
    records: Vec<Record>,
    /// What was left out, each with the number of the batch's records that were read before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    skipped: Vec<(usize, Vec<Omission>)>,
}

struct Source {
    records: Records,
    skipped: Skipped,
    failed: Option<crate::PluginError>,
}

impl Stream for Source {
    fn next(&mut self) -> RawResult<RString> {
        guard(|| {
            let mut batch = Batch::default();
            while batch.records.len() < BATCH && self.failed.is_none() {
                let next = self.records.next();
                let skipped = self.skipped.take();
                if !skipped.is_empty() {
                    batch.skipped.push((batch.records.len(), skipped));
                }
                match next {
                    Some(Ok(record)) => batch.records.push(record),
                    Some(Err(e)) => self.failed = Some(e),
                    None => break,
                }
            }
            // What came before an error is delivered first.
            match self.failed.take() {
                Some(e) if batch.records.is_empty() => Err(e),
                failed => {
                    self.failed = failed;
                    to_json(&batch)
                }
            }
        })
    }
}

pub(super) fn export(records: Records, skipped: Skipped) -> RawStream {
    Stream_TO::from_value(Source { records, skipped, failed: None }, TD_Opaque)
}

struct Sink {
    stream: RawStream,
    records: std::vec::IntoIter<Record>,
    /// Records of the batch that have been given.
    given: usize,
    left_out: std::collections::VecDeque<(usize, Vec<Omission>)>,
    skipped: Skipped,
    done: bool,
    plugin: Option<String>,
}

impl Sink {
    fn refill(&mut self) -> Result<()> {
        let batch: Batch = from_json(&receive(self.stream.next())?)?;
        self.done = batch.records.is_empty();
        (self.records, self.given, self.left_out) = (batch.records.into_iter(), 0, batch.skipped.into());
        Ok(())
    }

    /// Passes on what was left out up to the place that has been read.
    fn report(&mut self) {
        while self.left_out.front().is_some_and(|(before, _)| *before <= self.given) {
            self.skipped.add(self.left_out.pop_front().into_iter().flat_map(|(_, all)| all));
        }
    }
}

impl Iterator for Sink {
    type Item = Result<Record>;
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            self.report();
            if let Some(record) = self.records.next() {
                self.given += 1;
                return Some(Ok(record));
            }
            if self.done {
                return None;
            }
            if let Err(e) = self.refill() {
                self.done = true;
                return Some(Err(match &self.plugin {
                    Some(plugin) => e.in_plugin(plugin),
                    None => e,
                }));
            }
        }
    }
}

pub(super) fn import(stream: RawStream, plugin: Option<&str>, skipped: Skipped) -> Records {
    let (records, left_out) = (Vec::new().into_iter(), Default::default());
    Box::new(Sink { stream, records, given: 0, left_out, skipped, done: false, plugin: plugin.map(str::to_owned) })
}
