//! Objectives beside cross-entropy, as their users run them.

use crate::setting::{Setting, recipes};
use std::fs;

fn sets<'a>(all: &[&'a str]) -> Vec<&'a str> {
    all.iter().flat_map(|set| ["--set", *set]).collect()
}

/// The recipes of preferences, with few rows: what has not been trained is preferred as well, and `eval` finds what the run
/// did.
#[test]
fn every_preference_has_a_recipe_that_works() {
    let setting = Setting::new();
    for (name, start) in [("dpo", 0.0), ("orpo", f64::NEG_INFINITY), ("kto", 0.0)] {
        let file = recipes().join(format!("objectives/{name}.toml")).display().to_string();
        let few = sets(&["dataset.0.limit=24", "train.epochs=2", "train.log_every=2", "generate.prompts=[]"]);
        setting.run([&["train", &file][..], &few].concat()).succeeded();
        let run = format!("runs/{name}");
        let metrics = setting.metrics(&run);
        let margin = |key: &str, last: bool| {
            let mut lines =
                metrics.iter().filter(|line| line.get(key).is_some()).map(|line| &line["metrics"]["reward_margin"]);
            if last { lines.next_back() } else { lines.next() }.and_then(|margin| margin.as_f64()).unwrap()
        };
        let (first, held_out) = (margin("loss", false), margin("eval_loss", true));
        assert!(held_out > first && held_out > start, "{name}: {first}, and {held_out} of what was held out");
        let again = setting.run(["eval", &run, "--format", "json"]).json();
        let last = metrics.iter().rev().find(|line| line.get("eval_loss").is_some()).unwrap();
        assert!((again["loss"].as_f64().unwrap() - last["eval_loss"].as_f64().unwrap()).abs() < 1e-6, "{again}");
        assert!((again["reward_margin"].as_f64().unwrap() - held_out).abs() < 1e-5, "{again}");
        assert!(again.get("perplexity").is_none(), "{again}");
    }
    let files = fs::read_dir(recipes().join("objectives")).unwrap();
    assert_eq!(files.count(), 4);
}

/// A small model from scratch whose teacher is the base model that comes with the repository.
const STUDENT: &str = r#"name = "student"

[model]
plugin = "pythia"

[model.config]
vocab_size = 2048
hidden_size = 64
num_hidden_layers = 2
num_attention_heads = 4
intermediate_size = 128
max_position_embeddings = 256

[tokenizer]
path = "TEACHER"

[[dataset]]
plugin = "instruction-csv"
path = "HANDBOOK"
limit = 60

[prompt]
template = "alpaca"
train_on_prompt = true
max_length = 96

[validation]
fraction = 0.3

[objective]
name = "distillation"
teacher = "TEACHER"
alpha = 0.9

[adapter]
plugin = "full"

[optimizer]
plugin = "adamw"
learning_rate = 5e-3

[train]
epochs = 4
batch_size = 8
eval_every = "end"
save_every = "end"
"#;

fn student(setting: &Setting) {
    let (teacher, data) = (recipes().join("quickstart-base"), recipes().join("data/handbook.csv"));
    let recipe = STUDENT.replace("TEACHER", &teacher.display().to_string());
    setting.write("student.toml", &recipe.replace("HANDBOOK", &data.display().to_string()));
}

/// Without its part in the loss, the teacher's signal is cut.
#[test]
fn a_student_learns_more_with_its_teacher() {
    let setting = Setting::new();
    student(&setting);
    let loss = |alpha: &str, more: &[&str]| {
        let alpha = format!("objective.alpha={alpha}");
        let args = [&["train", "student.toml", "--set", &alpha, "--set", "output=run"][..], &sets(more)].concat();
        setting.run(args).succeeded();
        setting.metrics("run").last().unwrap()["eval_loss"].as_f64().unwrap()
    };
    let (alone, taught) = (loss("0.0", &[]), loss("0.9", &[]));
    assert!(taught < alone - 0.05, "{taught} with the teacher, {alone} without");
    // The teacher is asked before the first step, and need not be there afterwards.
    let told = loss("0.9", &["objective.top_k=16"]);
    assert!((told - taught).abs() < 0.05, "{told} of the likeliest tokens, {taught} of all");
    // What it said is a teacher for others.
    let file = setting.path("run/teacher.safetensors");
    fs::rename(&file, setting.path("told.safetensors")).unwrap();
    let again = loss("0.9", &["objective.teacher=told.safetensors"]);
    assert_eq!(again, told);
    let other = sets(&["objective.teacher=told.safetensors", "seed=8", "output=other"]);
    let said = setting.run([&["train", "student.toml"][..], &other].concat());
    assert!(said.code == Some(2) && said.err.contains("is about other examples"), "{}", said.err);
}

/// The seed's wish in small: the recipe itself, with other models.
#[test]
fn the_recipe_of_distillation_works() {
    let setting = Setting::new();
    let base = recipes().join("quickstart-base").display().to_string();
    let config = "model={plugin=\"qwen\", config={vocab_size=2048, hidden_size=32, intermediate_size=64, \
                  num_hidden_layers=1, num_attention_heads=2, num_key_value_heads=1, max_position_embeddings=256}}";
    let (tokenizer, teacher) = (format!("tokenizer.path={base}"), format!("objective.teacher={base}"));
    let file = recipes().join("objectives/distill-qwen.toml").display().to_string();
    let small = [config, &tokenizer, &teacher, "dataset.0.limit=2", "prompt.max_length=256", "train.epochs=1"];
    setting.run([&["train", &file][..], &sets(&small), &sets(&["train.log_every=1"])].concat()).succeeded();
    let losses: Vec<_> = setting.metrics("runs/distill-qwen").iter().filter_map(|line| line["loss"].as_f64()).collect();
    assert!(!losses.is_empty() && losses.iter().all(|loss| loss.is_finite()), "{losses:?}");
}

#[test]
fn another_tokenizer_is_refused_by_name() {
    let setting = Setting::new();
    student(&setting);
    let theirs = crate::setting::base().display().to_string();
    let (teacher, run) = (format!("objective.teacher={theirs}"), "output=run");
    for command in ["train", "check"] {
        let said = setting.run([command, "student.toml", "--set", &teacher, "--set", run]);
        assert_eq!(said.code, Some(2), "{}", said.err);
        assert!(
            said.err.contains("`objective.teacher`") && said.err.contains("has another tokenizer: number"),
            "{}",
            said.err
        );
    }
    assert!(!setting.path("run").exists());
}

#[test]
fn rows_without_a_pair_are_named() {
    let setting = Setting::new();
    let said = setting.run(["check", "recipe.toml", "--set", "objective.name=\"dpo\""]);
    assert_eq!(said.code, Some(2), "{}", said.err);
    assert!(said.err.contains("training example 1: the record has no `chosen`"), "{}", said.err);
}
