//! A catalog with one or two plugins of each kind.

use crate::Catalog;
use framework_core::{About, FilePath, Kind, PluginError, schema_of};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

pub(crate) struct Fake;

/// Reads a table.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Csv {
    /// The file. It has a header.
    path: FilePath,
    /// The character between fields.
    #[serde(default = "comma")]
    delimiter: String,
    /// The columns to read.
    #[serde(default)]
    columns: Option<Vec<String>>,
    /// Where the rest comes from.
    #[serde(default)]
    source: Option<Source>,
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
enum Source {
    /// A folder.
    Folder { path: FilePath },
    /// Another table.
    Table { name: String },
}

fn comma() -> String {
    ",".into()
}

/// Changes nothing.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Nothing {}

/// Low-rank matrices beside the projections.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Lora {
    /// The rank.
    #[schemars(range(min = 1))]
    r: usize,
    /// The scale times the rank.
    alpha: f64,
    /// Which projections: names, or one regular expression.
    targets: Targets,
    /// Number format.
    quant: Option<Quant>,
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
enum Targets {
    Pattern(String),
    Names(Vec<String>),
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Quant {
    Nf4,
    Fp4,
    Int8,
}

impl Default for Lora {
    fn default() -> Self {
        Self { r: 8, alpha: 16.0, targets: Targets::Names(vec!["q_proj".into()]), quant: None }
    }
}

/// Adam with decoupled weight decay.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct AdamW {
    /// The step size.
    learning_rate: f64,
    /// The decay.
    weight_decay: f64,
}

impl Default for AdamW {
    fn default() -> Self {
        Self { learning_rate: 1e-4, weight_decay: 0.01 }
    }
}

/// Several hypotheses at once.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Beam {
    /// How many.
    #[serde(default = "four")]
    num_beams: u32,
}

fn four() -> u32 {
    4
}

/// A network.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Pythia {
    #[serde(default)]
    hidden_size: usize,
}

macro_rules! plugins {
    ($($kind:ident $name:literal $type:ty),* $(,)?) => {
        const NAMES: &[(Kind, &str)] = &[$((Kind::$kind, $name)),*];
        fn schema(kind: Kind, name: &str) -> Value {
            match (kind, name) { $((Kind::$kind, $name) => schema_of::<$type>(),)* _ => unreachable!() }
        }
        fn fill(kind: Kind, name: &str, options: &Value) -> Result<Value, PluginError> {
            match (kind, name) { $((Kind::$kind, $name) => read::<$type>(options),)* _ => unreachable!() }
        }
    };
}
plugins!(
    Dataset "csv" Csv, Augmenter "nothing" Nothing, Model "pythia" Pythia, Adapter "lora" Lora, Adapter "full" Nothing,
    Optimizer "adamw" AdamW, Decoder "greedy" Nothing, Decoder "beam" Beam,
);

fn read<T: Serialize + DeserializeOwned>(options: &Value) -> Result<Value, PluginError> {
    Ok(serde_json::to_value(serde_json::from_value::<T>(options.clone())?)?)
}

impl Catalog for Fake {
    fn about(&self, kind: Kind, name: &str) -> Result<About, String> {
        if !NAMES.contains(&(kind, name)) {
            let names: Vec<_> = NAMES.iter().filter(|(k, _)| *k == kind).map(|(_, n)| *n).collect();
            return Err(format!("there is no {kind} `{name}`\n  there are: {}", names.join(", ")));
        }
        let mut about = About::new(kind, name, schema(kind, name));
        about.version = "1.0.0".to_owned();
        Ok(about)
    }

    fn fill(&self, kind: Kind, name: &str, options: &Value) -> Result<Value, PluginError> {
        if options["alpha"].as_f64().is_some_and(|a| a < 0.0) {
            return Err(PluginError::option("alpha", "must not be negative").in_plugin("lora"));
        }
        fill(kind, name, options)
    }
}
