//! Event files for TensorBoard: scalars, texts and hyper-parameters.
//!
//! The format is TensorFlow's `TFRecord` framing (`record.rs`) around `Event` messages of protocol buffers (`message.rs`).
//! The few messages that are needed are written by hand: their field numbers are part of TensorBoard's interface and do
//! not change.
//!
//! Every record is written at once. A process that is killed leaves at most one incomplete record at the end, which
//! TensorBoard's reader leaves out.

mod event;
mod hyper;
mod message;
mod record;

pub use hyper::{Hyper, Status};

use event::{Event, Summary};
use framework_base::{Error, Result, files};
use std::{
    fs::{File, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

/// The version that event files give in their first record.
const VERSION: &str = "brain.Event:2";

/// An event file that is being written.
#[derive(Debug)]
pub struct EventFile {
    file: File,
    path: PathBuf,
}

impl EventFile {
    /// Begins a new file in `folder`, behind those of earlier sessions of the run. `step` is the first step that this
    /// session computes: readers discard what earlier files have of it and of later steps, which a session that was
    /// killed may have written after its last checkpoint.
    ///
    /// # Errors
    /// The folder or the file cannot be written.
    pub fn begin(folder: &Path, step: u64) -> Result<Self> {
        files::create_dir(folder)?;
        let path = folder.join(next_name(folder, now() as u64));
        let file = OpenOptions::new().create_new(true).append(true).open(&path);
        let mut events = Self { file: file.map_err(|e| Error::io("write", &path, e))?, path };
        events.write(&Event::version(VERSION))?;
        events.write(&Event::start(step))?;
        Ok(events)
    }

    /// Writes numbers of a step. What is not finite is written as it is; TensorBoard shows it as such.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn scalars(&mut self, step: u64, values: &[(impl AsRef<str>, f64)]) -> Result<()> {
        if values.is_empty() {
            return Ok(());
        }
        let summary =
            values.iter().fold(Summary::default(), |summary, (tag, value)| summary.scalar(tag.as_ref(), *value));
        self.write(&Event::summary(step, summary))
    }

    /// Writes texts of a step, which TensorBoard renders as Markdown.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn texts(&mut self, step: u64, texts: &[(String, String)]) -> Result<()> {
        let summary = texts.iter().fold(Summary::default(), |summary, (tag, text)| summary.text(tag, text));
        self.write(&Event::summary(step, summary))
    }

    /// Writes the settings that TensorBoard's page of hyper-parameters lists, and that the run `name` has begun.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn begin_session(&mut self, name: &str, settings: &[(String, Hyper)], metrics: &[&str]) -> Result<()> {
        let experiment = Summary::default().hyper(hyper::EXPERIMENT, hyper::experiment(settings, metrics));
        self.write(&Event::summary(0, experiment))?;
        let start = Summary::default().hyper(hyper::START, hyper::session_start(name, settings, now()));
        self.write(&Event::summary(0, start))
    }

    /// Writes how the run has ended.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn end_session(&mut self, status: Status) -> Result<()> {
        let end = Summary::default().hyper(hyper::END, hyper::session_end(status, now()));
        self.write(&Event::summary(0, end))
    }

    fn write(&mut self, event: &Event) -> Result<()> {
        let record = record::framed(&event.encode(now()));
        self.file.write_all(&record).map_err(|e| Error::io("write", &self.path, e))
    }
}

/// Seconds since 1970.
fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |passed| passed.as_secs_f64())
}

/// The name of the next file. TensorBoard reads the files of a folder in the order of their names, and never goes back
/// to an earlier one: the time in the name must not be before that of the last file, whatever the clock says.
fn next_name(folder: &Path, seconds: u64) -> String {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let times = names.filter_map(|name| name.strip_prefix(PREFIX)?.split('.').next()?.parse::<u64>().ok());
    let (mut latest, mut count) = (seconds, 0);
    for time in times {
        (latest, count) = (latest.max(time), count + 1);
    }
    format!("{PREFIX}{latest:010}.framework.{count:04}")
}

/// What TensorBoard knows event files by.
const PREFIX: &str = "events.out.tfevents.";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_named_in_the_order_of_their_sessions() {
        let folder = tempfile::tempdir().unwrap();
        let mut names = Vec::new();
        for clock in [1_800_000_000, 1_800_000_000, 1_700_000_000, 1_900_000_000] {
            let name = next_name(folder.path(), clock);
            std::fs::write(folder.path().join(&name), "").unwrap();
            names.push(name);
        }
        let mut sorted = names.clone();
        sorted.sort();
        assert_eq!(names, sorted);
        assert_eq!(names[2], "events.out.tfevents.1800000000.framework.0002");
    }
}
