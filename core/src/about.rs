//! What every plugin says about itself.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// The six kinds of plugin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Opens files and yields records.
    Dataset,
    /// Turns records into other records.
    Augmenter,
    /// A network that is read from a Hugging Face `config.json`.
    Model,
    /// What is trained, and how it is attached to the base model.
    Adapter,
    /// How parameters move along their gradients.
    Optimizer,
    /// How tokens are chosen from logits.
    Decoder,
}

impl Kind {
    /// All kinds, in the order in which a run meets them.
    pub const ALL: [Kind; 6] =
        [Kind::Dataset, Kind::Augmenter, Kind::Model, Kind::Adapter, Kind::Optimizer, Kind::Decoder];

    /// The kind's name, as recipes and the command line spell it.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Dataset => "dataset",
            Kind::Augmenter => "augmenter",
            Kind::Model => "model",
            Kind::Adapter => "adapter",
            Kind::Optimizer => "optimizer",
            Kind::Decoder => "decoder",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Kind {
    type Err = String;
    fn from_str(s: &str) -> Result<Self, String> {
        Kind::ALL.into_iter().find(|k| k.name() == s).ok_or_else(|| {
            let names: Vec<_> = Kind::ALL.iter().map(|k| k.name()).collect();
            format!("`{s}` is not a kind of plugin; the kinds are {}", names.join(", "))
        })
    }
}

/// A plugin's own description, from which lists, option tables and error messages are made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct About {
    /// The kind of plugin.
    pub kind: Kind,
    /// Its name in recipes, in kebab-case.
    pub name: String,
    /// Names under which other tools' files know it: a Hugging Face `model_type` (`phi3`) and the class of transformers
    /// that goes with it (`Phi3ForCausalLM`, for the `architectures` of trained models), a PEFT `peft_type`.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// The version of the crate that it came with.
    pub version: String,
    /// One sentence: the first line of its documentation.
    pub summary: String,
    /// JSON Schema of its options.
    pub schema: serde_json::Value,
    /// One table as it stands in a recipe, without the header line.
    pub example: String,
}

impl About {
    /// A plugin with options of this schema, whose description is its summary; the other fields are empty.
    pub fn new(kind: Kind, name: impl Into<String>, schema: serde_json::Value) -> Self {
        let docs = schema["description"].as_str().unwrap_or_default();
        let summary = docs.split("\n\n").next().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ");
        let (aliases, version, example) = (Vec::new(), String::new(), String::new());
        Self { kind, name: name.into(), aliases, version, summary, schema, example }
    }

    /// How messages call it: its kind and its name.
    pub fn label(&self) -> String {
        format!("{} `{}`", self.kind, self.name)
    }

    /// Whether `name` can be a plugin's: lower-case words of letters and digits, joined by single dashes.
    pub fn is_name(name: &str) -> bool {
        let word = |w: &str| !w.is_empty() && w.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
        name.starts_with(|c: char| c.is_ascii_lowercase()) && name.split('-').all(word)
    }
}
