//! Tries plugins out: `framework check-plugin`, and the framework's own test of what is built in.

use crate::{Entry, Registry, RegistryError};
use framework_core::conformance::{self, Finding, Outcome};
use serde::Serialize;
use std::{fmt, path::Path, sync::mpsc, thread, time::Duration};

/// What was found about a plugin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PluginReport {
    /// Its kind, name and library.
    pub plugin: String,
    /// Its version.
    pub version: String,
    /// Each check and how it went.
    pub findings: Vec<Finding>,
}

/// What was found about several plugins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// One after the other.
    pub plugins: Vec<PluginReport>,
}

impl Report {
    /// Whether nothing is wrong.
    pub fn passed(&self) -> bool {
        let failed = |finding: &Finding| matches!(finding.outcome, Outcome::Failed(_));
        !self.plugins.iter().any(|plugin| plugin.findings.iter().any(failed))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for PluginReport { plugin, version, findings } in &self.plugins {
            writeln!(f, "{plugin}, version {version}")?;
            for Finding { check, outcome } in findings {
                match outcome {
                    Outcome::Passed => writeln!(f, "  ok      {check}")?,
                    Outcome::Failed(why) => writeln!(f, "  FAILED  {check}: {why}")?,
                    Outcome::Skipped(why) => writeln!(f, "  skipped {check}: {why}")?,
                }
            }
        }
        Ok(())
    }
}

/// Time in which the checks of one plugin should have come to an end.
pub const TIME_LIMIT: Duration = Duration::from_secs(300);

/// Loads a library and tries all of its plugins. An error if it cannot be loaded or registers a name twice.
pub fn check_library(path: &Path) -> Result<Report, RegistryError> {
    Ok(check_registry(&Registry::from_libraries(&[path.to_owned()])?))
}

/// Tries all plugins of a registry, whose names are known to be unique.
pub fn check_registry(registry: &Registry) -> Report {
    let check = |entry: &Entry| conformance::check(&entry.about, &entry.build, &entry.label());
    Report { plugins: registry.list(None).map(|entry| check_entry(entry, TIME_LIMIT, check)).collect() }
}

/// Makes these checks of a plugin, within a time. A plugin that does not come back keeps its thread until the program ends.
pub fn check_entry(
    entry: &Entry,
    limit: Duration,
    checks: impl FnOnce(&Entry) -> Vec<Finding> + Send + 'static,
) -> PluginReport {
    let (sender, receiver) = mpsc::channel();
    let own = entry.clone();
    // Stacks as deep as that of the main thread.
    let started = thread::Builder::new().stack_size(8 << 20).spawn(move || sender.send(checks(&own)));
    let found = started.map_err(|e| e.to_string()).and_then(|_| {
        receiver.recv_timeout(limit).map_err(|_| {
            let seconds = limit.as_secs();
            format!("it has not come to an end in {seconds} s: it waits, or computes without end; `--time-limit` gives it longer")
        })
    });
    let findings = found.unwrap_or_else(|why| vec![Finding { check: "time", outcome: Outcome::Failed(why) }]);
    PluginReport { plugin: entry.label(), version: entry.about.version.clone(), findings }
}
