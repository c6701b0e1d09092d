//! Optimizers against bitsandbytes, transformers and torch: tests/reference/optimizers.py.

use crate::{
    golden::{Golden, distance, each_near, list, plugins, repository, within},
    run::{COURSE, train},
};
use framework_core::{Init, Kind, Param, Role, ffi, ffi::OptimizerObject};
use framework_engine::{
    executor::{Device, Storage, Value as Tensor},
    from_folders,
    weights::TensorFile,
};
use serde_json::{Value, json};
use std::{collections::BTreeMap, fs, path::PathBuf};

fn file(name: &str) -> PathBuf {
    repository().join("tests/golden/optimizers").join(name)
}

fn expected() -> Value {
    serde_json::from_str(&fs::read_to_string(file("expected.json")).unwrap()).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    list(value, |n| n.as_f64().unwrap())
}

/// Numbers of many magnitudes, as the script makes them.
fn made(shape: &[usize], seed: u32) -> Tensor {
    let mut state = seed;
    let one = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let x = (state >> 8) as f32 / (1 << 23) as f32 - 1.0;
        x * x * x
    };
    Tensor::from_f32((0..shape.iter().product()).map(one).collect(), shape, &Device::cpu()).unwrap()
}

fn optimizer(plugin: &str, options: &Value) -> OptimizerObject {
    plugins().find(Kind::Optimizer, plugin).unwrap().optimizer(options).unwrap()
}

/// How a state is kept, by the names that optimizers have for it.
fn storage(name: Option<&str>) -> Storage {
    match name {
        None => Storage::F32,
        Some("dynamic8") => Storage::Dynamic8 { signed: true },
        Some("dynamic8-unsigned") => Storage::Dynamic8 { signed: false },
        Some(other) => panic!("{other}"),
    }
}

/// A parameter after a step along each of the gradients, all with the optimizer's learning rate.
fn moved(optimizer: &OptimizerObject, param: &Param, start: Tensor, grads: Vec<Tensor>) -> Tensor {
    let (rate, opened) = (optimizer.learning_rate().unwrap(), optimizer.open(std::slice::from_ref(param)).unwrap());
    let specs = &opened.states()[0];
    let mut states: Vec<_> = specs.iter().map(|s| Tensor::full(&s.shape, s.initial, &Device::cpu()).unwrap()).collect();
    let mut value = start;
    for (step, grad) in (1..).zip(grads) {
        let before = states.drain(..).map(ffi::wrap).collect();
        let (next, after) = opened.update(rate, step, 0, (ffi::wrap(value), ffi::wrap(grad)), before).unwrap();
        value = ffi::unwrap(next).unwrap();
        let kept = |(tensor, spec): (_, &framework_core::StateSpec)| {
            ffi::unwrap::<Tensor>(tensor).unwrap().kept(storage(spec.storage.as_deref())).unwrap()
        };
        states = after.into_iter().zip(specs).map(kept).collect();
    }
    value
}

#[test]
fn steps_are_those_of_other_libraries() {
    let (expected, tensors) = (expected(), TensorFile::open(&file("expected.safetensors")).unwrap());
    let steps = expected["steps"].as_u64().unwrap() as u32;
    for case in expected["cases"].as_array().unwrap() {
        let optimizer = optimizer(case["plugin"].as_str().unwrap(), &case["options"]);
        for (name, shape) in expected["shapes"].as_object().unwrap() {
            let shape: Vec<_> = list(shape, |n| n.as_u64().unwrap() as usize);
            let param = Param::new(name, &shape, Init::Zeros, Role::Linear);
            let grads = (0..steps).map(|step| made(&shape, 100 + step)).collect();
            let found = moved(&optimizer, &param, made(&shape, 7), grads).to_f32().unwrap();
            let what = format!("{}/{name}", case["name"].as_str().unwrap());
            within(&what, distance(&found, &tensors.tensor(&what).unwrap(), 0.0), 2e-6);
        }
    }
}

#[test]
fn training_goes_as_with_other_libraries() {
    let (golden, expected) = (Golden::open("llama/plain"), expected());
    for case in expected["cases"].as_array().unwrap() {
        // Such values are written alike in JSON and in TOML.
        let options = case["options"].as_object().unwrap().iter().map(|(key, value)| format!("{key} = {value}\n"));
        let optimizer = format!("[optimizer]\nplugin = {}\n{}", case["plugin"], options.collect::<String>());
        let trained = train(&golden, &format!("adapter.plugin = \"full\"\n{optimizer}{COURSE}"));
        let what = |quantity: &str| format!("{}, {quantity}", case["name"].as_str().unwrap());
        // Rounding decides between two codes here and there.
        let (loss, norm) = if case["plugin"] == "adamw-8bit" { (2e-4, 2e-3) } else { (2e-5, 5e-4) };
        each_near(&what("losses"), &trained.losses, &numbers(&case["losses"]), loss);
        each_near(&what("norms"), &trained.norms, &numbers(&case["grad_norms"]), norm);
    }
}

/// With `decay = "transformers"`, what decays is what decays with the Trainer of transformers.
#[test]
fn exemptions_are_those_of_transformers() {
    let expected = expected();
    let options = json!({ "learning_rate": 0.1, "weight_decay": 0.5, "decay": "transformers" });
    let optimizer = optimizer("adamw", &options);
    for case in expected["decaying"].as_array().unwrap() {
        let model = Golden::open(case["case"].as_str().unwrap()).path("model");
        let adapter = case["adapter"].as_str().map(|name| repository().join("tests/golden/methods").join(name));
        let network = from_folders(&plugins(), &model, adapter.as_deref(), Device::cpu()).unwrap();
        let params = if adapter.is_some() { &network.plan().params } else { &network.spec().params };
        let decays = |param: &Param| {
            let zeros = vec![Tensor::zeros(&param.shape, &Device::cpu()).unwrap()];
            let start = Tensor::full(&param.shape, 1.0, &Device::cpu()).unwrap();
            moved(&optimizer, param, start, zeros).to_f32().unwrap()[0] < 1.0
        };
        let found: BTreeMap<_, _> = params.iter().map(|param| (param.name.clone(), decays(param))).collect();
        let wanted: BTreeMap<String, bool> = serde_json::from_value(case["decays"].clone()).unwrap();
        assert_eq!(found, wanted, "{}", case["case"]);
    }
}
