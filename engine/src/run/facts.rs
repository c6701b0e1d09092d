//! `facts.json`: what was known of a run when it began.

use super::RunFolder;
use crate::session::Session;
use framework_base::memory;
use framework_executor::backends;
use framework_text::data::DataReport;
use serde::{Deserialize, Serialize};

/// What was known of a run when it began.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    /// Parameters that are trained, and all.
    pub trained_parameters: usize,
    /// See [`Facts::trained_parameters`].
    pub parameters: usize,
    /// What became of the data.
    pub data: DataReport,
    /// What the run was expected to take.
    pub expected: Expected,
    /// Where it computes.
    pub machine: Machine,
}

impl Facts {
    /// The facts of a run, if it has written them.
    pub fn read(run: &RunFolder) -> Option<Self> {
        serde_json::from_slice(&std::fs::read(run.facts()).ok()?).ok()
    }
}

/// Estimates for a whole run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Expected {
    /// Memory when most of it is taken, in bytes.
    pub memory_bytes: u64,
    /// Optimizer steps in all.
    pub steps: u64,
    /// Optimizer steps of an epoch.
    pub steps_per_epoch: u64,
    /// Floating-point operations of the training steps.
    pub flops: f64,
    /// Their duration at the measured speed of the device; none if that cannot be measured.
    pub seconds: Option<f64>,
}

/// Where a run computes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// Operating system and instruction set.
    pub system: String,
    /// The processor's name, where the system tells.
    pub processor: Option<String>,
    /// Threads that the processor runs at once.
    pub threads: usize,
    /// The machine's memory, where the system tells.
    pub memory_bytes: Option<u64>,
    /// The backend, and the device that it computes on.
    pub backend: String,
    /// What products of matrices are computed in.
    pub precision: String,
}

impl Machine {
    /// This one, with the recipe's backend.
    pub(crate) fn of(session: &Session) -> Self {
        let backend = &session.recipe.backend;
        let word = |value: serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        let name = serde_json::to_value(backend.name).map(word).unwrap_or_default();
        let device = match name.as_str() {
            // Asking for the others' devices wakes their drivers.
            "cpu" => None,
            _ => backends().into_iter().find(|one| one.name == name),
        };
        let device = device.and_then(|found| found.devices.get(backend.device).cloned());
        Self {
            system: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
            processor: processor(),
            threads: std::thread::available_parallelism().map_or(1, |n| n.get()),
            memory_bytes: memory::total(),
            backend: device.map_or(name.clone(), |device| format!("{name}: {device}")),
            precision: serde_json::to_value(backend.precision).map(word).unwrap_or_default(),
        }
    }
}

/// The name that Linux has for the first processor.
pub(crate) fn processor() -> Option<String> {
    let text = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}
