//! The golden data of `tests/golden`, and how near a result comes to it.
#![allow(dead_code)]

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
    path::{Path, PathBuf},
    sync::Arc,
};

/// The GPT-NeoX cases.
pub const CASES: [&str; 3] = ["parallel", "sequential", "tied"];

/// One case: a model, adapters, and what transformers and peft compute with them.
pub struct Golden {
    pub case: &'static str,
    expected: Value,
    tensors: TensorFile,
}

/// The folder of this repository.
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The plugins linked into the test.
pub fn plugins() -> Registry {
    PluginSources::default().open(&[]).unwrap()
}

fn json(path: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn list<T>(value: &Value, element: impl Fn(&Value) -> T) -> Vec<T> {
    value.as_array().unwrap_or_else(|| panic!("{value} is not a list")).iter().map(element).collect()
}

fn id(value: &Value) -> u32 {
    value.as_u64().unwrap_or_else(|| panic!("{value} is not a token")) as u32
}

fn sequence(ids: &Value, labels: &Value) -> Sequence {
    Sequence { ids: list(ids, id), labels: list(labels, |l| l.as_i64().unwrap() as i32) }
}

impl Golden {
    pub fn open(case: &'static str) -> Self {
        let folder = repository().join("tests/golden/gpt_neox").join(case);
        let expected = json(&folder.join("expected.json"));
        Self { case, expected, tensors: TensorFile::open(&folder.join("expected.safetensors")).unwrap() }
    }

    pub fn all() -> impl Iterator<Item = Self> {
        CASES.into_iter().map(Self::open)
    }

    /// A file or folder of the case.
    pub fn path(&self, name: &str) -> PathBuf {
        repository().join("tests/golden/gpt_neox").join(self.case).join(name)
    }

    pub fn json(&self, name: &str) -> Value {
        json(&self.path(name))
    }

    pub fn number(&self, key: &str) -> f64 {
        self.expected[key].as_f64().unwrap_or_else(|| panic!("{}: no number `{key}`", self.case))
    }

    pub fn numbers(&self, key: &str) -> Vec<f64> {
        list(&self.expected[key], |v| v.as_f64().unwrap())
    }

    pub fn ids(&self, key: &str) -> Vec<u32> {
        list(&self.expected[key], id)
    }

    pub fn rows(&self, key: &str) -> Vec<Vec<u32>> {
        list(&self.expected[key], |row| list(row, id))
    }

    pub fn token(&self, key: &str) -> u32 {
        id(&self.expected[key])
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
