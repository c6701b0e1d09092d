//! The table `[train]`.

use framework_base::Float;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Length, batches, schedule, evaluation and checkpoints of the training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Train {
    /// Number of passes over the data. Default: 1, unless `max_steps` is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub epochs: Option<f64>,
    /// Maximum number of optimizer steps.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub max_steps: Option<u64>,
    /// Number of sequences in a forward pass.
    #[schemars(range(min = 1))]
    pub batch_size: usize,
    /// Number of forward passes in an optimizer step.
    #[schemars(range(min = 1))]
    pub gradient_accumulation: usize,
    /// How the learning rate changes after the warm-up.
    pub schedule: Schedule,
    /// The exponent of `polynomial`: 1 is a line, 2 falls faster at first. Default: 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub schedule_power: Option<f64>,
    /// The learning rate at the last step of `polynomial` and `cosine`. Default: 1e-7 for `polynomial`, 0 for `cosine`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub schedule_end: Option<f64>,
    /// Number of times that `cosine-restarts` falls to zero. Default: 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub schedule_cycles: Option<u64>,
    /// How slowly `inverse-sqrt` falls: to half of the learning rate in three times so many steps. Default: the steps of the
    /// warm-up, or 10000 without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub schedule_timescale: Option<u64>,
    /// Number of steps in which the learning rate rises from 0 to its full value.
    pub warmup_steps: u64,
    /// The same as a share of all steps, rounded up; instead of `warmup_steps`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1))]
    pub warmup_ratio: Option<f64>,
    /// Maximum norm of the gradient, which is scaled down to it; 0 turns clipping off.
    #[schemars(range(min = 0))]
    pub max_grad_norm: f64,
    /// Shuffle the examples anew in every epoch.
    pub shuffle: bool,
    /// Put sequences of similar length into the same batch.
    pub group_by_length: bool,
    /// Put several sequences into one row of up to `prompt.max_length` tokens. They do not attend to each other.
    pub packing: bool,
    /// Keep only the inputs of each block and recompute the rest for the gradients: less memory, a third more time.
    pub activation_checkpointing: bool,
    /// Noise on the embeddings while training (NEFTune: Jain et al., 2023, arXiv:2310.05914): uniform numbers of at most
    /// `neftune_alpha` divided by the root of the numbers in a row's embeddings. The paper has 5, 10 and 15.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub neftune_alpha: Option<f64>,
    /// Parameters to leave as they are, of those that the adapter trains: regular expressions that are found anywhere in a
    /// parameter's name, such as `["embed_tokens", "layers\\.[0-3]\\."]`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub freeze: Vec<String>,
    /// Number of steps between lines of `metrics.jsonl`.
    #[schemars(range(min = 1))]
    pub log_every: u64,
    /// When to evaluate on the validation data, besides the end of the run.
    pub eval_every: Every,
    /// When to write a checkpoint.
    pub save_every: Every,
    /// Number of checkpoints to keep, not counting the best one.
    pub keep_checkpoints: usize,
    /// What evaluations are compared by, for `load_best` and `early_stopping`.
    pub metric: Metric,
    /// Finish with the weights that were best on the validation data instead of the last ones.
    pub load_best: bool,
    /// Number format of the saved adapter or model.
    pub save_dtype: SaveDtype,
    /// Stop when evaluations get no better.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub early_stopping: Option<EarlyStopping>,
}

/// How often something is done.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(extend("x-expected" = "\"epoch\", \"end\", a number of steps or a share of the run below 1"))]
pub enum Every {
    /// Every so many steps.
    Steps(#[schemars(range(min = 1))] u64),
    /// Every so large a share of the run's steps, rounded up.
    Share(#[schemars(extend("exclusiveMinimum" = 0, "exclusiveMaximum" = 1))] f64),
    /// At a named time.
    Named(EveryName),
}

/// A named time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum EveryName {
    /// At the end of every epoch.
    Epoch,
    /// Only at the end of the run.
    End,
}

/// How the learning rate changes after the warm-up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Schedule {
    /// Stays the same.
    Constant,
    /// Falls linearly to zero at the last step.
    #[default]
    Linear,
    /// Falls along half a cosine to `schedule_end` at the last step (Loshchilov and Hutter, 2017, arXiv:1608.03983).
    Cosine,
    /// The same, to zero, `schedule_cycles` times one after the other.
    CosineRestarts,
    /// Falls to `schedule_end` as the power `schedule_power` of the share of steps that are left.
    Polynomial,
    /// Falls as one over the root of the step (Vaswani et al., 2017, arXiv:1706.03762), never to zero.
    InverseSqrt,
}

/// Number format of saved weights.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SaveDtype {
    /// 32-bit.
    #[default]
    F32,
    /// 16-bit with f32's range.
    Bf16,
    /// 16-bit, IEEE 754.
    F16,
}

/// What evaluations are compared by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Metric {
    /// The lowest mean cross-entropy per predicted token.
    #[default]
    Loss,
    /// The lowest perplexity, which is e to the power of the loss.
    Perplexity,
    /// The highest share of predicted tokens that are the likeliest.
    Accuracy,
}

impl Metric {
    /// Whether higher values are better.
    pub fn rises(self) -> bool {
        self == Self::Accuracy
    }
}

/// Stop when evaluations get no better.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EarlyStopping {
    /// Number of evaluations that are not better than the best after which the run stops.
    #[schemars(range(min = 1))]
    pub patience: u64,
    /// By how much an evaluation has to be better to count.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub min_delta: f64,
}

impl Every {
    /// Number of steps from one time to the next, in a run and an epoch of so many. The last step is always one of them.
    pub fn steps(self, total: u64, per_epoch: u64) -> u64 {
        let steps = match self {
            Self::Steps(steps) => steps,
            Self::Share(share) => (total as f64 * share).ceil() as u64,
            Self::Named(EveryName::Epoch) => per_epoch,
            Self::Named(EveryName::End) => total,
        };
        steps.max(1)
    }
}

impl Train {
    /// The steps of the warm-up in a run of so many steps, as transformers counts them.
    pub fn warmup(&self, total: u64) -> u64 {
        self.warmup_ratio.map_or(self.warmup_steps, |ratio| (total as f64 * ratio).ceil() as u64)
    }
}

impl Default for Train {
    fn default() -> Self {
        Self {
            epochs: None,
            max_steps: None,
            batch_size: 8,
            gradient_accumulation: 1,
            schedule: Schedule::Linear,
            schedule_power: None,
            schedule_end: None,
            schedule_cycles: None,
            schedule_timescale: None,
            warmup_steps: 0,
            warmup_ratio: None,
            max_grad_norm: 1.0,
            shuffle: true,
            group_by_length: false,
            packing: false,
            activation_checkpointing: false,
            neftune_alpha: None,
            freeze: Vec::new(),
            log_every: 10,
            eval_every: Every::Named(EveryName::Epoch),
            save_every: Every::Named(EveryName::Epoch),
            keep_checkpoints: 2,
            metric: Metric::Loss,
            load_best: false,
            save_dtype: SaveDtype::F32,
            early_stopping: None,
        }
    }
}

impl From<SaveDtype> for Float {
    fn from(dtype: SaveDtype) -> Self {
        match dtype {
            SaveDtype::F32 => Float::F32,
            SaveDtype::Bf16 => Float::BF16,
            SaveDtype::F16 => Float::F16,
        }
    }
}
