//! The checkpoints that lie in a run's folder.

use super::RunFolder;
use serde::Deserialize;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Trained parameters.
pub const TRAINED: &str = "trained.safetensors";
/// States of the optimizer.
pub const OPTIMIZER: &str = "optimizer.safetensors";
/// Where the run stands.
pub const STATE: &str = "state.json";

/// The best evaluation, of all that is in a checkpoint's state.
#[derive(Deserialize)]
struct Best {
    best: Option<(f64, u64)>,
}

impl RunFolder {
    /// The checkpoint of a step.
    pub fn checkpoint(&self, step: u64) -> PathBuf {
        self.checkpoints().join(format!("step-{step}"))
    }

    /// Steps of the whole checkpoints, ascending. A folder gets its name only when everything in it is on disk.
    pub fn checkpoint_steps(&self) -> Vec<u64> {
        let entries = fs::read_dir(self.checkpoints()).into_iter().flatten().flatten();
        let number = |e: fs::DirEntry| e.file_name().to_str()?.strip_prefix("step-")?.parse().ok();
        let mut steps: Vec<u64> = entries.filter_map(number).collect();
        steps.sort_unstable();
        steps
    }

    /// The step of the best evaluation so far, as the newest checkpoint that can be read has it.
    pub fn best_step(&self) -> Option<u64> {
        let state = |step: u64| fs::read(self.checkpoint(step).join(STATE)).ok();
        let read = |bytes: Vec<u8>| serde_json::from_slice::<Best>(&bytes).ok();
        let newest = self.checkpoint_steps().into_iter().rev().find_map(|step| read(state(step)?))?;
        newest.best.map(|(_, step)| step)
    }
}

/// Whether a folder is a checkpoint that a run has written, and nothing else lies in it.
pub fn is_checkpoint(path: &Path) -> bool {
    let ours = |name: &str| [TRAINED, OPTIMIZER, STATE].contains(&name);
    // Neither a link to somewhere else, nor links in it.
    path.symlink_metadata().is_ok_and(|about| about.is_dir())
        && path.join(STATE).is_file()
        && fs::read_dir(path).is_ok_and(|entries| {
            entries
                .flatten()
                .all(|e| e.file_type().is_ok_and(|kind| kind.is_file()) && e.file_name().to_str().is_some_and(ours))
        })
}
