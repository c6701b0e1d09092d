//! Runs in a folder: how far each has come, and what it takes on disk.

mod entry;
mod prune;
#[cfg(test)]
mod tests;

pub use entry::{Best, RunEntry, RunState};
pub use prune::{Pruned, prune};

use crate::{run, units};
use framework_base::{Error, Problem, Result};
use std::{
    fmt::Write,
    fs,
    path::{Path, PathBuf},
};

/// Where runs are, unless recipes say otherwise.
pub const DEFAULT: &str = "runs";

/// The runs in a folder, those in its folders, as a sweep has them, and the folder itself if it is one; those that changed
/// last come first.
///
/// # Errors
/// There is no such folder, or it cannot be read.
pub fn list(folder: &Path) -> Result<Vec<RunEntry>> {
    if !folder.is_dir() {
        let problem = Problem::new(format!("there is no folder {}", folder.display()));
        let help = "Give the folder in which runs are: framework runs DIR. A recipe's `output` says where its run is.";
        return Err(Error::invalid(problem.help(help)));
    }
    let mut found = Vec::new();
    if run::is_run(folder) {
        found.push(folder.to_owned());
    } else {
        for inner in folders(folder)? {
            match run::is_run(&inner) {
                true => found.push(inner),
                // One that may not be read is no reason to show none of the others.
                false => found.extend(folders(&inner).unwrap_or_default().into_iter().filter(|run| run::is_run(run))),
            }
        }
    }
    let mut runs: Vec<_> = found.iter().map(|run| RunEntry::of(run)).collect();
    runs.sort_by(|a, b| b.changed.cmp(&a.changed).then_with(|| a.run.cmp(&b.run)));
    Ok(runs)
}

fn folders(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).map_err(|e| Error::io("read", folder, e))?;
    let mut all: Vec<_> = entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    all.sort();
    Ok(all)
}

/// Runs as a table, a line each below a line of headings.
pub fn table(runs: &[RunEntry]) -> String {
    let heads = ["run", "state", "steps", "loss", "best loss", "checkpoints", "size", "changed"];
    let mut rows = vec![heads.map(str::to_owned)];
    rows.extend(runs.iter().map(RunEntry::cells));
    let widths: Vec<_> =
        (0..heads.len()).map(|i| rows.iter().map(|row| row[i].chars().count()).max().unwrap_or(0)).collect();
    let mut out = String::new();
    for row in &rows {
        let line: String = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}  ")).collect();
        let _ = writeln!(out, "{}", line.trim_end());
    }
    let bytes = runs.iter().map(|run| run.bytes).sum();
    let noun = if runs.len() == 1 { "run" } else { "runs" };
    let _ = writeln!(out, "{} {noun}, {}", runs.len(), units::bytes(bytes));
    out
}
