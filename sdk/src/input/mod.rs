//! Reading files: what they are packed with, how their text is encoded, and where in them a row stands. With the feature
//! `input`.
//!
//! ```no_run
//! use framework_sdk::{input::{self, Encoding, JSON, files, rows}, prelude::*};
//!
//! /// The objects of a JSON file, or of those in a folder; malformed ones are left out and counted.
//! fn open(path: &FilePath, skipped: &Skipped) -> Result<Records> {
//!     let encoding = Encoding::named("auto")?;
//!     let objects = rows::of_files(files(path, JSON)?, move |file| input::json(&file, &encoding));
//!     let records = objects.map(|object| object.map(|(_, record)| record));
//!     Ok(rows::records(skipped, rows::OnError::Skip, records))
//! }
//! ```

mod bounded;
mod encoding;
mod folder;
mod guess;
mod json;
mod lines;
mod numbers;
pub mod rows;

pub use bounded::Bounded;
pub use encoding::{Decoded, Encoding, Hint, text};
pub use folder::{JSON, extension, files};
pub use json::json;
pub use lines::{Line, Lines};

use crate::{PluginError, Result};
use rows::{Fault, Wrong};
use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::Path,
    sync::Arc,
};

/// The most bytes of a file that are held as one row.
pub const MAX_ROW: usize = 16 << 20;

/// The most bytes of a message, which may quote what is in the file.
const MAX_MESSAGE: usize = 2000;

const BUFFER: usize = 64 << 10;

/// The error for a file that cannot be read.
pub fn unreadable(path: &Path, why: impl std::fmt::Display) -> PluginError {
    PluginError::new(format!("cannot read {}: {why}", path.display()))
}

/// Opens a text file: unpacks gzip and Zstandard, and turns its encoding into UTF-8.
pub fn open(path: &Path, encoding: &Encoding) -> Result<Decoded> {
    unpacked(path).and_then(|reader| encoding.decode(reader, path)).map_err(|e| unreadable(path, e))
}

/// The file's content, unpacked if its first bytes say that it is packed, whatever it is called.
fn unpacked(path: &Path) -> io::Result<Box<dyn BufRead + Send>> {
    let mut file = BufReader::with_capacity(BUFFER, File::open(path)?);
    let unpacker: Box<dyn Read + Send> = match file.fill_buf()? {
        [0x1f, 0x8b, ..] => Box::new(flate2::bufread::MultiGzDecoder::new(file)),
        [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => {
            Box::new(zstd::Decoder::with_buffer(file)?)
        }
        start => {
            let archives: [(&[u8], _); 4] =
                [(b"PK\x03\x04", "ZIP"), (b"BZh", "bzip2"), (b"\xfd7zXZ", "xz"), (b"7z\xbc\xaf", "7z")];
            return match archives.iter().find(|(magic, _)| start.starts_with(magic)) {
                None => Ok(Box::new(file)),
                Some((_, kind)) => Err(io::Error::other(format!(
                    "it is packed with {kind}, which is not unpacked here; unpack it, or pack it with gzip or zstd"
                ))),
            };
        }
    };
    Ok(Box::new(BufReader::with_capacity(BUFFER, unpacker)))
}

/// Where a row begins.
#[derive(Debug, Clone)]
pub struct Place {
    /// The file.
    pub path: Arc<Path>,
    /// Its line, counted from 1.
    pub line: u64,
    /// The character in the line, counted from 1; 0 for the line as a whole.
    pub column: u64,
}

impl Place {
    /// Where it stands after these bytes.
    #[must_use]
    pub fn after(&self, bytes: &[u8]) -> Place {
        let (line, column) = match bytes.iter().rposition(|b| *b == b'\n') {
            None => (self.line, self.column.max(1) + characters(bytes)),
            Some(last) => {
                let breaks = bytes.iter().filter(|b| **b == b'\n').count() as u64;
                (self.line + breaks, 1 + characters(&bytes[last + 1..]))
            }
        };
        Place { line, column, ..self.clone() }
    }

    /// The row that begins here is wrong.
    pub fn wrong(&self, message: impl std::fmt::Display) -> Fault {
        Fault::Row(self.said(message))
    }

    /// The row that begins here is left out because an option says so.
    pub fn unwanted(&self, message: impl std::fmt::Display) -> Fault {
        Fault::Unwanted(self.said(message))
    }

    /// The file cannot be read on from here.
    pub fn broken(&self, message: impl std::fmt::Display) -> Fault {
        Fault::File(self.said(message).into())
    }

    fn said(&self, message: impl std::fmt::Display) -> Wrong {
        let mut message = message.to_string();
        if message.len() > MAX_MESSAGE {
            message.truncate(message.floor_char_boundary(MAX_MESSAGE));
            message.push('…');
        }
        let (path, line) = (self.path.display(), self.line);
        let place = match self.column {
            0 => format!("{path}:{line}"),
            column => format!("{path}:{line}:{column}"),
        };
        Wrong { place, message }
    }
}

/// How many characters begin in these bytes of UTF-8.
fn characters(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|b| **b & 0xc0 != 0x80).count() as u64
}

/// The default of `encoding`.
pub fn auto() -> String {
    "auto".into()
}
