//! What a run finds on this machine, and what is wrong with it: processor, memory, disks, GPUs, plugins, hub.

mod findings;
mod folder;
mod places;
mod text;

pub use findings::{Finding, Severity};
pub use folder::Folder;
pub use places::Place;

use crate::{pipeline, run, session::PluginSources};
use framework_base::memory;
use framework_executor::{BackendInfo, Processor, backends};
use framework_hub::{self as hub, Status};
use serde::Serialize;
use std::{path::Path, time::Duration};

/// What is looked at.
#[derive(Debug, Clone, Copy)]
pub struct Options<'a> {
    /// Where runs are to be written.
    pub output: &'a Path,
    /// The plugins that commands would find.
    pub sources: &'a PluginSources,
    /// How long the hub may take to answer.
    pub limit: Duration,
}

/// What was found.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// This program's version.
    pub version: &'static str,
    /// Operating system and instruction set.
    pub system: String,
    /// The processor's name, where the system tells.
    pub processor_name: Option<String>,
    /// Threads that it runs at once.
    pub threads: usize,
    /// Its vector instructions, and the kernels that use them.
    pub processor: Processor,
    /// The machine's memory in bytes, where the system tells.
    pub memory_bytes: Option<u64>,
    /// What a run could still take of it.
    pub free_memory_bytes: Option<u64>,
    /// Backends with the devices that answer.
    pub backends: Vec<BackendInfo>,
    /// The version of NVIDIA's driver, where Linux has it loaded.
    pub nvidia_driver: Option<String>,
    /// Folders that runs write into.
    pub folders: Vec<Folder>,
    /// Plugins that are linked in.
    pub linked_plugins: usize,
    /// Where libraries with plugins are looked for.
    pub plugin_places: Vec<Place>,
    /// The hub; none if the environment names none.
    pub hub: Option<Status>,
    /// What is wrong, the worst first.
    pub findings: Vec<Finding>,
}

impl Report {
    /// Whether nothing is wrong that a run needs.
    pub fn is_sound(&self) -> bool {
        self.findings.iter().all(|finding| finding.severity != Severity::Broken)
    }
}

/// Looks at everything. Nothing stays behind; what is wrong is part of the report.
pub fn examine(options: Options) -> Report {
    let hub = hub::status(options.limit);
    let mut folders = vec![Folder::examine("output", options.output)];
    folders.extend(pipeline::cached::folder().map(|path| Folder::examine("token cache", &path)));
    folders.extend(hub.iter().map(|hub| Folder::examine("hub cache", &hub.cache)));
    let (linked_plugins, plugin_places, registry) = places::examine(options.sources);
    let mut report = Report {
        version: env!("CARGO_PKG_VERSION"),
        system: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        processor_name: run::processor(),
        threads: std::thread::available_parallelism().map_or(1, |n| n.get()),
        processor: Processor::detect(),
        memory_bytes: memory::total(),
        free_memory_bytes: memory::available(),
        backends: backends(),
        nvidia_driver: nvidia_driver(),
        folders,
        linked_plugins,
        plugin_places,
        hub: None,
        findings: Vec::new(),
    };
    report.findings = findings::of(&report, &hub, registry.as_ref().err());
    report.hub = hub.ok();
    report
}

/// `590.48.01`, of the kernel's module.
fn nvidia_driver() -> Option<String> {
    let text = std::fs::read_to_string("/proc/driver/nvidia/version").ok()?;
    driver_version(&text)
}

/// The first word of the first line that looks like a version.
fn driver_version(text: &str) -> Option<String> {
    let is_version = |word: &&str| word.contains('.') && word.chars().all(|c| c.is_ascii_digit() || c == '.');
    text.lines().next()?.split_whitespace().find(is_version).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::driver_version;

    #[test]
    fn drivers_have_versions() {
        let open = "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  590.48.01  Release Build  (dvs-builder)\n";
        assert_eq!(driver_version(open).as_deref(), Some("590.48.01"));
        assert_eq!(driver_version("NVRM version: none"), None);
    }
}
