//! From a recipe to answers: train, then generate, chat and evaluate what was trained.

use crate::setting::{FACTS, Setting, base, question};
use serde_json::Value;
use std::{fs, sync::LazyLock};

/// A run that has been trained, for those who only read it.
pub static TRAINED: LazyLock<Trained> = LazyLock::new(|| {
    let setting = Setting::new();
    let said = setting.run(["train", "recipe.toml"]).succeeded();
    Trained { setting, out: said.out, err: said.err }
});

pub struct Trained {
    pub setting: Setting,
    out: String,
    err: String,
}

#[test]
fn training_leaves_a_whole_run_folder() {
    let Trained { setting, out, err } = &*TRAINED;
    let losses: Vec<f64> = setting.metrics("runs/colours").iter().filter_map(|m| m["loss"].as_f64()).collect();
    assert!(losses.len() == 12 && losses[11] < 0.1 * losses[0], "{losses:?}");
    assert!(out.contains("> What colour is coal?\nblack\n"), "{out}");
    assert!(out.contains("in 60 steps") && out.contains("framework chat runs/colours"), "{out}");
    assert!(err.starts_with("colours: 10 examples, ") && err.contains("step 60/60  epoch"), "{err}");

    let files = setting.files("runs/colours");
    let checkpoint = |step: u32| {
        ["optimizer.safetensors", "state.json", "trained.safetensors"].map(|f| format!("checkpoints/step-{step}/{f}"))
    };
    for file in [
        "adapter/adapter_config.json",
        "adapter/adapter_model.safetensors",
        "lock.toml",
        "metrics.jsonl",
        "recipe.toml",
        "samples.md",
        "summary.json",
        "train.log",
    ]
    .map(str::to_owned)
    .iter()
    .chain(&checkpoint(30))
    .chain(&checkpoint(60))
    {
        assert!(files.contains(file), "no {file} among {files:?}");
    }
    assert!(!files.iter().any(|file| file.contains("tmp")), "{files:?}");
    assert!(setting.read("runs/colours/samples.md").contains("**What colour is coal?**\n\nblack\n"));
    let lock = setting.read("runs/colours/lock.toml");
    assert!(
        lock.contains("data.csv") && lock.contains("model.safetensors") && lock.contains("origin = \"built in\""),
        "{lock}"
    );
    assert_eq!(lock.matches("[[plugin]]").count(), 5, "{lock}");
    let summary: Value = serde_json::from_str(&setting.read("runs/colours/summary.json")).unwrap();
    assert_eq!(summary["steps"], 60);
    let loss = |key: &str| summary[key].as_f64().unwrap();
    // Those of the first and the last step; a line of metrics is the mean of five.
    assert!(loss("first_loss") > losses[0] && loss("train_loss") < 1.5 * losses[11], "{summary}");
    assert!(setting.read("runs/colours/train.log").lines().count() > 12);
}

/// The recipe of a run says everything: it is checked as it is, and trained again it gives the same.
#[test]
fn the_filled_recipe_gives_the_same_run() {
    let run = &TRAINED.setting;
    let filled = run.read("runs/colours/recipe.toml");
    for default in ["dropout = 0.0", "weight_decay = ", "plugin = \"greedy\"", "save_dtype = \"f32\"", "fraction = 0.0"]
    {
        assert!(filled.contains(default), "no {default} in {filled}");
    }
    let again = Setting::new();
    again.write("recipe.toml", &filled);
    again.run(["train", "recipe.toml"]).succeeded();
    assert_eq!(again.read("runs/colours/recipe.toml"), filled);
    for file in ["adapter/adapter_model.safetensors", "adapter/adapter_config.json"] {
        let file = format!("runs/colours/{file}");
        assert!(again.bytes(&file) == run.bytes(&file), "{file} differs");
    }
}

#[test]
fn answers_hold_what_was_learned() {
    let run = &TRAINED.setting;
    let mut right = 0;
    for (thing, colour) in FACTS {
        let prompt = question(thing);
        let reply = run.run(["generate", "--run", "runs/colours", "--prompt", &prompt, "--format", "json"]).json();
        let keys: Vec<_> = reply.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["text", "token_ids", "finish_reason", "tokens_per_second"]);
        assert!(!reply["token_ids"].as_array().unwrap().is_empty() && reply["tokens_per_second"].as_f64() > Some(0.0));
        right += usize::from(reply["text"] == colour);
    }
    assert!(right >= 8, "{right} of 10");

    let plain = run.run(["generate", "--run", "runs/colours", "--prompt", "What colour is coal?"]).succeeded();
    assert_eq!(plain.out, "black\n");
    // The same by the base model's folder, with the adapter on it and with the template written out.
    let model = base().display().to_string();
    let mut args =
        vec!["generate", "--model", &model, "--prompt", "What colour is coal?\n", "--raw", "--format", "json"];
    assert_ne!(run.run(&args).json()["text"], "black");
    args.extend(["--adapter", "runs/colours/adapter"]);
    assert_eq!(run.run(&args).json()["text"], "black");
    args.extend(["--set", "max_new_tokens=1", "--decoder", "top-p", "--set", "top_k=1"]);
    assert_eq!(run.run(&args).json()["token_ids"].as_array().unwrap().len(), 1);
}

