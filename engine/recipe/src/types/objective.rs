//! The table `[objective]`.

use framework_core::FilePath;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// What is minimised. Keys that an objective does not read are errors.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Objective {
    /// The objective.
    pub name: ObjectiveName,
    /// `sft`: the share of each label's probability that goes to all tokens alike (Szegedy et al., 2016,
    /// arXiv:1512.00567). `dpo` with `loss = "sigmoid"` or `"robust"`, and `simpo`: the probability that a pair's answers are swapped
    /// (Mitchell, 2023). Default: 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1))]
    pub label_smoothing: Option<f64>,
    /// `sft`: the weight of the squared logarithm of the softmax's denominator (Chowdhery et al., 2022,
    /// arXiv:2204.02311), which keeps logits small; PaLM has 1e-4. Default: 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub z_loss: Option<f64>,
    /// `sft` and `distillation`: the record's field with the row's weight, a number from 0 on. The loss is the weighted
    /// mean over all labels. Default: all rows count alike.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub row_weight: Option<String>,
    /// `dpo`: what a pair costs. Default: `sigmoid`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loss: Option<PreferenceLoss>,
    /// `dpo` and `kto`: how strongly the model is held to the reference (default 0.1). `orpo`: the weight of the odds ratio
    /// (default 0.1). `simpo`: the scale of the mean log-probabilities (default 2). `distillation` with
    /// `divergence = "jensen-shannon"`: the teacher's share of the mixture, between 0 and 1 (default 0.5).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub beta: Option<f64>,
    /// `simpo`: by how much the chosen answer's reward has to exceed the other's, in the unit of `beta` times a mean
    /// log-probability. Default: 0.5.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub gamma: Option<f64>,
    /// `dpo`: use the mean log-probability of an answer's tokens instead of their sum. `ipo` always does. Default: false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub length_normalized: Option<bool>,
    /// `dpo`: the weight of the chosen answers' cross-entropy, which is added. Default: 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub sft_weight: Option<f64>,
    /// `dpo` and `kto`: the model whose log-probabilities are the reference. They are computed once, before the first step.
    /// Default: `start`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<Reference>,
    /// `kto`: the weight of answers that are wanted. Default: 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub desirable_weight: Option<f64>,
    /// `kto`: the weight of answers that are not wanted. Default: 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub undesirable_weight: Option<f64>,
    /// `distillation`: the model to learn from: a model folder or a run, relative to the recipe's folder, an id on the hub,
    /// or `base` for the recipe's own model without its adapter. Its tokenizer must be the student's. Also the
    /// `teacher.safetensors` of a run with `top_k` on the same examples, which takes the place of a model.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<FilePath>", extend("x-path" = "teacher"))]
    pub teacher: Option<PathBuf>,
    /// `distillation`: keep only so many of the teacher's likeliest tokens for each label, in a file of the run that is
    /// written before the first step. The teacher needs no memory while the student is trained.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub top_k: Option<usize>,
    /// `distillation`: how the distance from the teacher's distribution is measured. Default: `forward`, which is the only
    /// one with `top_k`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub divergence: Option<DivergenceName>,
    /// `distillation`: what both models' logits are divided by before the softmax. The distance is multiplied with its
    /// square (Hinton et al., 2015, arXiv:1503.02531). Default: 1.
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
    /// Pairs of answers against a reference (Rafailov et al., 2023, arXiv:2305.18290).
    Dpo,
    /// Pairs of answers without a reference: cross-entropy of the chosen one and the ratio of odds (Hong et al., 2024,
    /// arXiv:2403.07691).
    Orpo,
    /// Pairs of answers without a reference, by mean log-probabilities (Meng et al., 2024, arXiv:2405.14734).
    Simpo,
    /// Single answers that are wanted or not, against a reference (Ethayarajh et al., 2024, arXiv:2402.01306).
    Kto,
}

/// What a pair costs, by the difference of its answers' log-ratios to the reference.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PreferenceLoss {
    /// `-log σ(β h)`.
    #[default]
    Sigmoid,
    /// `(h - 1 / 2β)²`, of means over tokens (Azar et al., 2023, arXiv:2310.12036).
    Ipo,
    /// `max(0, 1 - β h)` (Zhao et al., 2023, arXiv:2305.10425).
    Hinge,
    /// `sigmoid` without the bias of pairs whose answers are swapped (Ray Chowdhury et al., 2024, arXiv:2403.00409), of which
    /// `label_smoothing` says how many there are, fewer than half.
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
    /// `KL(teacher ‖ student)`: the student covers all that the teacher does.
    #[default]
    Forward,
    /// `KL(student ‖ teacher)`: the student does what the teacher does most (Gu et al., 2023, arXiv:2306.08543).
    Reverse,
    /// Between both (Agarwal et al., 2023, arXiv:2306.13649).
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
