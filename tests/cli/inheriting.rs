//! What recipes and commands take over from the folders that they name.

use crate::setting::{Setting, base};
use std::fs;

/// A setting with a run of a few steps, whose adapter others start from.
fn with_adapter(adapter: &str) -> Setting {
    let setting = Setting::with(&[
        ("r = 8\nalpha = 16\ntargets = \"all-linear\"", adapter),
        ("max_steps = 60", "max_steps = 3"),
        ("prompts = [\"What colour is coal?\"]\n", ""),
    ]);
    setting.run(["train", "recipe.toml"]).succeeded();
    let recipe = setting.read("recipe.toml");
    setting.write("next.toml", &recipe.replace(adapter, "init_from = \"runs/colours/adapter\""));
    setting
}

fn eval(setting: &Setting, args: &[&str]) -> f64 {
    let args = [&["eval"], args, &["--text", "data.csv", "--set", "prompt.max_length=64", "--format", "json"]].concat();
    setting.run(&args).json()["loss"].as_f64().unwrap()
}

#[test]
fn an_adapter_brings_its_settings() {
    let setting = with_adapter("r = 3\nalpha = 24\nrank_stabilised = true\ntargets = [\"dense\"]\nlayers = 1");
    let base = base().display().to_string();
    let folders = eval(&setting, &["--model", &base, "--adapter", "runs/colours/adapter"]);
    assert_eq!(eval(&setting, &["next.toml"]), folders);
    assert_ne!(eval(&setting, &["--model", &base]), folders);
    // The filled recipe has them, and is read again.
    setting.run(["train", "next.toml", "--set", "name=next"]).succeeded();
    let filled = setting.read("runs/next/recipe.toml");
    for line in ["r = 3", "alpha = 24.0", "rank_stabilised = true", "targets = [\"dense\"]", "layers = [1]"] {
        assert!(filled.contains(&format!("\n{line}\n")), "{line}: {filled}");
    }
    eval(&setting, &["runs/next"]);
}

