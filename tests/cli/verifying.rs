//! `verify-resume` and `verify`: equal where training is exact, and the first difference where something was changed.

use crate::setting::{Said, Setting};
use serde_json::Value;
use std::fs;

/// Everything that has a state: order, dropout, accumulation, moments, the warm-up, the best step.
const CHANGES: [(&str, &str); 4] = [
    ("targets = \"all-linear\"", "targets = \"all-linear\"\ndropout = 0.2"),
    ("max_steps = 60\nbatch_size = 10", "max_steps = 60\nwarmup_steps = 3\ngradient_accumulation = 2\nbatch_size = 2"),
    ("log_every = 5", "log_every = 2\neval_every = 3\nload_best = true"),
    ("[generate]", "[validation]\nfraction = 0.2\n\n[generate]"),
];

fn parts(report: &Value) -> Vec<&str> {
    report["compared"].as_array().unwrap().iter().map(|part| part["what"].as_str().unwrap()).collect()
}

#[test]
fn a_resumed_run_is_the_run_without_interruption() {
    let setting = Setting::with(&CHANGES);
    let text = setting.run(["verify-resume", "recipe.toml", "--steps", "5"]).succeeded();
    insta::assert_snapshot!(text.out, @r"
equal    weights          16 tensors, 6144 numbers
equal    optimizer state  32 tensors, 12288 numbers
equal    random numbers   seed 7, step 5
equal    data position    2 epochs and 1 of 2 steps, 250 tokens, 69 of them supervised
equal    other state      the rest of state.json
equal    losses before    2 steps
equal    losses after     3 steps
equal    metrics          3 lines
5 of 60 steps, interrupted and resumed after step 2: the same as without interruption, bit for bit
");
    for (precision, frozen) in [("f32", "nf4"), ("bf16", "f32"), ("bf16", "nf4")] {
        let formats = format!("backend={{precision={precision:?},frozen={frozen:?}}}");
        let args = ["verify-resume", "recipe.toml", "--steps", "4", "--set", &formats, "--format", "json"];
        let report = setting.run(args).json();
        assert_eq!((&report["equal"], &report["total"]), (&true.into(), &60.into()), "{formats}: {report}");
        assert_eq!((&report["steps"], &report["interrupted"]), (&4.into(), &2.into()));
        let all = ["weights", "optimizer state", "random numbers", "data position", "other state", "losses before"];
        assert_eq!(parts(&report), [&all[..], &["losses after", "metrics"]].concat());
    }
    assert!(!setting.path("runs").exists());
}

#[test]
fn a_single_step_cannot_be_interrupted() {
    let setting = Setting::with(&[("max_steps = 60", "max_steps = 1")]);
    let err = setting.run(["verify-resume", "recipe.toml"]).failed(2);
    assert!(
        err.contains("error: `--steps`: a run of 1 step cannot be interrupted\n    Give --steps 2 or more"),
        "{err}"
    );
    let err = setting.run(["verify-resume", "recipe.toml", "--steps", "1"]).failed(2);
    assert!(err.contains("1 is not in 2.."), "{err}");
}

/// A run of eight steps with a checkpoint of the fourth.
fn trained() -> Setting {
    let setting = Setting::with(&[
        ("max_steps = 60", "max_steps = 8"),
        ("log_every = 5\nsave_every = 30", "log_every = 2\nsave_every = 4\nkeep_checkpoints = 2"),
    ]);
    setting.run(["train", "recipe.toml"]).succeeded();
    setting
}

fn verify(setting: &Setting, more: &[&str]) -> Said {
    setting.run([&["verify", "runs/colours"], more].concat())
}

#[test]
fn a_run_comes_out_again() {
    let setting = trained();
    let before = (setting.files("runs"), setting.read("runs/colours/train.log"));
    insta::assert_snapshot!(verify(&setting, &["--steps", "5"]).succeeded().out, @r"
equal    step 4: weights          16 tensors, 6144 numbers
equal    step 4: optimizer state  32 tensors, 12288 numbers
equal    step 4: random numbers   seed 7, step 4
equal    step 4: data position    4 epochs and 0 of 1 steps, 504 tokens, 152 of them supervised
equal    step 4: other state      the rest of state.json
equal    metrics                  2 lines
5 of 8 steps: the same as the run has recorded, bit for bit
");
    assert_eq!((setting.files("runs"), setting.read("runs/colours/train.log")), before);
    let report = verify(&setting, &["--format", "json"]).json();
    assert_eq!((&report["equal"], &report["steps"]), (&true.into(), &8.into()));
    assert_eq!(parts(&report).len(), 11, "two checkpoints and the metrics: {report}");

    // A number in the metrics that is not what the training gave.
    let metrics = setting.read("runs/colours/metrics.jsonl");
    let loss = setting.metrics("runs/colours")[1]["loss"].to_string();
    setting.write("runs/colours/metrics.jsonl", &metrics.replacen(&loss, "1.5", 1));
    let said = verify(&setting, &["--steps", "4"]);
    assert_eq!(said.code, Some(1), "{}", said.err);
    let expected = format!("DIFFERS  metrics                  line 2, step 4, `loss`: expected 1.5, found {loss}\n");
    assert!(said.out.contains(&expected), "{}", said.out);
    assert!(said.out.ends_with("4 of 8 steps: NOT the same as the run has recorded\n"), "{}", said.out);
    setting.write("runs/colours/metrics.jsonl", &metrics);

    // A bit of a moment.
    let file = "runs/colours/checkpoints/step-4/optimizer.safetensors";
    let mut bytes = setting.bytes(file);
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(setting.path(file), bytes).unwrap();
    let said = verify(&setting, &["--steps", "4"]);
    assert_eq!(said.code, Some(1), "{}", said.err);
    assert_eq!(said.out.matches("DIFFERS").count(), 1, "{}", said.out);
    assert!(said.out.contains("DIFFERS  step 4: optimizer state  `"), "{}", said.out);

    let err = verify(&setting, &["--steps", "1"]).failed(2);
    assert!(err.contains("the run has recorded nothing before step 2\n    Give --steps 2 or more."), "{err}");
}

#[test]
fn what_a_run_was_made_of_is_compared_first() {
    let setting = trained();
    setting.write("data.csv", &setting.read("data.csv").replace("grey", "gray"));
    let said = verify(&setting, &[]);
    assert_eq!(said.code, Some(1), "{}", said.err);
    let (changed, note) = said.out.split_once('\n').unwrap();
    assert!(
        changed.starts_with("changed  `dataset.0.path`: data.csv is ") && changed.contains("… in the lock, and now "),
        "{changed}"
    );
    assert_eq!(note, "note: nothing was trained: the run was made of something else\n");

    // Another version of the program may give the same.
    setting.write("data.csv", &setting.read("data.csv").replace("gray", "grey"));
    let lock = setting.read("runs/colours/lock.toml");
    setting.write("runs/colours/lock.toml", &lock.replacen("framework = \"", "framework = \"0.0.", 1));
    let said = verify(&setting, &["--steps", "2"]).succeeded();
    assert!(said.out.starts_with("changed  the version of the framework is 0.0."), "{}", said.out);
}

/// A run that went on with other settings is trained again with those that it began with.
#[test]
fn settings_that_a_resume_changed_are_put_back() {
    let setting = trained();
    let sets = ["--set", "train.max_steps=12", "--set", "optimizer.learning_rate=1e-3"];
    setting.run([&["train", "recipe.toml", "--resume"], &sets[..]].concat()).succeeded();
    let said = verify(&setting, &["--steps", "12"]).succeeded();
    assert!(said.out.contains("note: after step 8 the run went on with other settings"), "{}", said.out);
    assert!(said.out.ends_with("8 of 8 steps: the same as the run has recorded, bit for bit\n"), "{}", said.out);
}
