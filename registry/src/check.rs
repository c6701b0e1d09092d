//! Tries plugins out: `framework check-plugin`, and the framework's own test of what is built in.

use crate::{Entry, Registry, RegistryError};
use framework_core::conformance::{self, Finding, Outcome};
use serde::Serialize;
use std::{fmt, path::Path};

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

/// Loads a library and tries all of its plugins. An error if it cannot be loaded or registers a name twice.
pub fn check_library(path: &Path) -> Result<Report, RegistryError> {
    Ok(check_registry(&Registry::from_libraries(&[path.to_owned()])?))
}

/// Tries all plugins of a registry, whose names are known to be unique.
pub fn check_registry(registry: &Registry) -> Report {
    Report { plugins: registry.list(None).map(check_entry).collect() }
}

fn check_entry(entry: &Entry) -> PluginReport {
    let findings = conformance::check(&entry.about, &entry.build, &entry.label());
    PluginReport { plugin: entry.label(), version: entry.about.version.clone(), findings }
}
