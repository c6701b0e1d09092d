//! Streams of records on the boundary, a few hundred at a time.

use super::{RawError, RawResult, from_json, guard, receive, to_json};
use crate::{Record, Records, Result};
use abi_stable::{
    sabi_trait,
    sabi_trait::TD_Opaque,
    std_types::{RBox, RResult, RString},
};

const BATCH: usize = 256;

#[sabi_trait]
pub trait Stream: Send + 'static {
    /// The next records as a JSON array; an empty array at the end.
    #[sabi(last_prefix_field)]
    fn next(&mut self) -> RResult<RString, RawError>;
}

pub type RawStream = Stream_TO<RBox<()>>;

struct Source {
    records: Records,
    failed: Option<crate::PluginError>,
}

impl Stream for Source {
    fn next(&mut self) -> RawResult<RString> {
        guard(|| {
            let mut batch = Vec::new();
            while batch.len() < BATCH && self.failed.is_none() {
                match self.records.next() {
                    Some(Ok(record)) => batch.push(record),
                    Some(Err(e)) => self.failed = Some(e),
                    None => break,
                }
            }
            // What came before an error is delivered first.
            match self.failed.take() {
                Some(e) if batch.is_empty() => Err(e),
                failed => {
                    self.failed = failed;
                    to_json(&batch)
                }
            }
        })
    }
}

pub(super) fn export(records: Records) -> RawStream {
    Stream_TO::from_value(Source { records, failed: None }, TD_Opaque)
}

struct Sink {
    stream: RawStream,
    batch: std::vec::IntoIter<Record>,
    done: bool,
    plugin: Option<String>,
}

impl Sink {
    fn refill(&mut self) -> Result<()> {
        let batch: Vec<Record> = from_json(&receive(self.stream.next())?)?;
        self.done = batch.is_empty();
        self.batch = batch.into_iter();
        Ok(())
    }
}

impl Iterator for Sink {
    type Item = Result<Record>;
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(record) = self.batch.next() {
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

pub(super) fn import(stream: RawStream, plugin: Option<&str>) -> Records {
    Box::new(Sink { stream, batch: Vec::new().into_iter(), done: false, plugin: plugin.map(str::to_owned) })
}
