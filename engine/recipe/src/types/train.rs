//! The table `[train]`.

use framework_base::Float;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Length of the training, batches, learning-rate schedule, evaluation and checkpoints.
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
    /// Number of sequences per forward pass.
    #[schemars(range(min = 1))]
    pub batch_size: usize,
    /// Number of forward passes per optimizer step.
    #[schemars(range(min = 1))]
    pub gradient_accumulation: usize,
    /// How the learning rate changes after the warm-up.
    pub schedule: Schedule,
    /// Exponent of `polynomial`: 1 is linear, 2 falls faster at first. Default: 1.
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
    /// Time scale of `inverse-sqrt`, in steps: the learning rate has halved after three times this number. Default: the
    /// number of warm-up steps, or 10000 without a warm-up.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub schedule_timescale: Option<u64>,
    /// Number of steps in which the learning rate rises from 0 to its full value.
    pub warmup_steps: u64,
    /// The warm-up as a share of all steps, rounded up, instead of `warmup_steps`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1))]
    pub warmup_ratio: Option<f64>,
    /// Maximum norm of the gradient. A larger gradient is scaled down to it. 0 turns clipping off.
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
    /// Adds uniform noise to the embeddings during training (NEFTune: Jain et al., 2023, arXiv:2310.05914). Its largest
    /// value is `neftune_alpha / √(L · d)` for a row of `L` tokens and embeddings of size `d`. The paper uses 5, 10 and
    /// 15.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub neftune_alpha: Option<f64>,
    /// Parameters to leave unchanged although the adapter would train them: regular expressions that match anywhere in
    /// a parameter's name, such as `["embed_tokens", "layers\\.[0-3]\\."]`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub freeze: Vec<String>,
    /// Number of steps between lines of `metrics.jsonl`.
    #[schemars(range(min = 1))]
    pub log_every: u64,
    /// When to evaluate on the validation data. The end of the run is always evaluated.
    pub eval_every: Every,
    /// When to write a checkpoint.
    pub save_every: Every,
    /// Number of checkpoints to keep, not counting the best one.
    pub keep_checkpoints: usize,
    /// The metric by which `load_best` and `early_stopping` compare evaluations.
    pub metric: Metric,
    /// Finish with the weights of the best evaluation instead of the last ones.
    pub load_best: bool,
    /// Number format of the saved adapter or model.
    pub save_dtype: SaveDtype,
    /// Stop when evaluations no longer improve.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub early_stopping: Option<EarlyStopping>,
}

/// How often something is done.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(extend("x-expected" = "\"epoch\", \"end\", a number of steps or a share of the run below 1"))]
pub enum Every {
    /// Every given number of steps.
    Steps(#[schemars(range(min = 1))] u64),
    /// Every given share of the run's steps, rounded up.
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
    /// Like `cosine`, but falls to zero `schedule_cycles` times in succession.
    CosineRestarts,
    /// Falls to `schedule_end` in proportion to the remaining share of steps, raised to the power `schedule_power`.
    Polynomial,
    /// Falls with the inverse square root of the step (Vaswani et al., 2017, arXiv:1706.03762), and never reaches zero.
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

/// The metric by which evaluations are compared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Metric {
    /// The lowest mean cross-entropy per predicted token.
    #[default]
    Loss,
    /// The lowest perplexity, e to the power of the loss.
    Perplexity,
    /// The highest share of predicted tokens to which the model gives the highest probability.
    Accuracy,
}

impl Metric {
    /// Whether higher values are better.
    pub fn rises(self) -> bool {
        self == Self::Accuracy
    }
}

/// Stop when evaluations no longer improve.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EarlyStopping {
    /// Number of consecutive evaluations without improvement after which the run stops.
    #[schemars(range(min = 1))]
    pub patience: u64,
    /// Smallest improvement over the best evaluation so far that counts as one.
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
