//! The tables `[[dataset]]`, `[prompt]` and `[validation]`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A dataset and how much of it is used.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Dataset {
    /// The dataset's plugin.
    pub plugin: String,
    /// Use only the first so many records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub limit: Option<usize>,
    /// What the records are for.
    #[serde(default)]
    pub split: Split,
    /// How often each record occurs in an epoch, on average.
    #[serde(default = "super::d::one")]
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub weight: f64,
    /// The plugin's options.
    #[serde(flatten)]
    pub options: Map<String, Value>,
}

/// What a dataset's records are for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Split {
    /// Training, less the validation fraction.
    #[default]
    Train,
    /// Validation only.
    Validation,
}

/// Templates that have a name.
pub const TEMPLATES: [&str; 5] = ["alpaca", "chatml", "deepseek", "plain", "chat"];

/// How a record becomes a prompt and a response.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Prompt {
    /// `alpaca`, `chatml`, `deepseek`, `plain`, `chat` (the tokenizer's own), or a Jinja template that contains
    /// `{{ response }}` or `{{ output }}` once, at the end.
    pub template: String,
    /// Longest sequence in tokens; what is longer is cut at the end.
    #[schemars(range(min = 2))]
    pub max_length: usize,
    /// Train on the prompt's tokens too, not only on the response's.
    pub train_on_prompt: bool,
}

/// What is held back for evaluation.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Validation {
    /// Share of the training records, from 0 to below 1.
    #[schemars(range(min = 0), extend("exclusiveMaximum" = 1))]
    pub fraction: f64,
}

impl Default for Prompt {
    fn default() -> Self {
        Self { template: "alpaca".into(), max_length: 512, train_on_prompt: false }
    }
}
