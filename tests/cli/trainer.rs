//! The trainer's finer points: optimizers with their states, noise, frozen parameters, what evaluations are compared by.

use crate::setting::{Said, Setting, base};
use framework_engine::weights::TensorFile;
use serde_json::Value;

/// Optimizers whose states differ in number, shape and format, with options that bring all of it into use.
const OPTIMIZERS: [(&str, &str); 7] = [
    ("adamw", "learning_rate = 2e-2"),
    ("sgd", "learning_rate = 2e-2\nmomentum = 0.9"),
    ("lion", "learning_rate = 1e-3\nweight_decay = 0.1"),
    ("adafactor", "learning_rate = 1e-2\nbeta1 = 0.9\nscale_parameter = true"),
    ("adafactor", "relative_step = true"),
    ("adamw-8bit", "learning_rate = 2e-2\nmin_size = 64"),
    ("muon", "learning_rate = 1e-2"),
];

/// Trains into a folder; goes on, if there is a run in it.
fn train(setting: &Setting, output: &str, sets: &[&str]) -> Said {
    let mut args = vec!["train", "recipe.toml"];
    args.extend(setting.path(output).join("recipe.toml").exists().then_some("--resume"));
    let output = format!("output={output}");
    args.extend(["--set", &output]);
    args.extend(sets.iter().flat_map(|set| ["--set", *set]));
    setting.run(args)
}

/// Metrics without what depends on the clock.
fn metrics(setting: &Setting, run: &str) -> Vec<Value> {
    let timeless = |mut line: Value| {
        line.as_object_mut().unwrap().retain(|key, _| !["tokens_per_second", "time"].contains(&key.as_str()));
        line
    };
    setting.metrics(run).into_iter().map(timeless).collect()
}

#[test]
fn every_optimizer_goes_on_bit_for_bit() {
    for (name, options) in OPTIMIZERS {
        let optimizer = format!("plugin = {name:?}\n{options}");
        let setting = Setting::with(&[
            ("plugin = \"adamw\"\nlearning_rate = 2e-2", &optimizer),
            ("targets = \"all-linear\"", "targets = \"all-linear\"\ndropout = 0.1"),
            ("max_steps = 60", "max_steps = 9\nschedule = \"constant\"\nneftune_alpha = 5.0"),
            ("batch_size = 10", "batch_size = 4"),
            ("log_every = 5", "log_every = 1"),
            ("save_every = 30", "save_every = \"end\""),
            ("prompts = [\"What colour is coal?\"]", ""),
        ]);
        train(&setting, "straight", &[]).succeeded();
        train(&setting, "cut", &["train.max_steps=4"]).succeeded();
        assert_eq!(metrics(&setting, "cut").len(), 4);
        train(&setting, "cut", &[]).succeeded();
        for file in ["adapter/adapter_model", "checkpoints/step-9/trained", "checkpoints/step-9/optimizer"] {
            let bytes = |run: &str| setting.bytes(&format!("{run}/{file}.safetensors"));
            assert!(bytes("cut") == bytes("straight"), "{name}: {file} differs");
        }
        let (cut, straight) = (metrics(&setting, "cut"), metrics(&setting, "straight"));
        assert_eq!(cut, straight, "{name}");
        // Each epoch has three steps.
        let epoch = |lines: &[Value]| lines.iter().map(|line| line["loss"].as_f64().unwrap()).sum::<f64>();
        assert!(epoch(&straight[6..]) < epoch(&straight[..3]), "{name}: {straight:?}");
    }
}

#[test]
fn noise_is_in_training_alone() {
    let setting = Setting::with(&[("max_steps = 60", "max_steps = 1"), ("log_every = 5", "log_every = 1")]);
    let loss = |sets: &[&str], output: &str| {
        train(&setting, output, sets).succeeded();
        setting.metrics(output)[0]["loss"].as_f64().unwrap()
    };
    let (plain, noisy) = (loss(&[], "plain"), loss(&["train.neftune_alpha=5"], "noisy"));
    let most = loss(&["train.neftune_alpha=500"], "most");
    assert!(plain != noisy && (plain - noisy).abs() < (plain - most).abs(), "{plain}, {noisy}, {most}");
    setting.write("text.txt", "What colour is coal? black\n");
    let eval = |sets: &[&str]| {
        let args = [&["eval", "recipe.toml", "--text", "text.txt", "--format", "json"], sets].concat();
        setting.run(args).json()["loss"].clone()
    };
    assert_eq!(eval(&[]), eval(&["--set", "train.neftune_alpha=500"]));
}

