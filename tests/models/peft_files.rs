//! Adapters that peft has written with settings of many kinds: tests/reference/peft_files.py.

use crate::golden::{Golden, loss, plugins, repository, within};
use framework_engine::{executor::Device, from_folders, weights::AdapterFolder};
use serde_json::Value;
use std::{collections::BTreeMap, fs, path::Path};

fn expected() -> BTreeMap<String, f64> {
    let text = fs::read_to_string(repository().join("tests/golden/peft/expected.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

#[test]
fn have_pefts_loss() {
    let golden = Golden::open("llama/plain");
    let all = expected();
    assert!(all.len() >= 13);
    for (name, expected) in all {
        let folder = repository().join("tests/golden/peft").join(&name);
        let network = from_folders(&plugins(), &golden.path("model"), Some(&folder), Device::cpu()).unwrap();
        within(&name, (loss(&network, &golden.batch()) - expected).abs(), 1e-5);
    }
}

/// What stands in a changed configuration, and what is said of it.
fn refused(change: impl Fn(&mut Value)) -> String {
    let from = repository().join("tests/golden/peft/unmatched");
    let dir = tempfile::tempdir().unwrap();
    let copy = |name: &str, to: &Path| fs::copy(from.join(name), to.join(name)).unwrap();
    copy("adapter_model.safetensors", dir.path());
    let mut config: Value =
        serde_json::from_str(&fs::read_to_string(from.join("adapter_config.json")).unwrap()).unwrap();
    change(&mut config);
    fs::write(dir.path().join("adapter_config.json"), config.to_string()).unwrap();
    AdapterFolder::open(dir.path()).unwrap();
    let golden = Golden::open("llama/plain");
    let error = from_folders(&plugins(), &golden.path("model"), Some(dir.path()), Device::cpu()).err().unwrap();
    error.to_string().replace(&dir.path().display().to_string(), "DIR")
}

#[test]
fn others_are_refused_with_a_way_on() {
    for (key, value) in [
        ("use_qalora", true.into()),
        ("alora_invocation_tokens", serde_json::json!([1])),
        ("init_lora_weights", "olora".into()),
        ("peft_type", "VERA".into()),
        ("target_modules", serde_json::json!(["q_proj", "norm"])),
    ] {
        let said = refused(|config| config[key] = Value::clone(&value));
        assert!(said.contains("merge_and_unload()"), "{key}: {said}");
    }
    // PEFT itself would take another random part off the base weights.
    let said = refused(|config| config["init_lora_weights"] = "pissa_niter_4".into());
    assert!(said.contains("path_initial_model_for_weight_conversion=START"), "{said}");
    insta::assert_snapshot!(refused(|config| config["use_qalora"] = true.into()), @r"
    DIR: adapter `lora`: adapter_config.json sets `use_qalora` to true, which is not supported here
        fold it into its model with PEFT, and use that: `PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(MODEL), ADAPTER).merge_and_unload().save_pretrained(FOLDER)`
    ");
}
