//! The adapter folders that training writes.

use crate::{
    golden::{Golden, plugins, repository},
    run::{COURSE, LORA, Trained, examples_loss, train},
};
use framework_engine::{executor::Device, from_folders, weights::AdapterFolder};
use serde_json::Value;
use std::{env, process::Command};

/// LoRA settings, each with the adapter of the golden data that has the same; and some of which it has none.
const VARIANTS: [(&str, Option<&str>); 7] = [
    ("", Some("lora")),
    ("rank_stabilised = true", Some("lora_rs")),
    ("layers = 1", Some("lora_layers")),
    (r#"targets = '.*\.layers\.1\.(attention\.dense|mlp\.dense_4h_to_h)'"#, Some("lora_regex")),
    ("bias = \"all\"", None),
    ("bias = \"lora_only\"\nlayers = \"0\"", None),
    ("targets = \"all-linear\"\nlayers = 1\ndropout = 0.1", None),
];

fn trained(golden: &Golden, variant: &str) -> Trained {
    let base = if variant.contains("targets") {
        LORA.lines().filter(|l| !l.contains("targets")).collect()
    } else {
        vec![LORA]
    };
    let course = COURSE.replace("epochs = 2", "max_steps = 3");
    let optimizer = "[optimizer]\nplugin = \"adamw\"\nlearning_rate = 1e-2\n";
    train(golden, &format!("{}\n{variant}\n{optimizer}{course}", base.join("\n")))
}

fn read(golden: &Golden, trained: &Trained) -> f64 {
    let adapter = trained.folder.adapter();
    let network = from_folders(&plugins(), &golden.path("model"), Some(&adapter), Device::cpu()).unwrap();
    examples_loss(golden, &network)
}

fn tensors(folder: &AdapterFolder) -> Vec<(String, Vec<usize>)> {
    let shape = |name: &str| folder.tensors.info(name).unwrap().shape.clone();
    folder.tensors.names().map(|name| (name.to_owned(), shape(name))).collect()
}

fn sorted(mut value: Value) -> Value {
    if let Some(list) = value.as_array_mut() {
        list.sort_by_key(|v| v.to_string());
    }
    value
}

#[test]
fn are_laid_out_as_pefts() {
    for golden in Golden::all() {
        for (variant, like) in VARIANTS.iter().filter_map(|(variant, like)| Some((variant, (*like)?))) {
            let run = trained(&golden, variant);
            let (found, expected) = (run.folder.adapter(), golden.path(like));
            let (found, expected) = (AdapterFolder::open(&found).unwrap(), AdapterFolder::open(&expected).unwrap());
            assert_eq!(tensors(&found), tensors(&expected), "{} {like}", golden.case);
            for (key, value) in &found.config {
                let expected = expected.config.get(key).unwrap_or_else(|| panic!("peft has no `{key}`"));
                if key != "base_model_name_or_path" {
                    assert_eq!(sorted(value.clone()), sorted(expected.clone()), "{} {like}: {key}", golden.case);
                }
            }
            for key in ["peft_type", "task_type", "r", "lora_alpha", "target_modules", "use_rslora", "bias"] {
                assert!(found.config.contains_key(key), "{key}");
            }
            assert_eq!(found.base_model(), golden.path("model").to_str());
        }
    }
}

#[test]
fn are_read_as_they_were_written() {
    let golden = Golden::open("parallel");
    for (variant, _) in VARIANTS {
        let run = trained(&golden, variant);
        let end = examples_loss(&golden, &run.prepared.network);
        assert_eq!(read(&golden, &run), end, "{variant}");
        assert_ne!(end, examples_loss(&golden, &golden.network("model", None)), "{variant}: nothing was trained");
    }
}

/// Set `FRAMEWORK_PYTHON` to a Python with what tests/reference/requirements.txt lists, and peft reads them, too.
#[test]
fn are_read_by_peft() {
    let Some(python) = env::var_os("FRAMEWORK_PYTHON") else { return };
    for golden in Golden::all() {
        for (variant, _) in VARIANTS {
            let run = trained(&golden, variant);
            let end = examples_loss(&golden, &run.prepared.network);
            let mut check = Command::new(&python);
            check.arg(repository().join("tests/reference/check_adapter.py"));
            check.arg("--model").arg(golden.path("model")).arg("--adapter").arg(run.folder.adapter());
            check.arg("--examples").arg(golden.path("train.json"));
            check.args(["--tolerance", "1e-5", "--expect-loss", &end.to_string()]);
            let output = check.output().unwrap();
            let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
            println!("{} {variant:?}: here {end}, peft {}", golden.case, said[0].trim());
            assert!(output.status.success(), "{}", said.concat());
        }
    }
}
