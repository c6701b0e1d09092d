//! The adapter folders that training writes.

use crate::{
    golden::{FAMILIES, Golden, list, plugins, repository},
    run::{COURSE, Trained, adapter, examples_loss, train},
};
use framework_core::Role;
use framework_engine::{executor::Device, from_folders, weights::AdapterFolder};
use serde_json::Value;
use std::{env, process::Command};

/// LoRA settings, each with the adapter of the golden data that has the same; and some of which it has none.
fn variants(golden: &Golden) -> Vec<(String, Option<&'static str>)> {
    let mut variants = vec![
        (String::new(), Some("lora")),
        ("rank_stabilised = true".to_owned(), Some("lora_rs")),
        ("layers = 1".to_owned(), Some("lora_layers")),
        ("bias = \"all\"".to_owned(), None),
        ("bias = \"lora_only\"\nlayers = \"0\"".to_owned(), None),
    ];
    for name in ["lora_regex", "lora_gate"].into_iter().filter(|name| golden.adapters().contains(name)) {
        variants.push((format!("targets = {}", golden.targets(name)), Some(name)));
    }
    // Of Mixtral peft 0.21 can adapt all experts of all blocks only, and names them otherwise.
    if golden.family() != "mixtral" {
        // Of Mamba it refuses one projection, and transformers reads the weight of another past its adapter.
        let not: &[&str] = if golden.family() == "mamba" { &["out_proj", "dt_proj"] } else { &[] };
        let exclude = if not.is_empty() { String::new() } else { format!("exclude = {not:?}\n") };
        variants.push((format!("targets = \"all-linear\"\n{exclude}layers = 1\ndropout = 0.1"), None));
        let targets = list(&golden.targets("lora"), |name| name.as_str().unwrap().to_owned());
        let (first, second) = (&targets[0], &targets[1]);
        variants.push((format!("rank_pattern = {{ {first} = 2 }}\nalpha_pattern = {{ \"1.*{second}\" = 3 }}"), None));
        variants.push(("init_lora_weights = \"pissa\"\nrank_stabilised = true".into(), None));
        let not: Vec<&str> = not.iter().copied().chain([first.as_str()]).collect();
        variants.push((format!("targets = \"all-linear\"\nexclude = {not:?}"), None));
        let spec = golden.network("model", None).spec().clone();
        if spec.get(&spec.output).is_some_and(|output| output.role == Role::Output) {
            variants.push((format!("modules_to_save = [{:?}]", spec.output.trim_end_matches(".weight")), None));
        }
    }
    variants
}

fn trained(golden: &Golden, variant: &str) -> Trained {
    let mut base = adapter(golden, "lora");
    if variant.contains("targets") {
        base = base.lines().filter(|l| !l.contains("targets")).fold(String::new(), |text, line| text + line + "\n");
    }
    let course = COURSE.replace("epochs = 2", "max_steps = 3");
    let optimizer = "[optimizer]\nplugin = \"adamw\"\nlearning_rate = 1e-2\n";
    train(golden, &format!("{base}{variant}\n{optimizer}{course}"))
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
    Golden::each(|golden| {
        for (variant, like) in variants(golden).into_iter().filter_map(|(variant, like)| Some((variant, like?))) {
            let run = trained(golden, &variant);
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
    });
}

#[test]
fn are_read_as_they_were_written() {
    for family in FAMILIES {
        let golden = Golden::all().find(|golden| golden.family() == family).unwrap();
        let start = examples_loss(&golden, &golden.network("model", None));
        for (variant, _) in variants(&golden) {
            let run = trained(&golden, &variant);
            let end = examples_loss(&golden, &run.prepared.network);
            // What PiSSA saves is another sum, of the same parts.
            let most = if variant.contains("pissa") { 1e-6 } else { 0.0 };
            assert!((read(&golden, &run) - end).abs() <= most, "{} {variant}", golden.case);
            assert_ne!(end, start, "{} {variant}: nothing was trained", golden.case);
        }
    }
}

/// Set `FRAMEWORK_PYTHON` to a Python with what tests/reference/requirements.txt lists, and peft reads them, too.
#[test]
fn are_read_by_peft() {
    let Some(python) = env::var_os("FRAMEWORK_PYTHON") else { return };
    Golden::each(|golden| {
        for (variant, _) in variants(golden) {
            let run = trained(golden, &variant);
            let end = examples_loss(golden, &run.prepared.network);
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
    });
}
