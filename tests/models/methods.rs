//! Adapters of every method that peft has and we read: tests/reference/methods.py.

use crate::{
    golden::{Golden, distance, each_near, list, loss, plugins, repository, within},
    run::{COURSE, examples_loss, train_from},
};
use framework_core::Kind;
use framework_engine::{
    executor::{Device, Network, Value as Tensor},
    from_folders,
    generation::Generator,
    recipe::GenerateSettings,
    weights::{AdapterFolder, TensorFile},
};
use serde_json::{Value, json};
use std::{collections::BTreeMap, fs, path::PathBuf, sync::Arc};

fn folder(name: &str) -> PathBuf {
    repository().join("tests/golden/methods").join(name)
}

fn all() -> BTreeMap<String, Value> {
    serde_json::from_str(&fs::read_to_string(folder("expected.json")).unwrap()).unwrap()
}

fn golden(expected: &Value) -> Golden {
    Golden::open(expected["case"].as_str().unwrap())
}

fn network(name: &str, expected: &Value) -> Arc<Network> {
    let model = golden(expected).path("model");
    from_folders(&plugins(), &model, Some(&folder(name)), Device::cpu()).unwrap_or_else(|e| panic!("{name}: {e}"))
}

fn numbers(expected: &Value, key: &str) -> Vec<f64> {
    list(&expected[key], |n| n.as_f64().unwrap())
}

#[test]
fn have_pefts_loss() {
    let all = all();
    assert!(all.len() >= 19);
    for (name, expected) in &all {
        let found = loss(&network(name, expected), &golden(expected).batch());
        within(name, (found - expected["loss"].as_f64().unwrap()).abs(), 1e-5);
    }
}

/// Prompts of unequal lengths, side by side, are answered as peft answers each alone.
#[test]
fn answer_as_with_peft() {
    let registry = plugins();
    let settings = GenerateSettings { max_new_tokens: 8, ..GenerateSettings::default() };
    for (name, expected) in &all() {
        let network = network(name, expected);
        let prompts: Vec<Vec<u32>> = list(&expected["prompts"], |row| list(row, |id| id.as_u64().unwrap() as u32));
        for (decoder, options, key) in [("greedy", json!({}), "greedy"), ("beam", json!({ "num_beams": 3 }), "beams")] {
            let decoder = registry.find(Kind::Decoder, decoder).unwrap().decoder(&options).unwrap();
            let generator = Generator::new(&network, &decoder, &settings, &[2], 0).unwrap();
            let found = generator.generate(&prompts, 0, &mut |_, _| {}).unwrap();
            let wanted: Vec<Vec<u32>> = list(&expected[key], |row| list(row, |id| id.as_u64().unwrap() as u32));
            assert_eq!(found, wanted, "{name}, {key}");
        }
    }
}

#[test]
fn merge_as_with_peft() {
    let mut merged = 0;
    for (name, expected) in &all() {
        let network = network(name, expected);
        let golden = golden(expected);
        let Ok(file) = TensorFile::open(&folder(name).join("merged.safetensors")) else {
            let embedding = network.spec().params[0].name.clone();
            let refused = network.spec().params.iter().any(|param| network.merged(&param.name).is_err());
            assert!(refused || network.merged(&embedding).is_err(), "{name} can be merged, and peft cannot");
            continue;
        };
        let base = golden.network("model", None);
        let mut changed = 0;
        for param in &network.spec().params {
            let (was, is) = (base.param(&param.name).unwrap(), network.merged(&param.name).unwrap().unwrap());
            let (was, is) = (was.to_f32().unwrap(), is.to_f32().unwrap());
            // transformers has the head of GPT-NeoX under another name in memory.
            let stored = ["lm_head.weight".to_owned(), param.name.clone()].into_iter();
            let stored = stored.filter(|name| *name == param.name || param.name == "embed_out.weight");
            match stored.into_iter().find(|name| file.info(name).is_some()) {
                Some(stored) => {
                    let is = crate::gradients::as_stored(network.spec(), &param.name, is);
                    within(&format!("{name} {}", param.name), distance(&is, &file.tensor(&stored).unwrap(), 0.0), 1e-5);
                    base.set(&param.name, network.merged(&param.name).unwrap().unwrap()).unwrap();
                    changed += 1;
                }
                None => assert_eq!(was, is, "{name} changes {}, and peft does not", param.name),
            }
        }
        assert_eq!(changed, file.names().count(), "{name}");
        within(name, (loss(&base, &golden.batch()) - expected["merged_loss"].as_f64().unwrap()).abs(), 1e-5);
        merged += 1;
    }
    assert!(merged >= 10);
}

/// The recipe's table for an adapter: from the folder, or, where that holds what a network gives, the network itself.
fn recipe(name: &str) -> String {
    let config: Value =
        serde_json::from_str(&fs::read_to_string(folder(name).join("adapter_config.json")).unwrap()).unwrap();
    let plugin = plugins().all_by_alias(Kind::Adapter, config["peft_type"].as_str().unwrap())[0].about.name.clone();
    let start = match folder(name).join("start.safetensors").exists() {
        false => format!("init_from = {:?}", folder(name)),
        true => {
            let projection = if plugin == "prefix-tuning" { "projection = true\n" } else { "" };
            format!("virtual_tokens = {}\n{projection}encoder_hidden_size = 10", config["num_virtual_tokens"])
        }
    };
    format!("[adapter]\nplugin = {plugin:?}\n{start}\n")
}

