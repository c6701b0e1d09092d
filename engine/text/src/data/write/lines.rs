//! JSON lines.

use super::{Row, Rows};
use crate::data::Sequence;
use framework_base::{Error, Result};
use framework_recipe::Split;
use serde::Serialize;
use std::{
    io::{self, Write},
    path::Path,
};

/// Tokens as transformers' trainer takes them.
#[derive(Serialize)]
pub(super) struct Tokens<'a> {
    input_ids: &'a [u32],
    labels: &'a [i32],
    split: Split,
}

impl<'a> Tokens<'a> {
    pub(super) fn of(sequence: &'a Sequence, split: Split) -> Self {
        Self { input_ids: &sequence.ids, labels: &sequence.labels, split }
    }
}

/// A value as a line.
pub(super) fn line(value: &impl Serialize) -> Result<Vec<u8>> {
    let mut line = serde_json::to_vec(value).map_err(|e| Error::failed(e.to_string()))?;
    line.push(b'\n');
    Ok(line)
}

/// A row a line.
pub(super) struct Lines<'a, W> {
    path: &'a Path,
    bytes: W,
    end: fn(W) -> io::Result<()>,
}

impl<'a, W: Write> Lines<'a, W> {
    /// `end` writes what packing needs at the end.
    pub(super) fn new(path: &'a Path, bytes: W, end: fn(W) -> io::Result<()>) -> Self {
        Self { path, bytes, end }
    }
}

impl<W: Write> Rows for Lines<'_, W> {
    fn put(&mut self, row: Row) -> Result<()> {
        let line = match row {
            Row::Line(line) => line,
            Row::Record(record) => line(&record)?,
            Row::Tokens(sequence, split) => line(&Tokens::of(&sequence, split))?,
        };
        self.bytes.write_all(&line).map_err(|e| Error::io("write", self.path, e))
    }

    fn finish(self: Box<Self>) -> Result<()> {
        (self.end)(self.bytes).map_err(|e| Error::io("write", self.path, e))
    }
}
