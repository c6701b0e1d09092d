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
    /// The architecture's plugin, or a `model_type` of transformers that it knows. It may be left out where `weights`
    /// is a folder, or `config` names a `model_type`.
    pub plugin: String,
    /// A Hugging Face model folder (`config.json`, safetensors), relative to the recipe's folder, or an id on the hub:
    /// `owner/name`, `owner/name@revision`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<FilePath>", extend("x-path" = "model"))]
    pub weights: Option<PathBuf>,
    /// From scratch: the configuration as a table, or the path of a `config.json`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<ModelConfig>,
    /// Keys of `config.json` to leave out, at your own risk: those that the plugin refuses because it does not know
    /// them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ignore_keys: Vec<String>,
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
    /// A `tokenizer.json`, or a folder with one or with `vocab.txt` or `vocab.json` and `merges.txt`, relative to the
    /// recipe's folder, or an id on the hub.
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
    /// Maximum number of tokens, including special tokens.
    #[schemars(range(min = 1))]
    pub vocab_size: usize,
    /// Minimum number of occurrences of a pair or character that enters the vocabulary.
    #[serde(default = "super::d::one_usize")]
    #[schemars(range(min = 1))]
    pub min_frequency: usize,
    /// Convert all text to lower case without accents, which decoding cannot restore; `wordpiece` only.
    #[serde(default)]
    pub lowercase: bool,
    /// Special tokens beside those that the kind has, e.g. `["<|im_start|>", "<|im_end|>"]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub special_tokens: Vec<String>,
}

/// A kind of tokenizer that can be trained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TokenizerKind {
    /// Byte-pair encoding on bytes, as GPT-2 has it (Sennrich et al., 2016, arXiv:1508.07909). Decoding restores every
    /// text.
    ByteLevelBpe,
    /// Word pieces, as in BERT (Wu et al., 2016, arXiv:1609.08144); Chinese characters one by one. Decoding does not
    /// restore white space.
    #[serde(rename = "wordpiece")]
    WordPiece,
    /// The pieces with the highest likelihood of the texts (Kudo, 2018, arXiv:1804.10959).
    Unigram,
    /// One token for a character.
    Character,
}

impl TokenizerTraining {
    /// A tokenizer of a kind and a size, everything else by default.
    pub fn new(kind: TokenizerKind, vocab_size: usize) -> Self {
        Self { kind, vocab_size, min_frequency: 1, lowercase: false, special_tokens: Vec::new() }
    }
}
