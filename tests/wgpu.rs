//! The wgpu backend against the processor: the same recipe, the same loss curve.
//!
//! `cargo test --features wgpu --test wgpu` needs a device; without a GPU, Mesa's software Vulkan is one.
#![cfg(feature = "wgpu")]

use framework_engine::{
    PluginSources, Session,
    executor::backends,
    train::{self, Event},
};
use plugin_adapters as _;
use plugin_datasets as _;
use plugin_decoders as _;
use plugin_models as _;
use plugin_optimizers as _;
use std::{fmt::Write, path::Path};

const RECIPE: &str = r#"
    seed = 3
    [model]
    plugin = "pythia"
    [model.config]
    vocab_size = 280
    hidden_size = 32
    num_hidden_layers = 2
    num_attention_heads = 2
    intermediate_size = 64
    max_position_embeddings = 64
    [tokenizer]
    train = { kind = "byte-level-bpe", vocab_size = 280 }
    [[dataset]]
    plugin = "instruction-csv"
    path = "data.csv"
    [prompt]
    template = "plain"
    max_length = 64
    [adapter]
    plugin = "lora"
    dropout = 0.1
    [optimizer]
    plugin = "adamw"
    learning_rate = 5e-3
    [train]
    max_steps = 20
    batch_size = 4
    log_every = 1
    save_every = "end"
"#;

fn losses(dir: &Path, backend: &str, more: &[&str]) -> Vec<f64> {
    let mut csv = String::from("instruction,input,output\n");
    for i in 0..12 {
        writeln!(csv, "What is the code of room {i}?,,The code is {}.", 100 + 7 * i).unwrap();
    }
    std::fs::write(dir.join("data.csv"), csv).unwrap();
    let recipe = dir.join("recipe.toml");
    std::fs::write(&recipe, RECIPE).unwrap();
    let output = dir.join(format!("run-{backend}"));
    let mut set = vec![format!("backend.name=\"{backend}\""), format!("output={:?}", output.display().to_string())];
    set.push("data.cache=false".into());
    set.extend(more.iter().map(|s| (*s).to_owned()));
    let session = Session::open(&recipe, &set, &PluginSources::default()).unwrap();
    let prepared = train::prepare(session, &mut |_| {}).unwrap();
    let mut losses = Vec::new();
    train::train(&prepared, false, &mut |event| {
        if let Event::Step { loss, .. } = event {
            losses.push(*loss);
        }
    })
    .unwrap();
    losses
}

fn same_curve(more: &[&str]) {
    let wgpu = backends().into_iter().find(|b| b.name == "wgpu").unwrap();
    assert!(wgpu.compiled_in && !wgpu.devices.is_empty(), "no device answers: {:?}", wgpu.remedy);
    let dir = tempfile::tempdir().unwrap();
    let (cpu, gpu) = (losses(dir.path(), "cpu", more), losses(dir.path(), "wgpu", more));
    assert_eq!(cpu.len(), 20);
    assert!(cpu[19] < cpu[0], "the loss does not fall: {cpu:?}");
    for (step, (a, b)) in cpu.iter().zip(&gpu).enumerate() {
        assert!((a - b).abs() < 1e-3, "step {}: {a} on the processor, {b} on {:?}", step + 1, wgpu.devices);
    }
}

#[test]
fn lora_trains_as_on_the_processor() {
    same_curve(&[]);
}

/// Weights of 4 bits, of 8 and of 16 are decoded in the device's own operators, to the same numbers.
#[test]
fn quantized_weights_train_as_on_the_processor() {
    for frozen in ["nf4", "fp4", "int8", "bf16", "f16"] {
        same_curve(&[&format!("backend.frozen={frozen:?}"), "train.max_steps=20"]);
    }
    same_curve(&["adapter={plugin=\"qlora\"}", "backend.double_quant=false"]);
}

#[test]
fn full_fine_tuning_trains_as_on_the_processor() {
    same_curve(&["adapter={plugin=\"full\"}", "train.activation_checkpointing=true"]);
}
