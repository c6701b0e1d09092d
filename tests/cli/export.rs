//! `framework export`: folders for use elsewhere.

use crate::setting::{Setting, base};
use serde_json::Value;

fn trained(changes: &[(&str, &str)]) -> Setting {
    let setting = Setting::with(&[&[("max_steps = 60", "max_steps = 4")], changes].concat());
    setting.run(["train", "recipe.toml"]).succeeded();
    setting.write("text.txt", "What colour is snow?\nwhite\n");
    setting
}

fn loss(setting: &Setting, args: &[&str]) -> f64 {
    let args = [&["eval", "--text", "text.txt", "--format", "json"], args].concat();
    setting.run(args).json()["loss"].as_f64().unwrap()
}

#[test]
fn a_merged_model_needs_neither_run_nor_base() {
    let setting = trained(&[]);
    let out = setting.run(["export", "runs/colours", "--to", "out/merged", "--merge"]).succeeded().out;
    assert_eq!(out, "model saved in out/merged\n");
    let files = setting.files("out");
    for file in
        ["config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"]
    {
        assert!(files.contains(&format!("merged/{file}")), "no {file} among {files:?}");
    }
    assert!(files.iter().all(|file| file.starts_with("merged/")), "{files:?}");
    let (run, merged) = (loss(&setting, &["runs/colours"]), loss(&setting, &["--model", "out/merged"]));
    assert!((run - merged).abs() < 1e-5 && run != loss(&setting, &["--model", &base().display().to_string()]));
    // Its tokenizer, and where generation ends, came along.
    let generation: Value = serde_json::from_str(&setting.read("out/merged/generation_config.json")).unwrap();
    assert!(generation["eos_token_id"].is_u64(), "{generation}");
    setting.run(["generate", "--model", "out/merged", "--prompt", "What colour is coal?"]).succeeded();
}

#[test]
fn an_adapter_is_exported_as_it_is() {
    let setting = trained(&[]);
    let out = setting.run(["export", "runs/colours", "--to", "adapter"]).succeeded().out;
    assert_eq!(out, "adapter saved in adapter\n");
    assert_eq!(setting.files("adapter"), ["adapter_config.json", "adapter_model.safetensors"]);
    let args = ["--model", &base().display().to_string(), "--adapter", "adapter"];
    assert_eq!(loss(&setting, &args), loss(&setting, &["runs/colours"]));
    setting.run(["export", "runs/colours", "--to", "half", "--dtype", "bf16"]).succeeded();
    let size = |folder: &str| setting.bytes(&format!("{folder}/adapter_model.safetensors")).len();
    assert!(size("half") * 3 < size("adapter") * 2);
}

#[test]
fn a_model_from_scratch_is_exported_whole() {
    let run = base().parent().unwrap().display().to_string();
    let setting = Setting::new();
    setting.write("text.txt", "What colour is snow?\n");
    setting.run(["export", &run, "--to", "model"]).succeeded();
    assert_eq!(loss(&setting, &["--model", "model"]), loss(&setting, &[&run]));
    setting.run(["export", &run, "--to", "half", "--merge", "--dtype", "f16"]).succeeded();
    assert!((loss(&setting, &["--model", "half"]) - loss(&setting, &[&run])).abs() < 1e-2);
    assert!(setting.read("half/config.json").contains("float16"));
}

#[test]
fn nothing_is_overwritten() {
    let setting = trained(&[]);
    std::fs::create_dir(setting.path("taken")).unwrap();
    setting.write("taken/mine.txt", "mine");
    setting.write("file", "mine");
    insta::assert_snapshot!(setting.run(["export", "runs/colours", "--to", "taken"]).failed(2), @r"
    error: `--to`: taken is there already
        give a new folder's name, or remove this one first
    ");
    setting.run(["export", "runs/colours", "--to", "file"]).failed(2);
    assert_eq!(setting.files("taken"), ["mine.txt"]);
    // An empty folder is in nobody's way.
    std::fs::create_dir(setting.path("empty")).unwrap();
    setting.run(["export", "runs/colours", "--to", "empty"]).succeeded();
    assert_eq!(setting.files("empty").len(), 2);
    insta::assert_snapshot!(setting.run(["export", "taken", "--to", "out"]).failed(2), @r"
    error: taken is not a run's folder: there is no recipe.toml in it
        Give the folder that `framework train` wrote, e.g. runs/quickstart.
    ");
    // A run that has not come to its end.
    std::fs::remove_dir_all(setting.path("runs/colours/adapter")).unwrap();
    let err = setting.run(["export", "runs/colours", "--to", "out"]).failed(2);
    assert!(err.contains("has not come to its end") && !setting.path("out").exists(), "{err}");
}