#[test]
fn a_recipe_may_say_the_same_and_no_other() {
    let setting = with_adapter("r = 3\nalpha = 24\ntargets = [\"dense\"]\nlayers = 1");
    let check = |set: &[&str]| {
        let set: Vec<_> = set.iter().flat_map(|set| ["--set", set]).collect();
        setting.run([&["check", "next.toml"][..], &set].concat())
    };
    // The dropout of further training is free, and one adapter can be chosen in several ways.
    check(&["adapter.alpha=24", "adapter.layers=\"1\"", "adapter.dropout=0.1"]).succeeded();
    check(&["adapter.targets=\".*1.attention.dense\"", "adapter.layers=[1]"]).succeeded();
    let set =
        ["adapter.alpha=16", "adapter.r=8", "adapter.rank_stabilised=true", "adapter.targets=[\"query_key_value\"]"];
    insta::assert_snapshot!(setting.redact(&check(&set).failed(2)), @r#"
error: --set adapter.r=8: `adapter.r`: is 8, but 3 in runs/colours/adapter/adapter_config.json
    Leave `r` out to go on with that adapter, or `init_from` to begin a new one.
--set adapter.alpha=16: `adapter.alpha`: is 16.0, but 24.0 in runs/colours/adapter/adapter_config.json
    Leave `alpha` out to go on with that adapter, or `init_from` to begin a new one.
--set adapter.targets=["query_key_value"]: `adapter.targets`: is ["query_key_value"], but ["dense"] in runs/colours/adapter/adapter_config.json
    Leave `targets` out to go on with that adapter, or `init_from` to begin a new one.
--set adapter.rank_stabilised=true: `adapter.rank_stabilised`: is true, but false in runs/colours/adapter/adapter_config.json
    Leave `rank_stabilised` out to go on with that adapter, or `init_from` to begin a new one.
"#);
    insta::assert_snapshot!(setting.redact(&check(&["adapter.plugin=full"]).failed(2)), @r#"
error: --set adapter.plugin=full: `adapter.plugin`: is `full`, but runs/colours/adapter holds an adapter of the plugin `lora`
    Write plugin = "lora", or leave `init_from` out.
"#);
}

#[test]
fn adapters_of_other_kinds_are_refused() {
    let setting = with_adapter("r = 3");
    let file = "runs/colours/adapter/adapter_config.json";
    setting.write(file, &setting.read(file).replace("\"LORA\"", "\"VERA\""));
    let err = setting.run(["check", "next.toml"]).failed(2);
    assert!(err.contains("the peft_type `VERA`") && err.contains("merge_and_unload()"), "{err}");
}

/// A copy of the base model, with a `generation_config.json`.
fn model(setting: &Setting, generation: &str) {
    fs::create_dir(setting.path("model")).unwrap();
    for entry in fs::read_dir(base()).unwrap().map(Result::unwrap) {
        fs::copy(entry.path(), setting.path("model").join(entry.file_name())).unwrap();
    }
    setting.write("model/generation_config.json", generation);
}

#[test]
fn generation_config_is_the_default() {
    let setting = Setting::with(&[("max_new_tokens = 12\nprompts = [\"What colour is coal?\"]", "top_k = 3")]);
    model(
        &setting,
        r#"{ "do_sample": true, "temperature": 0.5, "max_new_tokens": 7, "typical_p": 0.5, "eos_token_id": 0 }"#,
    );
    let generate = |more: &[&str]| {
        setting.run([&["generate", "--model", "model", "--raw", "--prompt", "What", "--format", "json"], more].concat())
    };
    let told = generate(&["-v"]).succeeded();
    assert!(
        told.err.contains("model/generation_config.json: `typical_p` changes what transformers generates"),
        "{}",
        told.err
    );
    let line = "defaults of [generate]: plugin = \"top-p\", max_new_tokens = 7, temperature = 0.5, top_k = 50";
    assert!(told.err.contains(line), "{}", told.err);
    let ids = |more: &[&str]| generate(more).json()["token_ids"].as_array().unwrap().clone();
    assert_eq!(ids(&[]).len(), 7);
    assert_eq!(ids(&["--set", "max_new_tokens=4"]).len(), 4);
    assert_ne!(ids(&["--seed", "1"]), ids(&["--seed", "2"]));
    assert_eq!(ids(&["--decoder", "greedy", "--seed", "1"]), ids(&["--decoder", "greedy", "--seed", "2"]));
    // A recipe goes before the file, and the filled recipe has both.
    setting.run(["train", "recipe.toml", "--set", "model.weights=model", "--set", "train.max_steps=1"]).succeeded();
    let filled = setting.read("runs/colours/recipe.toml");
    for line in ["plugin = \"top-p\"", "max_new_tokens = 7", "top_k = 3", "temperature = 0.5"] {
        assert!(filled.contains(&format!("\n{line}\n")), "{line}: {filled}");
    }
}

#[test]
fn a_full_context_is_told() {
    let setting = Setting::new();
    let prompt = "What colour is the sea? ".repeat(12);
    let generate = |more: &[&str]| {
        let args = ["generate", "--raw", "--prompt", &prompt, "--format", "json", "--set", "max_new_tokens=500"];
        let mut command = setting.framework();
        crate::setting::said(command.args(args).args(more).arg("--model").arg(base()))
    };
    let told = generate(&["--set", "min_new_tokens=500"]).succeeded();
    assert!(told.err.contains("prompt and answer fill the model's context of 128 tokens"), "{}", told.err);
    assert_eq!(told.json()["finish_reason"], "context");
    assert_eq!(generate(&["--set", "max_new_tokens=1"]).json()["finish_reason"], "length");
    let stopped = generate(&["--stop", "e"]).succeeded();
    assert_eq!(stopped.err, "");
    assert_eq!(stopped.json()["finish_reason"], "stop");
}
