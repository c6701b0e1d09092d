//! A limit to what is read as one row by somebody else's parser.

use super::MAX_ROW;
use std::io::{self, Read};

/// A reader that fails when too much is read of one row.
pub struct Bounded<R> {
    reader: R,
    left: usize,
}

impl<R> Bounded<R> {
    /// Reads from `reader`.
    pub fn new(reader: R) -> Self {
        Self { reader, left: MAX_ROW }
    }

    /// Another row begins.
    pub fn next_row(&mut self) {
        self.left = MAX_ROW;
    }

    /// What it reads from.
    pub fn get_ref(&self) -> &R {
        &self.reader
    }
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(out)?;
        let too_long = || {
            let limit = MAX_ROW >> 20;
            io::Error::other(format!("the row is longer than {limit} MiB; a quote may have been left open"))
        };
        self.left = self.left.checked_sub(count).ok_or_else(too_long)?;
        Ok(count)
    }
}
