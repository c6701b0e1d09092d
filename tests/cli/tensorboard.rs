//! Event files for TensorBoard.

use crate::setting::Setting;
use serde_json::Value;
use std::{env, fs, path::Path, process::Command};

const CHANGES: [(&str, &str); 4] = [
    ("max_steps = 60", "max_steps = 6\nschedule = \"constant\""),
    ("log_every = 5", "log_every = 1\neval_every = 2"),
    ("save_every = 30", "save_every = 4"),
    ("[generate]", "[validation]\nfraction = 0.2\n\n[generate]"),
];

fn files(setting: &Setting) -> Vec<String> {
    setting.files("runs/colours").into_iter().filter(|file| file.starts_with("tensorboard/")).collect()
}

/// A run that was killed after its checkpoint of step 4 had written numbers of steps 5 and 6, and half a record.
fn killed(setting: &Setting) {
    setting.run(["train", "recipe.toml"]).succeeded();
    fs::remove_dir_all(setting.path("runs/colours/checkpoints/step-6")).unwrap();
    let [file] = &files(setting)[..] else { panic!("{:?}", files(setting)) };
    let path = setting.path(&format!("runs/colours/{file}"));
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() - 7]).unwrap();
}

/// Set `FRAMEWORK_PYTHON` to a Python with what tests/reference/requirements.txt lists, and TensorBoard reads the files.
fn read(folder: &Path) -> Option<Value> {
    let python = env::var_os("FRAMEWORK_PYTHON")?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference/read_tensorboard.py");
    let output = Command::new(python).arg(script).arg(folder).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

/// What TensorBoard finds of a run, whose numbers are those of `metrics.jsonl`.
pub fn has_every_step_once(setting: &Setting, run: &str) -> Option<Value> {
    let found = read(&setting.path(run).join("tensorboard"))?;
    let tags = [
        ("train/loss", "loss"),
        ("train/learning_rate", "learning_rate"),
        ("train/grad_norm", "grad_norm"),
        ("train/tokens_per_second", "tokens_per_second"),
        ("eval/loss", "eval_loss"),
        ("eval/perplexity", "perplexity"),
        ("eval/accuracy", "eval_accuracy"),
    ];
    let metrics = setting.metrics(run);
    for (tag, key) in tags {
        let expected: Vec<_> =
            metrics.iter().filter_map(|m| Some((m["step"].as_u64()?, m.get(key)?.as_f64()? as f32))).collect();
        let read = found["scalars"][tag].as_array().unwrap();
        let read: Vec<(u64, f32)> =
            read.iter().map(|p| (p[0].as_u64().unwrap(), p[1].as_str().unwrap().parse().unwrap())).collect();
        assert_eq!(read, expected, "{tag}");
    }
    Some(found)
}

#[test]
fn a_resumed_run_has_every_step_once() {
    let setting = Setting::with(&CHANGES);
    killed(&setting);
    let resumed = setting.run(["train", "recipe.toml", "--resume", "--set", "train.max_steps=8"]).succeeded();
    assert!(resumed.err.contains("going on from step 4 of 8"), "{}", resumed.err);
    let files = files(&setting);
    assert_eq!(files.len(), 2, "{files:?}");
    let Some(found) = has_every_step_once(&setting, "runs/colours") else { return };
    assert_eq!(found["scalars"]["train/loss"].as_array().unwrap().len(), 8);
    let texts = found["texts"]["samples/1"].as_array().unwrap();
    assert_eq!(texts.iter().map(|text| text[0].as_u64().unwrap()).collect::<Vec<_>>(), [2, 4, 6, 8]);
    let last = texts[3][1].as_str().unwrap();
    assert!(last.starts_with("**What colour is coal?**\n\n"), "{last}");
    // TensorBoard keeps the settings that a folder has first.
    assert_eq!(found["settings"]["train.max_steps"], 6.0);
    assert_eq!(found["settings"]["adapter.plugin"], "lora");
    assert_eq!(found["ended"], 1);
}

#[test]
fn a_recipe_turns_them_off() {
    let setting = Setting::with(&[CHANGES[0]]);
    setting.run(["train", "recipe.toml", "--set", "report.tensorboard=false"]).succeeded();
    assert_eq!(files(&setting), [""; 0]);
    // A resume may turn them on.
    let set = ["--set", "train.max_steps=7", "--set", "report.tensorboard=true"];
    setting.run([&["train", "recipe.toml", "--resume"][..], &set].concat()).succeeded();
    assert_eq!(files(&setting).len(), 1);
}

/// The numbers are written as they come: they can be looked at while the run goes on, and the run does not end if they
/// cannot be written.
#[test]
fn a_folder_that_cannot_be_written_does_not_end_the_run() {
    let setting = Setting::with(&[CHANGES[0]]);
    setting.run(["train", "recipe.toml"]).succeeded();
    fs::remove_dir_all(setting.path("runs/colours/tensorboard")).unwrap();
    setting.write("runs/colours/tensorboard", "");
    let resumed = setting.run(["train", "recipe.toml", "--resume", "--set", "train.max_steps=7"]).succeeded();
    assert!(resumed.err.contains("nothing more is written for TensorBoard"), "{}", resumed.err);
}
