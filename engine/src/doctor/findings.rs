//! What is wrong, and what to do about it.

use super::Report;
use crate::units;
use framework_base::{Error, Result};
use framework_hub::{Reach, Status};
use serde::Serialize;

/// A disk with less than this has no room for a checkpoint of a small model.
const FULL: u64 = 64 << 20;
/// Less than this may not do.
const SCARCE: u64 = 2 << 30;

/// How bad something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// No run works.
    Broken,
    /// Some runs do not work, or are slower than they could be.
    Warning,
}

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub remedy: String,
}

fn broken(message: impl Into<String>, remedy: impl Into<String>) -> Finding {
    Finding { severity: Severity::Broken, message: message.into(), remedy: remedy.into() }
}

fn warning(message: impl Into<String>, remedy: impl Into<String>) -> Finding {
    Finding { severity: Severity::Warning, ..broken(message, remedy) }
}

/// Everything that is wrong, the worst first. `registry` is why plugins cannot be opened together.
pub(super) fn of(report: &Report, hub: &Result<Status>, registry: Option<&Error>) -> Vec<Finding> {
    let mut all = [plugins(report, registry), folders(report), machine(report), network(hub)].concat();
    all.sort_by_key(|finding| finding.severity);
    all
}

fn plugins(report: &Report, registry: Option<&Error>) -> Vec<Finding> {
    let of_place = |error: &String, named_by| {
        let remedy = match named_by {
            "--plugin" => "Leave the option out, or do what the message says.",
            "the user's plugin folder" => "Remove the library from the folder, or do what the message says.",
            _ => "Remove the path from the variable, or do what the message says.",
        };
        broken(error.clone(), remedy)
    };
    let places = report.plugin_places.iter();
    let found: Vec<_> = places.filter_map(|place| Some(of_place(place.error.as_ref()?, place.named_by))).collect();
    match registry {
        // Each place can be loaded, but not all of them together.
        Some(e) if found.is_empty() => vec![broken(e.to_string(), "Remove one of the libraries.")],
        _ => found,
    }
}

fn folders(report: &Report) -> Vec<Finding> {
    let mut found = Vec::new();
    for folder in &report.folders {
        let (shown, output) = (folder.path.display(), folder.what == "output");
        if let Some(why) = &folder.unwritable {
            let message = format!("nothing can be written into the folder for the {}, {shown}: {why}", folder.what);
            found.push(match folder.what {
                "output" => broken(message, "Change its owner or permissions, or set `output` in the recipe."),
                "token cache" => warning(
                    message,
                    "Change its owner or permissions, or set FRAMEWORK_TOKEN_CACHE to another folder; without it every \
                     run tokenizes anew.",
                ),
                _ => warning(message, "Change its owner or permissions, or set HF_HUB_CACHE to another folder."),
            });
        }
        let Some(free) = folder.free_bytes.filter(|free| *free < SCARCE) else { continue };
        let message = format!("only {} are free on the disk of {shown}", units::bytes(free));
        let remedy = match output {
            true => {
                "Make room (`framework runs` shows what runs take, `framework runs prune` removes old checkpoints)."
            }
            false => "Make room, or move the cache to another disk.",
        };
        found.push(if output && free < FULL { broken(message, remedy) } else { warning(message, remedy) });
    }
    found
}

fn machine(report: &Report) -> Vec<Finding> {
    let mut found = Vec::new();
    if let Some(limit) = report.processor.limit.as_ref().filter(|_| !report.processor.limit_known) {
        let message = format!("FRAMEWORK_CPU is `{limit}`, which means nothing; the widest instructions are used");
        found.push(warning(message, "Set it to `avx512`, `avx2` or `portable`, or unset it."));
    }
    if let Some(free) = report.free_memory_bytes.filter(|free| *free < 1 << 30) {
        let message = format!("only {} of memory are free", units::bytes(free));
        found.push(warning(message, "End other programs; `framework check RECIPE` says what a run takes."));
    }
    for backend in report.backends.iter().filter(|backend| backend.compiled_in && backend.devices.is_empty()) {
        let message = format!("backend `{}` is compiled in, but finds no device", backend.name);
        found.push(warning(message, backend.remedy.clone().unwrap_or_default()));
    }
    let cuda = report.backends.iter().any(|backend| backend.name == "cuda" && backend.compiled_in);
    let wgpu = report.backends.iter().any(|backend| backend.name == "wgpu" && backend.compiled_in);
    if let Some(driver) = report.nvidia_driver.as_ref().filter(|_| !cuda && !wgpu) {
        let message = format!("NVIDIA's driver {driver} is loaded, but this program computes on the processor alone");
        found.push(warning(message, "Build with `cargo build --release --features cuda` or `--features wgpu`."));
    }
    found
}

fn network(hub: &Result<Status>) -> Vec<Finding> {
    match hub {
        Err(e) => vec![broken(e.to_string(), "Correct or unset HF_ENDPOINT, HF_HOME and HF_HUB_CACHE.")],
        Ok(Status { reach: Reach::Fails(why), endpoint, .. }) => {
            let remedy = "Check the connection, HTTPS_PROXY, HF_ENDPOINT, and SSL_CERT_FILE behind a proxy that decrypts; \
                          HF_HUB_OFFLINE=1 uses what is in the cache. Models in folders need no hub.";
            vec![warning(format!("cannot reach {endpoint}: {why}"), remedy)]
        }
        Ok(_) => Vec::new(),
    }
}
