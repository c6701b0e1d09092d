//! The golden data of `tests/golden`, and how near a result comes to it.
#![allow(dead_code)]

use framework_core::Kind;
use framework_engine::{
    PluginSources,
    data::{Batch, IGNORE, Sequence},
    executor::{Device, Network},
    from_folders,
    weights::TensorFile,
};
use framework_registry::Registry;
use serde_json::Value;
use std::{
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{Arc, LazyLock},
};

#[path = "plugins.rs"]
mod libraries;

/// The families, by their `model_type`.
pub const FAMILIES: [&str; 11] =
    ["gemma2", "gemma3_text", "gpt2", "gpt_neox", "llama", "mamba", "mistral", "mixtral", "phi3", "qwen2", "qwen3"];

/// Adapters that cases have; not every case has them all.
const ADAPTERS: [&str; 5] = ["lora", "lora_rs", "lora_layers", "lora_regex", "lora_gate"];

/// One case: a model, adapters, and what transformers and peft compute with them.
pub struct Golden {
    /// Its family and its name, such as `llama/plain`.
    pub case: String,
    expected: Value,
    tensors: TensorFile,
}

/// The folder of this repository.
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Where plugins come from: those linked into the test, and a third party's architecture.
pub fn sources() -> PluginSources {
    static MAMBA: LazyLock<PathBuf> = LazyLock::new(|| libraries::third_party("mamba"));
    PluginSources { libraries: vec![MAMBA.clone()], ..PluginSources::default() }
}

/// The plugins.
pub fn plugins() -> Registry {
    sources().open(&[]).unwrap()
}

