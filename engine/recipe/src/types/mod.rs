//! The recipe's tables. Doc comments here are the recipe reference.

mod data;
mod generate;
mod model;
mod objective;
mod report;
mod train;

pub use data::{BadRows, Data, Dataset, Prompt, Split, TEMPLATES, Turns, Validation};
pub use generate::{Generate, GenerateSettings};
pub use model::{Model, ModelConfig, Tokenizer, TokenizerKind, TokenizerTraining};
pub use objective::{DivergenceName, Objective, ObjectiveName, PreferenceLoss, Reference, Rows};
pub use report::{AnswerMetric, Report, Segmentation};
pub use train::{EarlyStopping, Every, EveryName, Metric, SaveDtype, Schedule, Train};

use framework_core::FilePath;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::path::PathBuf;

/// A table that names a plugin; everything else in it is that plugin's own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Component {
    /// The plugin's name.
    pub plugin: String,
    /// The plugin's options.
    #[serde(flatten)]
    pub options: Map<String, Value>,
}

/// A library with plugins.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected a path, or { path = …, sha256 = … }")]
pub enum Library {
    /// Its path.
    Path(#[schemars(with = "FilePath")] PathBuf),
    /// Its path, and what is to be found there.
    Pinned(Pinned),
}

/// A library with the hash that it must have.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pinned {
    /// The library.
    #[schemars(with = "FilePath")]
    pub path: PathBuf,
    /// Its SHA-256, in hexadecimal, as `list-plugins` shows it. Another file is not opened.
    pub sha256: String,
}

impl Library {
    /// Where it is.
    pub fn path(&self) -> &PathBuf {
        match self {
            Self::Path(path) | Self::Pinned(Pinned { path, .. }) => path,
        }
    }

    /// The SHA-256 that it must have.
    pub fn sha256(&self) -> Option<&str> {
        match self {
            Self::Path(_) => None,
            Self::Pinned(pinned) => Some(&pinned.sha256),
        }
    }
}

/// A run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// Name of the run. Default: the recipe file's name.
    #[serde(default)]
    pub name: String,
    /// Seed for everything random: initial weights, order of the data, dropout, sampling.
    #[serde(default = "d::seed")]
    pub seed: u64,
    /// The run's folder, relative to the working directory. Default: `runs/<name>`.
    #[serde(default)]
    pub output: PathBuf,
    /// Dynamic libraries with plugins, relative to the recipe's folder. `{ path = "…", sha256 = "…" }` opens a library only
    /// if it has this hash.
    #[serde(default)]
    pub plugins: Vec<Library>,
    /// The device that the run computes on.
    #[serde(default)]
    pub backend: Backend,
    /// The base model: trained weights, or a configuration to start from scratch.
    pub model: Model,
    /// The tokenizer. Default: the one in the weights' folder.
    #[serde(default)]
    pub tokenizer: Tokenizer,
    /// A source of records. Several datasets are mixed.
    #[serde(default)]
    pub dataset: Vec<Dataset>,
    /// Augmenters, which change, add or remove records, in the order in which they are applied.
    #[serde(default)]
    pub augment: Vec<Component>,
    /// How a record becomes a prompt and a response.
    #[serde(default)]
    pub prompt: Prompt,
    /// Records that are held back for evaluation.
    #[serde(default)]
    pub validation: Validation,
    /// How to handle rows that cannot be trained, and whether to cache tokens.
    #[serde(default)]
    pub data: Data,
    /// What is trained: parameters added to the base model, or the model's own.
    #[serde(default = "d::adapter")]
    pub adapter: Adapter,
    /// The loss that training minimises: cross-entropy of answers, distance from a teacher, or a preference loss.
    #[serde(default)]
    pub objective: Objective,
    /// The optimizer.
    #[serde(default = "d::optimizer")]
    pub optimizer: Component,
    /// Length of the training, batches, learning-rate schedule, evaluation and checkpoints.
    #[serde(default)]
    pub train: Train,
    /// How text is generated: for the samples of a run, and by `generate` and `chat`.
    #[serde(default = "d::generate")]
    pub generate: Generate,
    /// Reports that a run writes while it trains: curves, a page, metrics of answers.
    #[serde(default)]
    pub report: Report,
}

