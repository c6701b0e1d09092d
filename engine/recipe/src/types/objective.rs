//! The table `[objective]`.

use framework_core::FilePath;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The loss that training minimises. A key that the objective does not read is an error.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Objective {
    /// The objective.
    pub name: ObjectiveName,
    /// `sft`: the share of each label's probability that is spread evenly over the vocabulary (Szegedy et al., 2016,
    /// arXiv:1512.00567). `dpo` with `loss = "sigmoid"` or `"robust"`, and `simpo`: the assumed probability that a
    /// pair's answers are swapped (Mitchell, 2023). Default: 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1))]
    pub label_smoothing: Option<f64>,
    /// `sft`: weight of the squared logarithm of the softmax's denominator (Chowdhery et al., 2022, arXiv:2204.02311),
    /// a term that keeps logits small. PaLM uses 1e-4. Default: 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub z_loss: Option<f64>,
    /// `sft` and `distillation`: the field of the record that holds the row's weight, a number of at least 0. The loss
    /// is the weighted mean over all labels. Default: all rows have the same weight.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub row_weight: Option<String>,
    /// `dpo`: the loss of a pair as a function of `h`, the difference between the log-ratios of its answers to the
    /// reference. Default: `sigmoid`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loss: Option<PreferenceLoss>,
    /// `dpo` and `kto`: how strongly the model is kept close to the reference (default 0.1). `orpo`: weight of the
    /// odds-ratio term (default 0.1). `simpo`: scale of the mean log-probabilities (default 2). `distillation` with
    /// `divergence = "jensen-shannon"`: the teacher's share of the mixture, between 0 and 1 (default 0.5).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub beta: Option<f64>,
    /// `simpo`: target margin between the rewards of the chosen and the rejected answer. A reward is `beta` times the
    /// mean log-probability. Default: 0.5.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub gamma: Option<f64>,
    /// `dpo`: use the mean log-probability of an answer's tokens instead of their sum. `ipo` always does. Default: false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub length_normalized: Option<bool>,
    /// `dpo`: weight of the chosen answers' cross-entropy, which is added to the loss. Default: 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub sft_weight: Option<f64>,
    /// `dpo` and `kto`: the model whose log-probabilities are the reference. They are computed once, before the first step.
    /// Default: `start`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<Reference>,
    /// `kto`: weight of desirable answers, those whose `label` is true. Default: 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub desirable_weight: Option<f64>,
    /// `kto`: weight of undesirable answers, those whose `label` is false. Default: 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub undesirable_weight: Option<f64>,
    /// `distillation`: the model to learn from: a model folder or a run, relative to the recipe's folder, an id on the
    /// hub, or `base` for the recipe's own model without its adapter. It must have the student's tokenizer. The
    /// `teacher.safetensors` of a run with `top_k` on the same examples can take the place of a model.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<FilePath>", extend("x-path" = "teacher"))]
    pub teacher: Option<PathBuf>,
    /// `distillation`: number of the teacher's most likely tokens to keep for each label. They are written to a file in
    /// the run's folder before the first step, so the teacher takes no memory while the student trains.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub top_k: Option<usize>,
    /// `distillation`: how the distance from the teacher's distribution is measured. Default: `forward`. With `top_k`,
    /// only `forward` is possible.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub divergence: Option<DivergenceName>,
    /// `distillation`: temperature by which both models' logits are divided before the softmax. The distance is
    /// multiplied by its square (Hinton et al., 2015, arXiv:1503.02531). Default: 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub temperature: Option<f64>,
    /// `distillation`: the share of the distance in the loss; the rest is cross-entropy. Default: 0.5.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1))]
    pub alpha: Option<f64>,
}

