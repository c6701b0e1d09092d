//! Rows that may be malformed, and what becomes of those.

use crate::{PluginError, Record, Records, Result, Skipped};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What to do with a malformed row: an option of datasets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OnError {
    /// The run does not start, and the error names the place of the row.
    #[default]
    Error,
    /// The row is left out. `check`, `prepare` and the log count such rows.
    Skip,
}

/// Why a row gives no record.
#[derive(Debug)]
pub enum Fault {
    /// The row is malformed; what follows can be read.
    Row(Wrong),
    /// The row is sound, but an option leaves it out.
    Unwanted(Wrong),
    /// The file cannot be read on.
    File(PluginError),
}

impl Fault {
    /// The error in it.
    pub fn into_error(self) -> PluginError {
        match self {
            Fault::Row(wrong) | Fault::Unwanted(wrong) => wrong.into(),
            Fault::File(e) => e,
        }
    }
}

/// What is wrong with a row, and where it stands.
#[derive(Debug, Clone)]
pub struct Wrong {
    /// `file:line`, or `file:line:column`.
    pub place: String,
    /// What is wrong, then what can be done, after a semicolon.
    pub message: String,
}

impl Wrong {
    fn report(self, skipped: &Skipped) {
        let reason = self.message.split("; ").next().unwrap_or_default();
        skipped.row(reason, self.place);
    }
}

impl From<Wrong> for PluginError {
    fn from(wrong: Wrong) -> Self {
        PluginError::new(wrong.message).place(wrong.place)
    }
}

impl From<PluginError> for Fault {
    fn from(e: PluginError) -> Self {
        Fault::File(e)
    }
}

/// The records of rows, those left out that `on_error` says.
pub fn records(
    skipped: &Skipped,
    on_error: OnError,
    mut rows: impl Iterator<Item = Result<Record, Fault>> + Send + 'static,
) -> Records {
    let (skipped, mut read, mut wrong, mut first) = (skipped.clone(), 0_u64, 0_u64, None);
    let records = std::iter::from_fn(move || {
        loop {
            let Some(row) = rows.next() else {
                // A wrong option looks like this; an empty dataset would hide it.
                let first: PluginError = first.take().filter(|_| wrong == read)?;
                let message = format!("all {read} rows are malformed and skipped; the first: {first}");
                return Some(Err(PluginError::new(message)));
            };
            read += 1;
            match row {
                Ok(record) => return Some(Ok(record)),
                Err(Fault::Row(row)) if on_error == OnError::Skip => {
                    wrong += 1;
                    first.get_or_insert_with(|| row.clone().into());
                    row.report(&skipped);
                }
                Err(Fault::Unwanted(row)) => row.report(&skipped),
                Err(Fault::Row(row)) => {
                    let mut e = PluginError::from(row);
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
            b'x' => Err(Fault::Row(Wrong { place: "a:1".into(), message: "row; hint".into() })),
            b'e' => Err(Fault::Unwanted(Wrong { place: "a:2".into(), message: "empty".into() })),
            _ => Err(Fault::File(PluginError::new("file"))),
        })
    }

    fn read(pattern: &'static str, on_error: OnError) -> Result<usize, String> {
        records(&Skipped::default(), on_error, rows(pattern))
            .collect::<Result<Vec<_>>>()
            .map(|r| r.len())
            .map_err(|e| e.to_string())
    }

    #[test]
    fn malformed_rows_are_errors_or_left_out() {
        assert_eq!(read("..x.", OnError::Skip), Ok(3));
        assert_eq!(
            read("..x.", OnError::Error),
            Err("a:1: row; hint; `on_error = \"skip\"` leaves such rows out".into())
        );
        assert_eq!(read("..", OnError::Error), Ok(2));
        assert_eq!(read("", OnError::Skip), Ok(0));
    }

    #[test]
    fn a_file_that_breaks_off_is_never_skipped() {
        assert_eq!(read(".!.", OnError::Skip), Err("file".into()));
    }

    #[test]
    fn nothing_but_malformed_rows_is_an_error() {
        assert_eq!(
            read("xx", OnError::Skip),
            Err("all 2 rows are malformed and skipped; the first: a:1: row; hint".into())
        );
    }

    #[test]
    fn what_is_left_out_is_reported_with_its_reason() {
        let skipped = Skipped::default();
        let read = super::records(&skipped, OnError::Skip, rows(".xex.e"));
        assert_eq!(read.collect::<Result<Vec<_>>>().unwrap().len(), 2);
        let told: Vec<_> = skipped.take().into_iter().map(|o| (o.reason, o.first, o.rows)).collect();
        assert_eq!(told, [("row".into(), "a:1".into(), 2), ("empty".into(), "a:2".into(), 2)]);
        let read = super::records(&skipped, OnError::Error, rows("ee"));
        assert_eq!(read.collect::<Result<Vec<_>>>().unwrap().len(), 0);
    }
}