#[test]
fn frozen_parameters_stay_and_are_saved() {
    let setting = Setting::with(&[("max_steps = 60", "max_steps = 3")]);
    train(&setting, "all", &["train.max_steps=1", "optimizer.learning_rate=1e-12"]).succeeded();
    train(&setting, "frozen", &["train.freeze=[\"lora_A\"]"]).succeeded();
    let open = |run: &str| TensorFile::open(&setting.path(run).join("adapter/adapter_model.safetensors")).unwrap();
    let (start, end) = (open("all"), open("frozen"));
    assert_eq!(start.names().collect::<Vec<_>>(), end.names().collect::<Vec<_>>());
    for name in end.names() {
        let (before, after) = (start.tensor(name).unwrap(), end.tensor(name).unwrap());
        let far = before.iter().zip(&after).map(|(a, b)| (a - b).abs());
        assert_eq!(far.fold(0f32, f32::max) < 1e-6, name.contains("lora_A"), "{name}");
    }
    let plan = |set: &str| setting.run(["check", "recipe.toml", "--format", "json", "--set", set]).json();
    let trained = |plan: &Value| plan["trained_parameters"].as_u64().unwrap();
    let (all, frozen) = (plan("seed=7"), plan("train.freeze=[\"lora_A\"]"));
    assert!(trained(&frozen) < trained(&all), "{frozen}");
    assert!(frozen["memory"]["optimizer"].as_u64() < all["memory"]["optimizer"].as_u64());
    // Of a whole model, all is saved, too.
    let full = ["adapter={plugin=\"full\"}", "train.freeze=[\"embed_in\", \"layers.0\"]"];
    train(&setting, "full", &full).succeeded();
    let [before, after] = [base().to_owned(), setting.path("full/model")]
        .map(|folder| TensorFile::open(&folder.join("model.safetensors")).unwrap());
    for name in before.names() {
        let same = before.tensor(name).unwrap() == after.tensor(name).unwrap();
        assert_eq!(same, name.contains("embed_in") || name.contains("layers.0"), "{name}");
    }
    let e = train(&setting, "wrong", &["train.freeze=[\"wte\"]"]).failed(2);
    assert!(e.contains("\"wte\" is found in no parameter that is trained, such as `base_model."), "{e}");
    assert!(!setting.path("wrong").exists());
}

#[test]
fn evaluations_are_compared_by_any_metric() {
    let setting = Setting::with(&[
        ("max_steps = 60", "max_steps = 40\neval_every = 0.1\nmetric = \"accuracy\"\nload_best = true"),
        ("save_every = 30", "save_every = 0.5"),
        ("[generate]", "[validation]\nfraction = 0.3\n\n[generate]"),
    ]);
    let said = train(&setting, "run", &[]).succeeded();
    let evaluated: Vec<_> =
        setting.metrics("run").into_iter().filter(|line| line.get("eval_accuracy").is_some()).collect();
    let steps: Vec<_> = evaluated.iter().map(|line| line["step"].as_u64().unwrap()).collect();
    assert_eq!(steps, (1..=10).map(|i| 4 * i).collect::<Vec<_>>());
    let values: Vec<_> = evaluated.iter().map(|line| line["eval_accuracy"].as_f64().unwrap()).collect();
    assert!(values.iter().all(|value| (0.0..=1.0).contains(value)), "{values:?}");
    let summary: Value = serde_json::from_str(&setting.read("run/summary.json")).unwrap();
    let best = values.iter().copied().fold(0.0, f64::max);
    let first = steps[values.iter().position(|value| *value == best).unwrap()];
    assert_eq!((summary["best"][0].as_f64(), summary["best"][1].as_u64()), (Some(best), Some(first)));
    assert!(first == 40 || said.err.contains("had the highest accuracy and are kept"), "{}", said.err);
    assert!(setting.files("run/checkpoints").iter().any(|file| file.starts_with("step-20/")));
    let early = ["train.early_stopping={patience=2, min_delta=1.5}", "train.load_best=false"];
    train(&setting, "early", &early).succeeded();
    let summary: Value = serde_json::from_str(&setting.read("early/summary.json")).unwrap();
    // The first evaluation is the best; no other can be better by so much.
    assert_eq!((&summary["steps"], &summary["stopped_early"]), (&12.into(), &true.into()));
}