fn json(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

pub fn list<T>(value: &Value, element: impl Fn(&Value) -> T) -> Vec<T> {
    value.as_array().unwrap_or_else(|| panic!("{value} is not a list")).iter().map(element).collect()
}

pub fn id(value: &Value) -> u32 {
    value.as_u64().unwrap_or_else(|| panic!("{value} is not a token")) as u32
}

fn sequence(ids: &Value, labels: &Value) -> Sequence {
    Sequence { ids: list(ids, id), labels: list(labels, |l| l.as_i64().unwrap() as i32) }
}

fn golden() -> PathBuf {
    repository().join("tests/golden")
}

fn folders(path: &Path) -> Vec<String> {
    let entries = fs::read_dir(path).unwrap().map(Result::unwrap).filter(|e| e.path().is_dir());
    let mut names: Vec<_> = entries.map(|e| e.file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

impl Golden {
    pub fn open(case: &str) -> Self {
        let folder = golden().join(case);
        let expected = json(&folder.join("expected.json"));
        Self {
            case: case.to_owned(),
            expected,
            tensors: TensorFile::open(&folder.join("expected.safetensors")).unwrap(),
        }
    }

    /// Every case of every family.
    pub fn all() -> impl Iterator<Item = Self> {
        let cases = |family: &str| {
            let cases = folders(&golden().join(family));
            assert!(cases.len() >= 2, "{family} has the cases {cases:?}");
            cases.into_iter().map(|case| format!("{family}/{case}")).collect::<Vec<_>>()
        };
        FAMILIES.iter().flat_map(|family| cases(family)).map(|case| Self::open(&case)).collect::<Vec<_>>().into_iter()
    }

    /// Runs a test on every case, and fails in the end if it has failed on any.
    pub fn each(test: impl Fn(&Golden)) {
        let fails = |golden: &Golden| {
            println!("{}:", golden.case);
            catch_unwind(AssertUnwindSafe(|| test(golden))).is_err()
        };
        let failed: Vec<_> = Self::all().filter(fails).map(|golden| golden.case).collect();
        assert!(failed.is_empty(), "of the cases {}; each one's message is above", failed.join(", "));
    }

    /// The model's `model_type`.
    pub fn family(&self) -> &str {
        self.case.split('/').next().unwrap()
    }

    /// The name of the plugin that says to read this `model_type`.
    pub fn plugin(&self) -> String {
        let plugins = plugins();
        let found = plugins.by_alias(Kind::Model, self.family());
        found.unwrap_or_else(|e| panic!("no model plugin has the alias `{}`: {e}", self.family())).about.name.clone()
    }

    /// Whether training balances the experts' load, so that its loss has a second part.
    pub fn balanced(&self) -> bool {
        self.has("router_loss")
    }

    /// The adapters that the case has.
    pub fn adapters(&self) -> Vec<&'static str> {
        let found: Vec<_> = ADAPTERS.into_iter().filter(|name| self.has(&format!("{name}_loss"))).collect();
        assert!(found.len() >= 4, "{} has only {found:?}", self.case);
        found
    }

    /// Those of the adapters that were trained.
    pub fn trained_adapters(&self) -> Vec<&'static str> {
        let trained: Vec<_> = self.adapters().into_iter().filter(|name| self.has(&format!("{name}_losses"))).collect();
        assert_eq!(trained[0], "lora");
        trained
    }

    /// What an adapter adapts: a list of modules, or a pattern.
    pub fn targets(&self, adapter: &str) -> Value {
        self.json(&format!("{adapter}/adapter_config.json"))["target_modules"].clone()
    }

    /// A file or folder of the case.
    pub fn path(&self, name: &str) -> PathBuf {
        golden().join(&self.case).join(name)
    }

    /// Whether there is an expected value of this name.
    pub fn has(&self, key: &str) -> bool {
        self.expected.get(key).is_some()
    }

    pub fn value(&self, key: &str) -> &Value {
        self.expected.get(key).unwrap_or_else(|| panic!("{}: no `{key}`", self.case))
    }

    pub fn json(&self, name: &str) -> Value {
        json(&self.path(name))
    }

    pub fn number(&self, key: &str) -> f64 {
        self.expected[key].as_f64().unwrap_or_else(|| panic!("{}: no number `{key}`", self.case))
    }

    pub fn numbers(&self, key: &str) -> Vec<f64> {
        list(self.value(key), |v| v.as_f64().unwrap())
    }

    pub fn ids(&self, key: &str) -> Vec<u32> {
        list(self.value(key), id)
    }

    pub fn rows(&self, key: &str) -> Vec<Vec<u32>> {
        list(self.value(key), |row| list(row, id))
    }

    pub fn token(&self, key: &str) -> u32 {
        id(self.value(key))
    }

    pub fn tensor(&self, name: &str) -> Vec<f32> {
        self.tensors.tensor(name).unwrap()
    }

    /// All tensors whose names begin with `prefix.`, without it.
    pub fn tensors(&self, prefix: &str) -> Vec<(String, Vec<f32>)> {
        let short = |name: &str| Some(name.strip_prefix(prefix)?.strip_prefix('.')?.to_owned());
        let found: Vec<_> = self.tensors.names().filter_map(|name| Some((short(name)?, self.tensor(name)))).collect();
        assert!(!found.is_empty(), "{}: no tensors `{prefix}.…`", self.case);
        found
    }

    /// The three sequences of the batch, without padding.
    pub fn sequences(&self) -> Vec<Sequence> {
        let batch = &self.expected["batch"];
        let length = |row: usize| list(&batch["attention_mask"][row], id).iter().sum::<u32>() as usize;
        (0..3)
            .map(|row| {
                let mut all = sequence(&batch["input_ids"][row], &batch["labels"][row]);
                assert!(all.labels[length(row)..].iter().all(|l| *l == IGNORE));
                all.ids.truncate(length(row));
                all.labels.truncate(length(row));
                all
            })
            .collect()
    }

    /// The batch of the three, filled up on the right.
    pub fn batch(&self) -> Batch {
        let batch = Batch::new(&self.sequences(), 0);
        let expected = &self.expected["batch"];
        assert_eq!(batch.ids, list(&expected["input_ids"], |row| list(row, id)).concat());
        assert_eq!(batch.supervised() as u64, expected["supervised_tokens"].as_u64().unwrap());
        batch
    }

    /// The training examples.
    pub fn examples(&self) -> Vec<Sequence> {
        list(&self.json("train.json")["examples"], |e| sequence(&e["input_ids"], &e["labels"]))
    }

    /// A model folder of the case, with one of its adapters or none.
    pub fn network(&self, model: &str, adapter: Option<&str>) -> Arc<Network> {
        let adapter = adapter.map(|name| self.path(name));
        from_folders(&plugins(), &self.path(model), adapter.as_deref(), Device::cpu()).unwrap()
    }
}

/// The mean loss of a batch.
pub fn loss(network: &Arc<Network>, batch: &Batch) -> f64 {
    let (sum, tokens) = network.evaluate(batch).unwrap();
    assert_eq!(tokens, batch.supervised());
    sum / tokens as f64
}

/// Asserts that a deviation is within its limit, and prints it for `--nocapture`.
#[track_caller]
pub fn within(what: &str, deviation: f64, limit: f64) {
    println!("{what}: {deviation:.1e} (limit {limit:.0e})");
    // Written so that a deviation that is not a number fails, too.
    assert!(deviation <= limit, "{what} deviates by {deviation:e}; the limit is {limit:e}");
}

/// Asserts that every number deviates by less than `limit`, relative to its expected value.
#[track_caller]
pub fn each_near(what: &str, found: &[f64], expected: &[f64], limit: f64) {
    assert_eq!(found.len(), expected.len(), "{what}: {found:?}");
    let deviations = found.iter().zip(expected).map(|(a, b)| ((a - b) / b).abs());
    within(what, deviations.fold(0.0, |most, d| if d > most || d.is_nan() { d } else { most }), limit);
}

/// The norm of the difference of two tensors, relative to the expected one's or, if that is almost zero, to `floor`.
pub fn distance(found: &[f32], expected: &[f32], floor: f64) -> f64 {
    assert_eq!(found.len(), expected.len());
    let norm = |x: &mut dyn Iterator<Item = f64>| x.map(|x| x * x).sum::<f64>().sqrt();
    let difference = norm(&mut found.iter().zip(expected).map(|(a, b)| f64::from(*a) - f64::from(*b)));
    difference / norm(&mut expected.iter().map(|x| f64::from(*x))).max(floor)
}

/// The largest difference of two tensors, relative to the largest expected number.
pub fn largest(found: &[f32], expected: &[f32]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let most = expected.iter().fold(0f32, |most, x| most.max(x.abs()));
    let difference = |(a, b): (&f32, &f32)| f64::from((a - b).abs() / most);
    found.iter().zip(expected).map(difference).fold(0.0, |most, d| if d > most || d.is_nan() { d } else { most })
}
