//! The report for people.

use super::{Folder, Place, Report, Severity};
use crate::units;
use framework_executor::BackendInfo;
use framework_hub::{Reach, Status};
use std::fmt;

/// Columns of the names at the left.
const HANG: usize = 13;

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        line(f, "framework", &format!("{}, {}", self.version, self.system))?;
        let name = self.processor_name.as_deref().unwrap_or("of unknown make");
        line(f, "processor", &format!("{name}, {} threads", self.threads))?;
        let features = self.processor.features.join(" ");
        line(f, "", if features.is_empty() { "no vector instructions that kernels use" } else { &features })?;
        let limit = self.processor.limit.as_ref().filter(|_| self.processor.limit_known);
        let limited = limit.map(|value| format!(" (FRAMEWORK_CPU={value})")).unwrap_or_default();
        for (i, kernel) in self.processor.kernels.iter().enumerate() {
            let limited = if i == 0 { limited.as_str() } else { "" };
            line(f, if i == 0 { "kernels" } else { "" }, &format!("{}: {}{limited}", kernel.name, kernel.by))?;
        }
        let size = |bytes: Option<u64>| bytes.map_or("unknown".to_owned(), units::bytes);
        line(f, "memory", &format!("{}, {} free", size(self.memory_bytes), size(self.free_memory_bytes)))?;
        list(f, "backends", self.backends.iter().map(backend))?;
        if let Some(driver) = &self.nvidia_driver {
            line(f, "", &format!("NVIDIA's driver {driver}"))?;
        }
        list(f, "folders", self.folders.iter().map(folder))?;
        let linked = std::iter::once(format!("{} linked in", self.linked_plugins));
        list(f, "plugins", linked.chain(self.plugin_places.iter().map(place)))?;
        line(f, "hub", &self.hub.as_ref().map_or("none".to_owned(), hub))?;
        for finding in &self.findings {
            let word = if finding.severity == Severity::Broken { "problem" } else { "warning" };
            let message = finding.message.replace('\n', &format!("\n{:HANG$}", ""));
            write!(f, "\n{word:HANG$}{message}\n{:HANG$}{}", "", finding.remedy)?;
        }
        match (self.is_sound(), self.findings.is_empty()) {
            (true, true) => write!(f, "\nnothing is wrong"),
            (true, false) => write!(f, "\nnothing is wrong that every run needs"),
            (false, _) => write!(f, "\nruns do not work until the problems are solved"),
        }
    }
}

fn line(f: &mut fmt::Formatter<'_>, name: &str, text: &str) -> fmt::Result {
    writeln!(f, "{name:HANG$}{text}")
}

fn list(f: &mut fmt::Formatter<'_>, name: &str, texts: impl Iterator<Item = String>) -> fmt::Result {
    texts.enumerate().try_for_each(|(i, text)| line(f, if i == 0 { name } else { "" }, &text))
}

fn backend(backend: &BackendInfo) -> String {
    let state = match (backend.compiled_in, backend.devices.as_slice()) {
        (false, _) => "not compiled in".to_owned(),
        (true, []) => "no device answers".to_owned(),
        (true, devices) => devices.join("; "),
    };
    format!("{}: {state}", backend.name)
}

fn folder(folder: &Folder) -> String {
    let held = match folder.exists {
        true => units::bytes(folder.bytes),
        false => "not there yet".to_owned(),
    };
    let writable = if folder.unwritable.is_some() { ", not writable" } else { "" };
    let free = folder.free_bytes.map(|bytes| format!(", {} free", units::bytes(bytes))).unwrap_or_default();
    format!("{}: {}: {held}{writable}{free}", folder.what, folder.path.display())
}

fn place(place: &Place) -> String {
    let holds = match (&place.error, place.exists, place.plugins.as_slice()) {
        (Some(_), ..) => "cannot be loaded".to_owned(),
        (None, false, _) => "not there".to_owned(),
        (None, true, []) => "no libraries".to_owned(),
        (None, true, plugins) => plugins.join(", "),
    };
    format!("{} ({}): {holds}", place.path.display(), place.named_by)
}

fn hub(hub: &Status) -> String {
    let reach = match &hub.reach {
        Reach::Offline => "not asked: HF_HUB_OFFLINE is set".to_owned(),
        Reach::Answers(ms) => format!("answers in {ms} ms"),
        Reach::Fails(_) => "does not answer".to_owned(),
    };
    let token = if hub.token { "a token is set" } else { "no token is set" };
    format!("{}: {reach}; {token}", hub.endpoint)
}