#[test]
fn are_trained_as_with_peft() {
    for (name, expected) in &all() {
        let golden = golden(expected);
        for checkpointing in [false, true] {
            let (plus, rates) = match expected["loraplus_lr_ratio"].as_f64() {
                Some(ratio) => (format!("loraplus_lr_ratio = {ratio}\n"), "learning_rate = 2.5e-3\nweight_decay = 0.0"),
                None => (String::new(), "learning_rate = 1e-2\nweight_decay = 0.01"),
            };
            let optimizer = format!("[optimizer]\nplugin = \"adamw\"\n{rates}\ndecay = \"all\"\n");
            let tables =
                format!("{}{plus}{optimizer}{COURSE}activation_checkpointing = {checkpointing}\n", recipe(name));
            let trained = train_from(&golden, &tables, &mut |network| {
                let Ok(start) = TensorFile::open(&folder(name).join("start.safetensors")) else { return };
                for param in network.plan().params.clone() {
                    let data = start.tensor(&param.name).unwrap();
                    network.set(&param.name, Tensor::from_f32(data, &param.shape, network.device()).unwrap()).unwrap();
                }
            });
            each_near(&format!("{name} losses"), &trained.losses, &numbers(expected, "losses"), 2e-5);
            each_near(&format!("{name} norms"), &trained.norms, &numbers(expected, "grad_norms"), 5e-4);
            // What was written is what was trained.
            let end = examples_loss(&golden, &trained.prepared.network);
            let adapter = trained.folder.adapter();
            let again = from_folders(&plugins(), &golden.path("model"), Some(&adapter), Device::cpu()).unwrap();
            within(&format!("{name} written"), (examples_loss(&golden, &again) - end).abs(), 1e-6);
        }
    }
}

/// The recipe's table for an adapter that starts as peft starts it.
fn fresh(name: &str) -> String {
    let config: Value =
        serde_json::from_str(&fs::read_to_string(folder(name).join("adapter_config.json")).unwrap()).unwrap();
    let table = |key: &str| {
        let pairs = config[key].as_object().unwrap().iter().map(|(module, value)| format!("{module:?} = {value}"));
        format!("{{ {} }}", pairs.collect::<Vec<_>>().join(", "))
    };
    format!(
        "[adapter]\nplugin = \"lora\"\ninit_lora_weights = \"pissa\"\nr = {}\nalpha = {}\ntargets = {}\n\
         rank_stabilised = {}\nrank_pattern = {}\nalpha_pattern = {}\n",
        config["r"],
        config["lora_alpha"],
        config["target_modules"],
        config["use_rslora"],
        table("rank_pattern"),
        table("alpha_pattern")
    )
}

/// PiSSA takes the same course from its own start, and what is saved is the LoRA that peft converts it to.
#[test]
fn pissa_starts_and_is_converted_as_with_peft() {
    let all = all();
    let started: Vec<_> = all.iter().filter(|(_, expected)| expected.get("start_losses").is_some()).collect();
    assert!(started.len() >= 5);
    for (name, expected) in started {
        let golden = golden(expected);
        let optimizer = "[optimizer]\nplugin = \"adamw\"\nlearning_rate = 1e-2\nweight_decay = 0.01\ndecay = \"all\"\n";
        let trained = train_from(&golden, &format!("{}{optimizer}{COURSE}", fresh(name)), &mut |network| {
            let (base, start) = (golden.network("model", None), loss(network, &golden.batch()));
            within(&format!("{name} start"), (start - loss(&base, &golden.batch())).abs(), 1e-6);
        });
        each_near(&format!("{name} losses"), &trained.losses, &numbers(expected, "start_losses"), 5e-5);
        each_near(&format!("{name} norms"), &trained.norms, &numbers(expected, "start_grad_norms"), 1e-3);
        let end = expected["converted_loss"].as_f64().unwrap();
        let open = |adapter: &std::path::Path| {
            from_folders(&plugins(), &golden.path("model"), Some(adapter), Device::cpu()).unwrap()
        };
        let [ours, theirs] = [trained.folder.adapter(), folder(name).join("converted")];
        for adapter in [&ours, &theirs] {
            let found = loss(&open(adapter), &golden.batch());
            within(&format!("{name} {}", adapter.display()), (found - end).abs(), 1e-4);
        }
        let [ours, theirs] = [ours, theirs].map(|folder| AdapterFolder::open(&folder).unwrap());
        for key in ["r", "lora_alpha", "rank_pattern", "alpha_pattern", "use_rslora", "init_lora_weights"] {
            let number = |value: &Value| value.as_f64().map(|n| (n * 1e9).round());
            let same = ours.config[key] == theirs.config[key]
                || number(&ours.config[key]).is_some_and(|n| Some(n) == number(&theirs.config[key]));
            assert!(same, "{name}: {key} is {}, and peft has {}", ours.config[key], theirs.config[key]);
        }
        let shapes = |folder: &AdapterFolder| -> BTreeMap<String, Vec<usize>> {
            let names = folder.tensors.names();
            names.map(|name| (name.to_owned(), folder.tensors.info(name).unwrap().shape.clone())).collect()
        };
        assert_eq!(shapes(&ours), shapes(&theirs), "{name}");
    }
}