/// Where a run computes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Backend {
    /// The backend.
    pub name: BackendName,
    /// Index of the device, in the order of `list-plugins --kind backend`, from 0.
    pub device: usize,
    /// Number format of matrix products. Trained parameters, norms, sums and the loss always have 32 bits.
    pub precision: Precision,
    /// Number format in which frozen weights, those that are not trained, are kept in memory. Default: what the adapter
    /// asks for (`nf4` for `qlora`), otherwise the format of `precision`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frozen: Option<Frozen>,
    /// Quantize the scales of `nf4` and `fp4` as well, to 8 bits. This saves 0.37 bits per weight.
    pub double_quant: bool,
}

/// A backend.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum BackendName {
    /// The CPU.
    #[default]
    Cpu,
    /// Any GPU, through WebGPU.
    Wgpu,
    /// NVIDIA GPUs.
    Cuda,
}

/// Number format of matrix products.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// 32 bits.
    #[default]
    F32,
    /// 32-bit numbers of which NVIDIA's tensor cores use 19 bits; `cuda` only.
    Tf32,
    /// Splits each 32-bit number into the sum of two `bf16` numbers, which keeps 16 bits of its mantissa. On CPUs with
    /// AMX, this is two to three times as fast as `f32`. Other devices compute in `f32`.
    High,
    /// 16 bits with the range of `f32`. A device without `bf16` products computes them in 32 bits; frozen weights take
    /// half the memory in any case.
    Bf16,
    /// 16 bits, IEEE half precision. The loss is scaled so that small gradients do not vanish. For a device without
    /// `f16` products, the same holds as for `bf16`.
    F16,
}

/// Number format in which frozen weights are kept in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Frozen {
    /// 32 bits.
    F32,
    /// The format of the model's files. 16-bit weights take half the memory. They are converted to 32 bits, exactly,
    /// each time they are used, which takes time.
    Stored,
    /// 16 bits with the range of `f32`.
    Bf16,
    /// 16 bits, IEEE half precision.
    F16,
    /// Projections as 8-bit integers with a scale per row; everything else as `stored`.
    Int8,
    /// Projections in 4 bits, as quantiles of a normal distribution, with a scale per block of 64 (QLoRA: Dettmers et
    /// al., 2023, arXiv:2305.14314); everything else as `stored`.
    Nf4,
    /// Projections as 4-bit floating-point numbers, with a scale per block of 64; everything else as `stored`.
    Fp4,
}

/// What is trained: parameters added to the base model, or the model's own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Adapter {
    /// The adapter's plugin.
    #[serde(default = "d::lora")]
    pub plugin: String,
    /// An adapter folder in PEFT's format to start from, relative to the recipe's folder, or an id on the hub.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<FilePath>", extend("x-path" = "adapter"))]
    pub init_from: Option<PathBuf>,
    /// The plugin's options.
    #[serde(flatten)]
    pub options: Map<String, Value>,
}

/// Defaults.
mod d {
    use super::{Adapter, Component, Generate, GenerateSettings};
    pub(super) fn seed() -> u64 {
        42
    }
    pub(super) fn one() -> f64 {
        1.0
    }
    pub(super) fn one_usize() -> usize {
        1
    }
    pub(super) fn lora() -> String {
        "lora".into()
    }
    pub(super) fn decoder() -> String {
        "greedy".into()
    }
    pub(super) fn adapter() -> Adapter {
        Adapter { plugin: lora(), init_from: None, options: Default::default() }
    }
    pub(super) fn optimizer() -> Component {
        Component { plugin: "adamw".into(), options: Default::default() }
    }
    pub(super) fn generate() -> Generate {
        Generate {
            plugin: decoder(),
            prompts: Vec::new(),
            settings: GenerateSettings::default(),
            options: Default::default(),
        }
    }
}

impl Default for Backend {
    fn default() -> Self {
        Self { name: BackendName::Cpu, device: 0, precision: Precision::F32, frozen: None, double_quant: true }
    }
}
