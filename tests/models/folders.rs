//! Folders laid out as people have them: tied heads that differ, names without their first part, experts in one tensor.

use crate::golden::{largest, plugins, within};
use framework_engine::{executor::Device, from_folders};
use serde_json::Value;
use std::{fs, path::Path};

#[test]
fn folders_are_read_as_transformers_reads_them() {
    let all = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/folders");
    let mut folders: Vec<_> = fs::read_dir(all).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    assert_eq!(folders.len(), 13);
    let mut wrong = Vec::new();
    for folder in folders {
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        let golden: Value = serde_json::from_slice(&fs::read(folder.join("logits.json")).unwrap()).unwrap();
        let numbers = |key: &str| golden[key].as_array().unwrap().iter().map(|x| x.as_f64().unwrap());
        match from_folders(&plugins(), &folder, None, Device::cpu()) {
            Err(e) => wrong.push(format!("{name}: {e}")),
            Ok(network) => {
                let found = network.logits(numbers("ids").map(|id| id as i32).collect(), 1).unwrap();
                let expected: Vec<f32> = numbers("logits").map(|x| x as f32).collect();
                within(&name, largest(&found, &expected), 5e-6);
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
