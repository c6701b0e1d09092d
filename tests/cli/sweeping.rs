//! Sweeps: runs side by side, each as if it had been trained alone, whatever interrupts them.

use crate::{
    reports::opens,
    setting::{Setting, said},
};
use std::{
    fs::File,
    os::unix::process::ExitStatusExt,
    thread::sleep,
    time::{Duration, Instant},
};

const CHANGES: [(&str, &str); 4] = [
    ("max_steps = 60\nbatch_size = 10", "batch_size = 4"),
    ("log_every = 5", "log_every = 1\nload_best = true"),
    ("save_every = 30", "save_every = 1"),
    ("[generate]", "[validation]\nfraction = 0.2\n\n[generate]"),
];
const SWEEP: [&str; 6] =
    ["sweep", "recipe.toml", "--set", "train.epochs=1,2,3", "--set", "optimizer.learning_rate=2e-2,1e-3"];

fn sweep<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&SWEEP[..], more].concat()
}

#[test]
fn each_run_is_as_if_trained_alone() {
    let setting = Setting::with(&CHANGES);
    let swept = setting.run(sweep(&[])).succeeded();
    let folder = "runs/colours-sweep";
    let lines: Vec<_> = swept.out.lines().collect();
    assert_eq!(
        lines[0].split_whitespace().collect::<Vec<_>>()[..3],
        ["run", "train.epochs", "optimizer.learning_rate"]
    );
    assert_eq!(lines.iter().filter(|line| line.ends_with('*')).count(), 1, "{}", swept.out);
    assert!(swept.err.contains("[4/6] run-4: train.epochs=2, optimizer.learning_rate=1e-3"), "{}", swept.err);
    // Run 4, alone.
    let sets = ["--set", "train.epochs=2", "--set", "optimizer.learning_rate=1e-3"];
    setting.run([&["train", "recipe.toml"][..], &sets].concat()).succeeded();
    for file in ["adapter/adapter_model.safetensors", "checkpoints/step-4/optimizer.safetensors"] {
        assert!(
            setting.bytes(&format!("{folder}/run-4/{file}")) == setting.bytes(&format!("runs/colours/{file}")),
            "{file}"
        );
    }
    let csv = setting.read(&format!("{folder}/table.csv"));
    assert_eq!(csv.lines().count(), 7);
    assert!(csv.lines().nth(4).unwrap().starts_with("run-4,2,1e-3,4,"), "{csv}");
    let markdown = setting.read(&format!("{folder}/table.md"));
    for part in
        ["| run | train.epochs |", "![Validation loss](curves.svg)", "![Validation loss at the end](results.svg)"]
    {
        assert!(markdown.contains(part), "no {part}: {markdown}");
    }
    let [curves, results] = ["curves", "results"].map(|name| setting.read(&format!("{folder}/{name}.svg")));
    assert!(curves.matches("class=\"line").count() >= 12 && curves.contains(">run-4: 2, 1e-3</text>"), "{curves}");
    assert!(results.contains(">train.epochs</text>") && results.contains(">optimizer.learning_rate=2e-2</text>"));
    let page = setting.read(&format!("{folder}/report.html"));
    assert_eq!(page.matches(" (best)</th>").count(), 1);
    for part in ["aria-label=\"Validation loss at the end\"", ">run-4: 2, 1e-3</text>"] {
        assert!(page.contains(part), "no {part}");
    }
    opens(&setting, &format!("{folder}/report.html"));
    // Nothing is left to do.
    let again = setting.run(sweep(&[])).succeeded();
    assert_eq!((again.out, again.err.contains("[1/6]")), (swept.out, false));
    let other = setting.run(["sweep", "recipe.toml", "--set", "train.epochs=1,2"]).failed(2);
    assert!(other.contains("holds a sweep of other values") && other.contains("--to FOLDER"), "{other}");
}

#[test]
fn a_killed_sweep_ends_with_the_same_table() {
    let setting = Setting::with(&CHANGES);
    let begun = Instant::now();
    let undisturbed = setting.run(sweep(&["--to", "undisturbed"])).succeeded();
    let length = begun.elapsed();
    let mut kills = 0;
    for part in (1..).map(|i| i % 5 + 1) {
        let mut command = setting.framework();
        command.args(sweep(&["--to", "killed"]));
        command.stdout(File::create(setting.path("stdout")).unwrap());
        let mut child = command.stderr(File::create(setting.path("stderr")).unwrap()).spawn().unwrap();
        sleep(length * part / 8 + Duration::from_millis(20));
        let _ = child.kill();
        let status = child.wait().unwrap();
        match status.signal() {
            Some(9) => kills += 1,
            _ => assert!(status.success(), "{status}: {}", setting.read("stderr")),
        }
        if status.success() {
            break;
        }
        assert!(kills < 100, "it does not get on: {}", setting.read("stderr"));
    }
    assert!(kills >= 2, "{kills}");
    let end = setting.run(sweep(&["--to", "killed"])).succeeded();
    let table = |out: &str| out.split("saved ").next().unwrap().to_owned();
    assert_eq!(table(&end.out), table(&undisturbed.out));
    for file in ["table.csv", "table.md", "curves.svg", "results.svg", "run-6/adapter/adapter_model.safetensors"] {
        assert!(setting.bytes(&format!("killed/{file}")) == setting.bytes(&format!("undisturbed/{file}")), "{file}");
    }
}

#[test]
fn a_run_that_fails_is_noted_and_the_next_begins() {
    let setting = Setting::with(&CHANGES);
    let args = ["sweep", "recipe.toml", "--set", "optimizer.learning_rate=1e38,1e-2", "--set", "train.epochs=1"];
    let said = said(setting.framework().args(args).args(["--set", "train.max_grad_norm=0.0", "--format", "json"]));
    assert_eq!(said.code, Some(1), "{}", said.err);
    let table: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert!(table["rows"][0]["error"].as_str().unwrap().starts_with("step 1: "), "{table}");
    assert_eq!((&table["rows"][1]["steps"], &table["rows"][1]["values"][0]), (&2.into(), &"1e-2".into()));
}

#[test]
fn what_is_wrong_with_any_run_is_told_before_the_first() {
    let setting = Setting::with(&CHANGES);
    let err = setting.run(["sweep", "recipe.toml", "--set", "train.epochs=1,0", "--set", "adapter.r=4,x"]).failed(2);
    assert!(err.contains("train.epochs=0") && err.contains("adapter.r=x"), "{err}");
    assert!(setting.run(["sweep", "recipe.toml"]).failed(2).contains("nothing is varied"));
    assert!(!setting.path("runs").exists());
    let drawn = setting.run(sweep(&["--trials", "2", "--set", "train.max_steps=1"])).succeeded();
    assert_eq!(drawn.out.lines().filter(|line| line.starts_with("run-")).count(), 2, "{}", drawn.out);
}
