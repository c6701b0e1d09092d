//! `summary.json`: what a run came to.

use super::RunFolder;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// What a run came to.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Summary {
    /// Optimizer steps.
    pub steps: u64,
    /// Mean loss per supervised token at the first and at the last step.
    pub first_loss: Option<f64>,
    /// See [`Summary::first_loss`].
    pub train_loss: Option<f64>,
    /// The best value of `train.metric`, by default the lowest validation loss, and its step.
    pub best: Option<(f64, u64)>,
    /// Whether early stopping ended the run.
    pub stopped_early: bool,
    /// Parameters that were trained, and all.
    pub trained_parameters: usize,
    /// See [`Summary::trained_parameters`].
    pub parameters: usize,
    /// Tokens without padding, and the seconds in which they were trained on, since the run was begun.
    pub tokens: u64,
    /// See [`Summary::tokens`].
    pub seconds: f64,
    /// Tokens per second.
    pub tokens_per_second: f64,
    /// The most memory that the process had resident.
    pub peak_memory_bytes: Option<u64>,
    /// Whether all examples were texts to be learned whole.
    pub trained_on_text: bool,
    /// Where the result is.
    pub output: PathBuf,
}

impl Summary {
    /// The summary of a run that has come to its end.
    pub fn read(run: &RunFolder) -> Option<Self> {
        serde_json::from_slice(&std::fs::read(run.summary()).ok()?).ok()
    }
}