#[test]
fn evaluation_tells_loss_perplexity_and_tokens() {
    let run = &TRAINED.setting;
    run.write("text.txt", "What colour is snow?\nwhite\n");
    let eval = |args: &[&str]| {
        let outcome = run.run([&["eval", "--format", "json"], args].concat()).json();
        let keys: Vec<_> = outcome.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["loss", "perplexity", "accuracy", "tokens"]);
        let loss = outcome["loss"].as_f64().unwrap();
        assert!((outcome["perplexity"].as_f64().unwrap() / loss.exp() - 1.0).abs() < 1e-9);
        (loss, outcome["tokens"].as_u64().unwrap())
    };
    let model = base().display().to_string();
    let tuned = eval(&["runs/colours", "--text", "text.txt"]);
    assert!(tuned.1 > 5);
    assert_eq!(eval(&["--model", &model, "--adapter", "runs/colours/adapter", "--text", "text.txt"]), tuned);
    // A recipe's model as it starts is the base model: LoRA begins with nothing.
    let start = eval(&["recipe.toml", "--text", "text.txt"]);
    assert_eq!(eval(&["--model", &model, "--text", "text.txt"]), start);
    assert_ne!(start.0, tuned.0);
    // Without a text, the validation data.
    let validation = ["--set", "validation.fraction=0.3"];
    assert!(eval(&[&["runs/colours"], &validation[..]].concat()).0 < 0.2);
    assert!(eval(&[&["recipe.toml"], &validation[..]].concat()).0 > 1.0);
    let plain = run.run(["eval", "runs/colours", "--text", "text.txt"]).succeeded();
    assert!(plain.out.starts_with(&format!("loss {:.6}  perplexity ", tuned.0)), "{}", plain.out);
    let err = run.run(["eval", "recipe.toml"]).failed(2);
    assert!(err.starts_with("error: there is nothing to evaluate on\n    Give --text FILE"), "{err}");
    // A share that is held back now was trained by then.
    let err = run.run(["eval", "runs/colours"]).failed(2);
    assert!(err.contains("the run held nothing back, and has trained on all of its data"), "{err}");
    let warned = run.run(["eval", "runs/colours", "--set", "validation.fraction=0.3"]).succeeded().err;
    assert!(warned.contains("rows that the run was trained on may be among those that are evaluated"), "{warned}");
    // Texts are cut into pieces of this length, whatever the model is.
    let cut = ["--max-length", "8"];
    for target in [&["runs/colours"][..], &["--model", &model, "--adapter", "runs/colours/adapter"]] {
        let pieces = eval(&[target, &["--text", "text.txt"], &cut].concat());
        assert_eq!(pieces, eval(&[target, &["--text", "text.txt", "--set", "prompt.max_length=8"]].concat()));
        assert!(pieces.1 < tuned.1, "{pieces:?}");
    }
}

/// A model from scratch is saved whole, with the tokenizer that was trained with it, and speaks from its run.
#[test]
fn a_model_from_scratch_speaks() {
    let folder = base().parent().unwrap();
    let setting = Setting::new();
    let run = folder.display().to_string();
    let reply = setting.run(["generate", "--run", &run, "--prompt", "What", "--raw", "--format", "json"]).json();
    let model = format!("{run}/model");
    let same = setting.run(["generate", "--model", &model, "--prompt", "What", "--raw", "--format", "json"]).json();
    assert_eq!((&reply["text"], &reply["token_ids"]), (&same["text"], &same["token_ids"]));
    setting.write("text.txt", "What colour is snow?");
    let loss = |args: &[&str]| setting.run([&["eval", "--text", "text.txt", "--format", "json"], args].concat()).json();
    assert_eq!(loss(&[&run]), loss(&["--model", &model]));
}

#[test]
fn an_earlier_run_is_kept() {
    let setting = Setting::with(&[("max_steps = 60", "max_steps = 2")]);
    setting.run(["train", "recipe.toml"]).succeeded();
    let first = setting.bytes("runs/colours/adapter/adapter_model.safetensors");
    for kept in ["runs/colours.1", "runs/colours.2"] {
        let again = setting.run(["train", "recipe.toml", "--set", "seed=8"]).succeeded();
        assert!(again.err.contains("the earlier run was kept as ") && again.err.contains(kept), "{}", again.err);
    }
    assert!(setting.bytes("runs/colours.1/adapter/adapter_model.safetensors") == first);
    let mut runs: Vec<_> = fs::read_dir(setting.path("runs")).unwrap().map(|e| e.unwrap().file_name()).collect();
    runs.sort();
    assert_eq!(runs, ["colours", "colours.1", "colours.2"]);
    // What a resumed run would be is another recipe's.
    let err = setting.run(["train", "recipe.toml", "--resume"]).failed(2);
    assert!(err.contains("recipe.toml:2:8: `seed`: is 8 in the run runs/colours, and now 7"), "{err}");
}