/// An objective.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ObjectiveName {
    /// Cross-entropy of the answers (supervised fine-tuning).
    #[default]
    Sft,
    /// Cross-entropy mixed with the distance from a teacher's distribution (Hinton et al., 2015, arXiv:1503.02531).
    Distillation,
    /// Pairs of answers, with a reference model (Rafailov et al., 2023, arXiv:2305.18290).
    Dpo,
    /// Pairs of answers, without a reference: cross-entropy of the chosen answer plus an odds-ratio term (Hong et al.,
    /// 2024, arXiv:2403.07691).
    Orpo,
    /// Pairs of answers, without a reference: mean log-probabilities with a margin (Meng et al., 2024,
    /// arXiv:2405.14734).
    Simpo,
    /// Single answers labelled as desirable or undesirable, with a reference model (Ethayarajh et al., 2024,
    /// arXiv:2402.01306).
    Kto,
}

/// The loss of a pair, as a function of the difference between the log-ratios of its answers to the reference.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PreferenceLoss {
    /// `-log σ(β h)`.
    #[default]
    Sigmoid,
    /// `(h - 1 / (2β))²`, with log-probabilities averaged over tokens (Azar et al., 2023, arXiv:2310.12036).
    Ipo,
    /// `max(0, 1 - β h)` (Zhao et al., 2023, arXiv:2305.10425).
    Hinge,
    /// `sigmoid`, corrected for pairs whose answers are swapped (Ray Chowdhury et al., 2024, arXiv:2403.00409).
    /// `label_smoothing` is the share of such pairs, below 0.5.
    Robust,
}

/// The model whose log-probabilities are the reference.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Reference {
    /// The model as it is before the first step, with `adapter.init_from`.
    #[default]
    Start,
    /// The base model without the adapter.
    Base,
}

/// How the distance from a teacher's distribution is measured.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DivergenceName {
    /// `KL(teacher ‖ student)`: the student covers everything that the teacher finds likely.
    #[default]
    Forward,
    /// `KL(student ‖ teacher)`: the student concentrates on what the teacher finds most likely (Gu et al., 2023,
    /// arXiv:2306.08543).
    Reverse,
    /// A generalized Jensen-Shannon divergence, between the two (Agarwal et al., 2023, arXiv:2306.13649).
    JensenShannon,
}

/// What rows an objective reads.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Rows {
    /// A task and its answer.
    #[default]
    Answers,
    /// A task and two answers, `chosen` and `rejected`.
    Pairs,
    /// A task and an answer with a `label`: whether it is wanted.
    Judged,
}

impl ObjectiveName {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Sft, Self::Distillation, Self::Dpo, Self::Orpo, Self::Simpo, Self::Kto];

    /// What rows it reads.
    pub fn rows(self) -> Rows {
        match self {
            Self::Dpo | Self::Orpo | Self::Simpo => Rows::Pairs,
            Self::Kto => Rows::Judged,
            Self::Sft | Self::Distillation => Rows::Answers,
        }
    }

    /// The keys that it reads beside its name.
    pub fn keys(self) -> &'static [&'static str] {
        match self {
            Self::Sft => &["label_smoothing", "z_loss", "row_weight"],
            Self::Distillation => &["teacher", "temperature", "alpha", "divergence", "beta", "top_k", "row_weight"],
            Self::Dpo => &["loss", "beta", "label_smoothing", "length_normalized", "sft_weight", "reference"],
            Self::Orpo => &["beta"],
            Self::Simpo => &["beta", "gamma", "label_smoothing"],
            Self::Kto => &["beta", "desirable_weight", "undesirable_weight", "reference"],
        }
    }
}

impl Objective {
    /// `beta`, or the objective's default.
    pub fn beta(&self) -> f64 {
        self.beta.unwrap_or(match self.name {
            ObjectiveName::Simpo => 2.0,
            ObjectiveName::Distillation => 0.5,
            _ => 0.1,
        })
    }

    /// Whether there is a reference.
    pub fn has_reference(&self) -> bool {
        matches!(self.name, ObjectiveName::Dpo | ObjectiveName::Kto)
    }
}
