//! Lines of a text file.

use super::rows::Fault;
use super::{
    Decoded, Encoding, MAX_ROW, Place,
    encoding::{Hint, text},
    open, unreadable,
};
use crate::Result;
use std::{io::BufRead, path::Path, sync::Arc};

/// The lines of a file, without their ends.
pub struct Lines {
    path: Arc<Path>,
    reader: Decoded,
    number: u64,
    bytes: Vec<u8>,
    /// The line before is too long and has not been read to its end.
    too_long: bool,
}

/// A line.
pub struct Line<'a> {
    /// Where it stands.
    pub place: Place,
    /// Without line break.
    pub bytes: &'a [u8],
    /// What to say if it is not text.
    pub hint: Hint,
}

impl<'a> Line<'a> {
    /// The line as text.
    pub fn text(self) -> Result<&'a str, Fault> {
        text(self.bytes, &self.place, self.hint, "the line")
    }
}

impl Lines {
    /// Opens the file.
    pub fn open(path: &Path, encoding: &Encoding) -> Result<Self> {
        Ok(Self::new(path.into(), open(path, encoding)?, 0))
    }

    /// The rest of a file after `number` lines.
    pub fn new(path: Arc<Path>, reader: Decoded, number: u64) -> Self {
        Self { path, reader, number, bytes: Vec::new(), too_long: false }
    }

    /// The next line; none at the end.
    pub fn next_line(&mut self) -> Option<Result<Line<'_>, Fault>> {
        match self.read() {
            Err(e) => Some(Err(Fault::File(unreadable(&self.path, format!("after line {}: {e}", self.number))))),
            Ok(false) => None,
            Ok(true) => {
                let place = Place { path: self.path.clone(), line: self.number, column: 0 };
                if self.too_long {
                    let message = format!("the line is longer than {} MiB", MAX_ROW >> 20);
                    return Some(Err(place.wrong(message)));
                }
                let end = self.bytes.iter().rposition(|b| !matches!(b, b'\n' | b'\r')).map_or(0, |last| last + 1);
                Some(Ok(Line { place, bytes: &self.bytes[..end], hint: self.reader.hint() }))
            }
        }
    }

    fn read(&mut self) -> std::io::Result<bool> {
        while self.too_long {
            self.too_long = !self.take()?;
        }
        self.bytes.clear();
        self.number += 1;
        loop {
            let complete = self.take()?;
            if complete {
                return Ok(!self.bytes.is_empty());
            }
            if self.bytes.len() > MAX_ROW {
                self.bytes.clear();
                self.too_long = true;
                return Ok(true);
            }
        }
    }

    /// Takes what is at hand of the line; true if that is all of it.
    fn take(&mut self) -> std::io::Result<bool> {
        let next = self.reader.fill_buf()?;
        let end = next.iter().position(|b| *b == b'\n');
        let length = end.map_or(next.len(), |end| end + 1);
        let complete = end.is_some() || next.is_empty();
        if !self.too_long {
            self.bytes.extend_from_slice(&next[..length]);
        }
        self.reader.consume(length);
        Ok(complete)
    }
}
