//! Quantized base models against bitsandbytes, and LoRA on them against peft: tests/reference/quantized.py.

use crate::{
    golden::{Golden, each_near, list, loss, plugins, repository, within},
    run::{COURSE, train},
};
use framework_engine::{Placement, executor::Device, from_folders, recipe::Frozen};
use serde_json::Value;
use std::{collections::BTreeMap, fs, path::PathBuf};

fn folder(name: &str) -> PathBuf {
    repository().join("tests/golden/quantized").join(name)
}

fn all() -> BTreeMap<String, Value> {
    serde_json::from_str(&fs::read_to_string(folder("expected.json")).unwrap()).unwrap()
}

fn golden(expected: &Value) -> Golden {
    Golden::open(expected["case"].as_str().unwrap())
}

fn place(expected: &Value) -> Placement {
    let frozen = serde_json::from_value(expected["kind"].clone()).unwrap();
    Placement { frozen: Some(frozen), double_quant: expected["double"] == true, ..Device::cpu().into() }
}

#[test]
fn have_the_loss_of_bitsandbytes() {
    let all = all();
    assert!(all.len() >= 4);
    for (name, expected) in &all {
        let golden = golden(expected);
        let base = from_folders(&plugins(), &golden.path("model"), None, place(expected)).unwrap();
        within(name, (loss(&base, &golden.batch()) - expected["loss"].as_f64().unwrap()).abs(), 1e-4);
        let adapted = from_folders(&plugins(), &golden.path("model"), Some(&folder(name)), place(expected)).unwrap();
        within(name, (loss(&adapted, &golden.batch()) - expected["adapted"].as_f64().unwrap()).abs(), 1e-4);
    }
}

#[test]
fn are_trained_on_as_with_peft() {
    for (name, expected) in &all() {
        let golden = golden(expected);
        let numbers = |key: &str| list(&expected[key], |n| n.as_f64().unwrap());
        for checkpointing in [false, true] {
            let tables = format!(
                "[backend]\nfrozen = {}\ndouble_quant = {}\n[adapter]\nplugin = \"qlora\"\ninit_from = {:?}\n\
                 [optimizer]\nplugin = \"adamw\"\nlearning_rate = 1e-2\nweight_decay = 0.01\ndecay = \"all\"\n{COURSE}\
                 activation_checkpointing = {checkpointing}\n",
                expected["kind"],
                expected["double"],
                folder(name),
            );
            let trained = train(&golden, &tables);
            each_near(&format!("{name} losses"), &trained.losses, &numbers("losses"), 2e-5);
            each_near(&format!("{name} norms"), &trained.norms, &numbers("grad_norms"), 5e-4);
        }
    }
}

/// Each format is nearer to the model in 32 bits than the one with fewer bits.
#[test]
fn more_bits_are_nearer() {
    let golden = Golden::open("qwen2/plain");
    let loss_of = |frozen| {
        let place = Placement { frozen: Some(frozen), ..Device::cpu().into() };
        loss(&from_folders(&plugins(), &golden.path("model"), None, place).unwrap(), &golden.batch())
    };
    let exact = loss_of(Frozen::F32);
    let error = |frozen| (loss_of(frozen) - exact).abs();
    assert_eq!(loss_of(Frozen::Stored), exact);
    let (f16, bf16, int8, nf4) = (error(Frozen::F16), error(Frozen::Bf16), error(Frozen::Int8), error(Frozen::Nf4));
    within("f16", f16, 1e-3);
    within("bf16", bf16, 5e-3);
    within("int8", int8, 1e-2);
    assert!(0.0 < f16 && f16 < nf4 && int8 < nf4, "{f16} {bf16} {int8} {nf4}");
}
