//! The tables `[model]` and `[tokenizer]`.

use framework_core::FilePath;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::path::PathBuf;

/// The base model: weights, or a configuration to start from scratch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// The architecture's plugin.
    pub plugin: String,
    /// A Hugging Face model folder (`config.json`, safetensors), relative to the recipe's folder, or an id on the hub:
    /// `owner/name`, `owner/name@revision`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<FilePath>", extend("x-path" = "model"))]
    pub weights: Option<PathBuf>,
    /// From scratch: the configuration as a table, or the path of a `config.json`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<ModelConfig>,
}

/// A configuration for a model from scratch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(extend("x-expected" = "a table or the path of a config.json"))]
pub enum ModelConfig {
    /// Path of a `config.json`.
    File(#[schemars(with = "FilePath")] PathBuf),
    /// The same keys in the recipe.
    Table(Map<String, Value>),
}

/// The tokenizer. Default: the one in the weights' folder.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Tokenizer {
    /// A `tokenizer.json` or a folder with one, relative to the recipe's folder, or an id on the hub.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<FilePath>", extend("x-path" = "tokenizer"))]
    pub path: Option<PathBuf>,
    /// Train one on the recipe's datasets instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub train: Option<TokenizerTraining>,
}

/// A tokenizer to be trained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenizerTraining {
    /// The kind of tokenizer.
    pub kind: TokenizerKind,
    /// Number of tokens, special ones included.
    #[schemars(range(min = 1))]
    pub vocab_size: usize,
}

/// A kind of tokenizer that can be trained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TokenizerKind {
    /// Byte-pair encoding on bytes, as GPT-2 has it (Sennrich et al., 2016, arXiv:1508.07909).
    ByteLevelBpe,
}
