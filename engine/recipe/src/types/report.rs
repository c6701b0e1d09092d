//! The table `[report]`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is written for people to look at while a run goes on, besides `metrics.jsonl` and `train.log`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Report {
    /// Write event files for TensorBoard into the run's folder `tensorboard`: losses, learning rate, norm of the gradient,
    /// speed, sampled answers and settings.
    pub tensorboard: bool,
}

impl Default for Report {
    fn default() -> Self {
        Self { tensorboard: true }
    }
}
