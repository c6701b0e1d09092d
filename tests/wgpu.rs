//! The wgpu backend against the processor: the same recipe, the same loss curve.
//!
//! `cargo test --workspace --test wgpu -- --ignored --skip every_family` needs a device; without a GPU, Mesa's software Vulkan
//! is one. `every_family` takes a quarter of an hour.

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

/// Both curves, and what the device is.
fn curves(more: &[&str]) -> (Vec<f64>, Vec<f64>, String) {
    let wgpu = backends().into_iter().find(|b| b.name == "wgpu").unwrap();
    assert!(wgpu.compiled_in && !wgpu.devices.is_empty(), "no device answers: {:?}", wgpu.remedy);
    let dir = tempfile::tempdir().unwrap();
    let (cpu, gpu) = (losses(dir.path(), "cpu", more), losses(dir.path(), "wgpu", more));
    assert!(cpu[cpu.len() - 1] < cpu[0], "the loss does not fall: {cpu:?}");
    (cpu, gpu, format!("{:?}", wgpu.devices))
}

fn same_curve(more: &[&str]) {
    let (cpu, gpu, device) = curves(more);
    assert_eq!(cpu.len(), gpu.len());
    for (step, (a, b)) in cpu.iter().zip(&gpu).enumerate() {
        assert!((a - b).abs() < 1e-3, "{more:?}, step {}: {a} on the processor, {b} on {device}", step + 1);
    }
}

#[test]
#[ignore = "needs a device"]
fn lora_trains_as_on_the_processor() {
    same_curve(&[]);
}

/// Weights of 4 bits, of 8 and of 16 are decoded in the device's own operators, to the same numbers.
#[test]
#[ignore = "needs a device"]
fn quantized_weights_train_as_on_the_processor() {
    for frozen in ["nf4", "fp4", "int8", "bf16", "f16"] {
        same_curve(&[&format!("backend.frozen={frozen:?}"), "train.max_steps=8"]);
    }
    same_curve(&["adapter={plugin=\"qlora\"}", "backend.double_quant=false", "train.max_steps=8"]);
}

/// What the device has no products for is computed in 32 bits. The processor's curve is that of 32-bit weights.
#[test]
#[ignore = "needs a device"]
fn half_precision_follows_the_curve_of_32_bits() {
    let dir = tempfile::tempdir().unwrap();
    let steps = "train.max_steps=100";
    let exact = losses(dir.path(), "cpu", &[steps]);
    for precision in ["bf16", "f16"] {
        let half = losses(dir.path(), "wgpu", &[&format!("backend.precision={precision:?}"), steps]);
        assert_eq!(half.len(), 100);
        for (step, (a, b)) in half.iter().zip(&exact).enumerate() {
            assert!((a - b).abs() <= 0.02 * b.max(0.5), "{precision}, step {}: {a}, not {b}", step + 1);
        }
    }
}

/// A tiny model of every family, LoRA, QLoRA and full, 50 steps.
#[test]
#[ignore = "needs a device, and a quarter of an hour"]
fn every_family_trains_as_on_the_processor() {
    let llama = "vocab_size=280, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4, \
                 num_key_value_heads=2, max_position_embeddings=64";
    let moe = format!("{llama}, num_local_experts=4, num_experts_per_tok=2");
    let families = [
        ("llama", llama.to_owned()),
        ("mistral", format!("{llama}, sliding_window=8")),
        ("qwen", llama.to_owned()),
        ("gemma", format!("model_type=\"gemma2\", head_dim=8, query_pre_attn_scalar=8, sliding_window=8, {llama}")),
        ("phi-3", llama.to_owned()),
        ("mixtral", moe),
        ("gpt2", "vocab_size=280, n_embd=32, n_layer=2, n_head=2, n_positions=64".to_owned()),
    ];
    let adapters = ["{plugin=\"lora\",dropout=0.1,targets=\"all-linear\"}", "{plugin=\"qlora\"}", "{plugin=\"full\"}"];
    for (plugin, config) in families {
        let model = format!("model={{plugin={plugin:?}, config={{{config}}}}}");
        for adapter in adapters {
            same_curve(&[&model, &format!("adapter={adapter}"), "train.max_steps=50"]);
        }
        eprintln!("{plugin}: the same");
    }
}

#[test]
#[ignore = "needs a device"]
fn full_fine_tuning_trains_as_on_the_processor() {
    same_curve(&["adapter={plugin=\"full\"}", "train.activation_checkpointing=true"]);
}
