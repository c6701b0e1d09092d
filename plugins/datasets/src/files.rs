//! Reading text files.

use framework_sdk::{PluginError, Result};
use std::{
    fs::File,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
};

/// The error for a file that the system refuses to read.
pub fn unreadable(path: &Path, why: impl std::fmt::Display) -> PluginError {
    PluginError::new(format!("cannot read {}: {why}", path.display()))
}

/// Opens a UTF-8 file and skips its byte order mark, if it has one.
pub fn open(path: &Path) -> Result<BufReader<File>> {
    let mut reader = BufReader::new(File::open(path).map_err(|e| unreadable(path, e))?);
    let start = reader.fill_buf().map_err(|e| unreadable(path, e))?;
    let mark = if start.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
    reader.consume(mark);
    Ok(reader)
}

/// `bytes` as text; `line` and `what` say where they stand, for the error.
pub fn utf8(bytes: &[u8], path: &Path, line: u64, what: &str) -> Result<String> {
    let text = std::str::from_utf8(bytes);
    text.map(str::to_owned)
        .map_err(|_| PluginError::at(path, line, format!("{what} is not valid UTF-8; save the file as UTF-8")))
}

/// The lines of a file, without their ends and counted from 1.
pub struct Lines {
    /// The file.
    pub path: PathBuf,
    reader: BufReader<File>,
    number: u64,
}

impl Lines {
    /// Opens the file.
    pub fn open(path: PathBuf) -> Result<Self> {
        Ok(Self { reader: open(&path)?, path, number: 0 })
    }
}

impl Iterator for Lines {
    type Item = Result<(u64, String)>;
    fn next(&mut self) -> Option<Self::Item> {
        let mut bytes = Vec::new();
        match self.reader.read_until(b'\n', &mut bytes) {
            Err(e) => return Some(Err(unreadable(&self.path, e))),
            Ok(0) => return None,
            Ok(_) => self.number += 1,
        }
        let end = bytes.iter().rposition(|b| !matches!(b, b'\n' | b'\r')).map_or(0, |last| last + 1);
        let text = utf8(&bytes[..end], &self.path, self.number, "the line");
        Some(text.map(|text| (self.number, text)))
    }
}
