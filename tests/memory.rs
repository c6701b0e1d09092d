//! How much memory loading a model takes: hardly more than its weights.
//!
//! `FRAMEWORK_TEST_PARAMETERS=1.5e9 cargo test --release --test memory -- --nocapture` does it with as many parameters;
//! the folder, of 2 bytes each, is made where temporary files are.
#![cfg(target_os = "linux")]

use framework_core::{Kind, Param};
use framework_engine::{
    PluginSources,
    executor::Device,
    from_folders,
    weights::{Float, SHARD, TensorShape, save_model},
};
use plugin_models as _;
use serde_json::{Map, Value, json};
use std::{borrow::Cow, env, fs, path::Path, process::Command};

// As the command has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const FOLDER: &str = "FRAMEWORK_TEST_FOLDER";

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
    let registry = PluginSources::default().open(&[]).unwrap();
    let (device, before) = (Device::cpu(), status("VmRSS:"));
    let network = from_folders(&registry, Path::new(&folder), None, device).unwrap();
    assert!(!network.names().is_empty());
    println!("memory {before} {}", status("VmHWM:"));
}

#[test]
fn loading_takes_little_more_than_the_weights() {
    let parameters = env::var("FRAMEWORK_TEST_PARAMETERS").map_or(8e7, |text| text.parse().unwrap());
    let dir = tempfile::tempdir().unwrap();
    let parameters = make(dir.path(), &config(parameters));
    let mut child = Command::new(env::current_exe().unwrap());
    let output = child.args(["--exact", "load", "--ignored", "--nocapture"]).env(FOLDER, dir.path()).output().unwrap();
    let out = String::from_utf8_lossy(&output.stdout);
    let line = out.lines().find_map(|line| line.split("memory ").nth(1)).unwrap_or_else(|| panic!("{output:?}"));
    let numbers: Vec<f64> = line.split(' ').map(|n| n.parse().unwrap()).collect();
    // Parameters are held in f32.
    let (weights, taken) = (4.0 * parameters as f64, numbers[1] - numbers[0]);
    println!(
        "{parameters} parameters, {:.0} MiB on disk, {:.0} MiB in memory: {:.0} MiB taken at the most, {:.3} of the weights",
        weights / 2.0 / 1048576.0,
        weights / 1048576.0,
        taken / 1048576.0,
        taken / weights
    );
    assert!(taken <= 1.1 * weights, "{:.3} of the weights", taken / weights);
    assert!(taken > 0.9 * weights, "the measurement is wrong");
}
