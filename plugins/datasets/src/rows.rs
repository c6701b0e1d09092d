//! Rows that may be malformed, and what becomes of those.

use framework_sdk::{PluginError, Record, Records, Result, options, tracing};
use std::panic::{AssertUnwindSafe, catch_unwind};

options! {
    /// What is done about a malformed row.
    #[derive(Copy, Default)]
    #[serde(rename_all = "lowercase")]
    pub enum OnError {
        /// The run does not start; the error says where the row stands.
        #[default]
        Error,
        /// It is left out and counted in the log.
        Skip,
    }
}

/// Why a row gives no record.
#[derive(Debug)]
pub enum Fault {
    /// The row is malformed; what follows can be read.
    Row(PluginError),
    /// The file cannot be read on.
    File(PluginError),
}

impl Fault {
    /// The error in it.
    pub fn into_error(self) -> PluginError {
        let (Fault::Row(e) | Fault::File(e)) = self;
        e
    }
}

impl From<PluginError> for Fault {
    fn from(e: PluginError) -> Self {
        Fault::File(e)
    }
}

/// Malformed rows that are named in the log; the rest are counted.
const NAMED: u64 = 10;

/// The records of rows, those left out that `on_error` says.
pub fn records(
    plugin: &'static str,
    on_error: OnError,
    mut rows: impl Iterator<Item = Result<Record, Fault>> + Send + 'static,
) -> Records {
    let (mut read, mut skipped, mut first) = (0_u64, 0_u64, None);
    let records = std::iter::from_fn(move || {
        loop {
            let Some(row) = rows.next() else {
                if skipped > 0 {
                    tracing::warn!("{plugin} skipped {skipped} of {read} rows, which are malformed");
                }
                // A wrong option looks like this; an empty dataset would hide it.
                let first: PluginError = first.take().filter(|_| skipped == read)?;
                let message = format!("all {read} rows are malformed and skipped; the first: {}", first.message);
                return Some(Err(PluginError { message, ..first }));
            };
            read += 1;
            match row {
                Ok(record) => return Some(Ok(record)),
                Err(Fault::Row(e)) if on_error == OnError::Skip => {
                    skipped += 1;
                    if skipped <= NAMED {
                        tracing::warn!("{plugin} skips a row: {}", e.message);
                    }
                    first.get_or_insert(e);
                }
                Err(Fault::Row(mut e)) => {
                    e.message.push_str("; `on_error = \"skip\"` leaves such rows out");
                    return Some(Err(e));
                }
                Err(Fault::File(e)) => return Some(Err(e)),
            }
        }
    });
    // The end is told once, however often it is asked for.
    Box::new(records.fuse())
}

/// The rows of several files, each opened when it is its turn.
pub fn of_files<P, R: Iterator<Item = Result<T, Fault>>, T>(
    files: Vec<P>,
    mut open: impl FnMut(P) -> Result<R>,
) -> impl Iterator<Item = Result<T, Fault>> {
    files.into_iter().flat_map(move |file| {
        let (rows, failed) = match open(file) {
            Ok(rows) => (Some(rows), None),
            Err(e) => (None, Some(Err(Fault::File(e)))),
        };
        failed.into_iter().chain(rows.into_iter().flatten())
    })
}

/// Reads with a library that may panic on a damaged file.
pub fn sound<T>(read: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    let read = catch_unwind(AssertUnwindSafe(read));
    read.unwrap_or_else(|_| Err("the file is damaged".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(pattern: &'static str) -> impl Iterator<Item = Result<Record, Fault>> + Send {
        pattern.bytes().map(|kind| match kind {
            b'.' => Ok(Record::new()),
            b'x' => Err(Fault::Row(PluginError::new("row"))),
            _ => Err(Fault::File(PluginError::new("file"))),
        })
    }

    fn read(pattern: &'static str, on_error: OnError) -> Result<usize, String> {
        records("toy", on_error, rows(pattern)).collect::<Result<Vec<_>>>().map(|r| r.len()).map_err(|e| e.message)
    }

    #[test]
    fn malformed_rows_are_errors_or_left_out() {
        assert_eq!(read("..x.", OnError::Skip), Ok(3));
        assert_eq!(read("..x.", OnError::Error), Err("row; `on_error = \"skip\"` leaves such rows out".into()));
        assert_eq!(read("..", OnError::Error), Ok(2));
        assert_eq!(read("", OnError::Skip), Ok(0));
    }

    #[test]
    fn a_file_that_breaks_off_is_never_skipped() {
        assert_eq!(read(".!.", OnError::Skip), Err("file".into()));
    }

    #[test]
    fn nothing_but_malformed_rows_is_an_error() {
        assert_eq!(read("xx", OnError::Skip), Err("all 2 rows are malformed and skipped; the first: row".into()));
    }
}
