//! The tables `[model]` and `[tokenizer]`.

use framework_core::FilePath;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::path::PathBuf;

/// The base model: trained weights, or a configuration to start from scratch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// The architecture's plugin, or a `model_type` of transformers that the plugin implements. It may be left out if
    /// `weights` is a model folder or an id on the hub, or if `config` names a `model_type`.
    pub plugin: String,
    /// A Hugging Face model folder (`config.json`, safetensors), relative to the recipe's folder, or an id on the hub:
    /// `owner/name`, `owner/name@revision`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<FilePath>", extend("x-path" = "model"))]
    pub weights: Option<PathBuf>,
    /// To train from scratch: the model's configuration, as a table or as the path of a `config.json`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<ModelConfig>,
    /// Keys of `config.json` to ignore, at your own risk. Use it for keys that the plugin refuses because it does not
    /// know them.
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
    /// The keys of `config.json`, in the recipe.
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
    /// Trains a new tokenizer on the recipe's datasets instead of loading one.
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
    /// Number of times that a pair or character must occur to enter the vocabulary.
    #[serde(default = "super::d::one_usize")]
    #[schemars(range(min = 1))]
    pub min_frequency: usize,
    /// Convert all text to lower case and remove accents; decoding cannot restore either. `wordpiece` only.
    #[serde(default)]
    pub lowercase: bool,
    /// Special tokens in addition to those of the kind, e.g. `["<|im_start|>", "<|im_end|>"]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub special_tokens: Vec<String>,
}

/// A kind of tokenizer that can be trained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TokenizerKind {
    /// Byte-pair encoding on bytes, as in GPT-2 (Sennrich et al., 2016, arXiv:1508.07909). Decoding restores any text
    /// exactly.
    ByteLevelBpe,
    /// Word pieces, as in BERT (Wu et al., 2016, arXiv:1609.08144). Each Chinese character is a word of its own.
    /// Decoding does not restore white space.
    #[serde(rename = "wordpiece")]
    WordPiece,
    /// Pieces chosen to maximize the likelihood of the texts under a unigram model (Kudo, 2018, arXiv:1804.10959).
    Unigram,
    /// One token per character.
    Character,
}

impl TokenizerTraining {
    /// A tokenizer of a kind and a size, everything else by default.
    pub fn new(kind: TokenizerKind, vocab_size: usize) -> Self {
        Self { kind, vocab_size, min_frequency: 1, lowercase: false, special_tokens: Vec::new() }
    }
}
