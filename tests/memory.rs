//! How much memory loading a model takes: hardly more than its weights.
//!
//! `FRAMEWORK_TEST_PARAMETERS=1.5e9 cargo test --release --test memory -- --nocapture` does it with as many parameters;
//! the folder, of 2 bytes each, is made where temporary files are.
#![cfg(target_os = "linux")]

use framework_core::{Kind, Param};
use framework_engine::{
    Float, Placement, PluginSources,
    executor::{Device, Network},
    from_folders,
    recipe::Frozen,
    weights::{SHARD, TensorShape, save_model},
};
use plugin_models as _;
use serde_json::{Map, Value, json};
use std::{borrow::Cow, env, fs, path::Path, process::Command, sync::Arc};

// As the command has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const FOLDER: &str = "FRAMEWORK_TEST_FOLDER";
const STORED: &str = "FRAMEWORK_TEST_STORED";

fn open(folder: &Path, frozen: Frozen) -> Arc<Network> {
    let registry = PluginSources::default().open(&[]).unwrap();
    from_folders(&registry, folder, None, Placement { frozen: Some(frozen), ..Device::cpu().into() }).unwrap()
}

/// A configuration with about as many parameters.
fn config(parameters: f64) -> Map<String, Value> {
    let vocab = (parameters / 300.0).clamp(5e4, 15e4) as usize / 64 * 64;
    // Two matrices of the vocabulary, and 12 squares of the width a layer.
    let (width, layers) = [(512, 8), (1024, 16), (1536, 28), (2048, 24), (2560, 32)]
        .into_iter()
        .min_by_key(|&(w, n)| (2.0 * (vocab * w) as f64 + 12.0 * (n * w * w) as f64 - parameters).abs() as u64)
        .unwrap();
    let value = json!({
        "model_type": "gpt_neox", "vocab_size": vocab, "hidden_size": width, "num_hidden_layers": layers,
        "num_attention_heads": width / 64, "intermediate_size": 4 * width, "torch_dtype": "bfloat16",
    });
    value.as_object().unwrap().clone()
}

/// A folder of random weights; returns the number of parameters.
fn make(folder: &Path, config: &Map<String, Value>) -> usize {
    let registry = PluginSources::default().open(&[]).unwrap();
    let entry = registry.by_alias(Kind::Model, "gpt_neox").unwrap();
    let spec = entry.model(&config.clone().into()).unwrap().spec().unwrap();
    let tensors: Vec<_> =
        spec.params.iter().map(|p| TensorShape { name: p.name.clone(), shape: p.shape.clone() }).collect();
    let mut state = 1u32;
    let mut random = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (f64::from(state) / f64::from(u32::MAX) - 0.5) as f32 * 0.04
    };
    let count = |name: &str| spec.get(name).unwrap().len();
    save_model(folder, config, Float::BF16, &tensors, SHARD, |name| {
        Ok(Cow::Owned((0..count(name)).map(|_| random()).collect()))
    })
    .unwrap();
    spec.params.iter().map(Param::len).sum()
}

fn status(key: &str) -> u64 {
    let text = fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find(|line| line.starts_with(key)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

/// Loads the folder, in a process of its own, and prints the memory before and at the most.
#[test]
#[ignore = "is run by the other test"]
fn load() {
    let Some(folder) = env::var_os(FOLDER) else { return };
    let frozen = if env::var_os(STORED).is_some() { Frozen::Stored } else { Frozen::F32 };
    let before = status("VmRSS:");
    let network = open(Path::new(&folder), frozen);
    assert!(!network.names().is_empty());
    println!("memory {before} {}", status("VmHWM:"));
}

/// The memory that loading takes at the most, as a share of the weights at so many bytes each.
fn taken(folder: &Path, parameters: usize, bytes: f64, frozen: Frozen) -> f64 {
    let mut child = Command::new(env::current_exe().unwrap());
    child.args(["--exact", "load", "--ignored", "--nocapture"]).env(FOLDER, folder);
    if frozen == Frozen::Stored {
        child.env(STORED, "1");
    }
    let output = child.output().unwrap();
    let out = String::from_utf8_lossy(&output.stdout);
    let line = out.lines().find_map(|line| line.split("memory ").nth(1)).unwrap_or_else(|| panic!("{output:?}"));
    let numbers: Vec<f64> = line.split(' ').map(|n| n.parse().unwrap()).collect();
    let (weights, taken) = (bytes * parameters as f64, numbers[1] - numbers[0]);
    let mib = |bytes: f64| bytes / 1048576.0;
    println!(
        "{frozen:?}: {parameters} parameters, {:.0} MiB in memory: {:.0} MiB taken at the most",
        mib(weights),
        mib(taken)
    );
    taken / weights
}

#[test]
fn loading_takes_little_more_than_the_weights() {
    let parameters = env::var("FRAMEWORK_TEST_PARAMETERS").map_or(8e7, |text| text.parse().unwrap());
    let dir = tempfile::tempdir().unwrap();
    let parameters = make(dir.path(), &config(parameters));
    for (frozen, bytes) in [(Frozen::F32, 4.0), (Frozen::Stored, 2.0)] {
        let share = taken(dir.path(), parameters, bytes, frozen);
        println!("{share:.3} of the weights");
        // What threads and the allocator take does not grow with the weights: 33 MiB here.
        let most = 1.1 + f64::from(48 << 20) / (bytes * parameters as f64);
        assert!(share <= most, "{share:.3} of the weights");
        assert!(share > 0.9, "the measurement is wrong");
    }
}

#[test]
fn weights_of_16_bits_compute_the_same() {
    let dir = tempfile::tempdir().unwrap();
    make(dir.path(), &config(1e7));
    let [widened, stored] =
        [Frozen::F32, Frozen::Stored].map(|frozen| open(dir.path(), frozen).logits(vec![3, 1, 4, 1, 5, 9], 1).unwrap());
    assert!(widened.iter().any(|x| *x != 0.0) && widened == stored);
}
