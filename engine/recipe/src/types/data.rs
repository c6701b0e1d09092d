//! The tables `[[dataset]]`, `[prompt]`, `[validation]` and `[data]`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A dataset and how much of it is used.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Dataset {
    /// The dataset's plugin.
    pub plugin: String,
    /// Read only this many records, from the beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub limit: Option<usize>,
    /// Whether the records are trained or only evaluated.
    #[serde(default)]
    pub split: Split,
    /// Average number of times that each record occurs in an epoch.
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
    /// Training, except for the records that `validation.fraction` holds back.
    #[default]
    Train,
    /// Validation only.
    Validation,
}

/// Templates that have a name.
pub const TEMPLATES: [&str; 9] =
    ["alpaca", "chatml", "deepseek", "deepseek-r1", "phi-3", "plain", "think", "zephyr", "chat"];

/// How a record becomes a prompt and a response.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Prompt {
    /// `alpaca`, `chatml`, `deepseek`, `deepseek-r1`, `phi-3`, `plain`, `think`, `zephyr`, `chat` (the tokenizer's own
    /// template; `chat:NAME` selects one of several), a Jinja template that contains `{{ response }}` or `{{ output }}`
    /// once, at the end, or a chat template that reads `messages`.
    pub template: String,
    /// System message of conversations that begin without one. Not for Jinja templates with `{{ output }}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system: Option<String>,
    /// Which of the assistant's messages in a conversation are trained.
    pub turns: Turns,
    /// The date that `strftime_now` in a chat template returns, e.g. `2026-01-31`. Default: today.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"))]
    pub date: Option<String>,
    /// Maximum length of a sequence in tokens. Longer sequences are cut at the end.
    #[schemars(range(min = 2))]
    pub max_length: usize,
    /// Train on the tokens of the prompt as well as on those of the response.
    pub train_on_prompt: bool,
    /// Additional variables for the template, e.g. `{ enable_thinking = false }`.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub variables: Map<String, Value>,
}

/// Which of the assistant's messages are trained.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Turns {
    /// All of them.
    #[default]
    All,
    /// Only the last one; the messages before it are the prompt.
    Last,
}

/// Records that are held back for evaluation.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Validation {
    /// Share of the training records to hold back, at least 0 and below 1.
    #[schemars(range(min = 0), extend("exclusiveMaximum" = 1))]
    pub fraction: f64,
}

/// How to handle rows that cannot be trained, and whether to cache tokens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Data {
    /// Cache the tokens, so that a later run with the same data, template and tokenizer reads them from the cache.
    pub cache: bool,
    /// What happens when the prompt template refuses a row, or when a row has no answer to train.
    pub bad_rows: BadRows,
}

/// What happens to rows that cannot be trained.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum BadRows {
    /// The command stops and names the rows and the reasons.
    #[default]
    Error,
    /// The rows are left out, and counted by reason in the reports of `check`, `prepare` and `train`.
    Skip,
}

impl Default for Data {
    fn default() -> Self {
        Self { cache: true, bad_rows: BadRows::Error }
    }
}

impl Default for Prompt {
    fn default() -> Self {
        Self {
            template: "alpaca".into(),
            system: None,
            turns: Turns::All,
            date: None,
            max_length: 512,
            train_on_prompt: false,
            variables: Map::new(),
        }
    }
}
