//! `train.log`.

use framework_base::{Error, Result};
use std::{
    fs::{File, OpenOptions},
    io::Write,
    path::Path,
    sync::Mutex,
};

/// A log file that is appended to.
pub struct LogFile(Mutex<File>);

impl LogFile {
    /// Opens or creates it.
    pub fn open(path: &Path) -> Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(path);
        Ok(Self(Mutex::new(file.map_err(|e| Error::io("write", path, e))?)))
    }

    /// Appends a line with the time in front. A full disk does not end the run.
    pub fn line(&self, line: &str) {
        let mut file = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let _ = writeln!(file, "{} {line}", now());
    }
}

/// The time in UTC: `2026-01-31T12:00:00Z`.
pub fn now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
