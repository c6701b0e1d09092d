//! `framework runs`: what was trained, how far it has come, and what can go.

use crate::setting::Setting;
use serde_json::json;
use std::fs;

#[test]
fn runs_are_listed_and_pruned() {
    let setting = Setting::with(&[
        ("max_steps = 60", "max_steps = 6\nkeep_checkpoints = 9"),
        ("save_every = 30", "save_every = 2\neval_every = 2"),
        ("[generate]", "[validation]\nfraction = 0.2\n\n[generate]"),
    ]);
    let none = setting.run(["runs"]).succeeded();
    assert_eq!((none.out.as_str(), none.err.contains("there are no runs in runs")), ("", true));
    assert_eq!(setting.run(["runs", "--format", "json"]).json(), json!([]));
    setting.run(["train", "recipe.toml"]).succeeded();
    let runs = setting.run(["runs", "--format", "json"]).json();
    let run = &runs[0];
    assert_eq!((&run["run"], &run["state"], &run["steps"]), (&"runs/colours".into(), &"finished".into(), &6.into()));
    assert_eq!(run["checkpoints"], json!([2, 4, 6]));
    let lines = setting.metrics("runs/colours");
    let losses = lines.iter().filter_map(|line| line["eval_loss"].as_f64());
    assert_eq!(run["best"]["loss"].as_f64(), losses.min_by(f64::total_cmp));
    let size: u64 = setting
        .files("runs/colours")
        .iter()
        .map(|file| setting.bytes(&format!("runs/colours/{file}")).len() as u64)
        .sum();
    assert_eq!(run["bytes"].as_u64(), Some(size));
    let table = setting.run(["runs"]).succeeded().out;
    let heads: Vec<_> = table.lines().next().unwrap().split_whitespace().collect();
    assert_eq!(heads, ["run", "state", "steps", "loss", "best", "loss", "checkpoints", "size", "changed"]);
    assert!(table.lines().nth(1).unwrap().starts_with("runs/colours  finished  6/6 "), "{table}");
    assert!(table.ends_with(" MiB\n") || table.ends_with(" KiB\n"), "{table}");

    let best = run["best"]["step"].as_u64().unwrap();
    let keep: Vec<u64> = [2, 4, 6].into_iter().filter(|step| *step == best || *step == 6).collect();
    let args = ["runs", "prune", "runs/colours", "--keep", "1"];
    let planned = setting.run([&args[..], &["--dry-run"]].concat()).succeeded().out;
    assert!(planned.starts_with("runs/colours: would remove the checkpoints of steps ") && planned.contains("; kept "));
    assert_eq!(setting.run(["runs", "--format", "json"]).json(), runs);
    let before = setting.files("runs/colours/adapter");
    setting.run(args).succeeded();
    let runs = setting.run(["runs", "--format", "json"]).json();
    assert_eq!(runs[0]["checkpoints"], json!(keep));
    // The result stays, and so does the way to go on.
    assert_eq!(setting.files("runs/colours/adapter"), before);
    setting.run(["train", "recipe.toml", "--resume", "--set", "train.max_steps=8"]).succeeded();
    setting.run(["generate", "runs/colours", "--prompt", "x"]).succeeded();
    let pruned = setting.run(["runs", "prune", "runs/colours", "--keep", "0", "--format", "json"]).json();
    assert_eq!((&pruned[0]["kept"], pruned[0]["bytes"].as_u64() > Some(0)), (&json!([]), true));
}

#[test]
fn a_run_that_goes_on_is_left_alone() {
    let setting = Setting::with(&[("max_steps = 60", "max_steps = 4"), ("save_every = 30", "save_every = 1")]);
    setting.run(["train", "recipe.toml"]).succeeded();
    // As another process that trains holds it.
    let lock = fs::File::options().write(true).open(setting.path("runs/colours/.lock")).unwrap();
    lock.lock().unwrap();
    assert_eq!(setting.run(["runs", "--format", "json"]).json()[0]["state"], "running");
    let args = ["runs", "prune", "runs/colours", "--keep", "1"];
    let refused = setting.run(args).failed(2);
    insta::assert_snapshot!(refused, @r"
    error: another process is training into runs/colours
        Wait until it ends; it keeps as many checkpoints as `train.keep_checkpoints` says.
    ");
    assert_eq!(setting.run([&args[..], &["--dry-run"]].concat()).failed(2), refused);
    drop(lock);
    // Without its end, a run needs a checkpoint to go on.
    fs::remove_file(setting.path("runs/colours/summary.json")).unwrap();
    let err = setting.run(["runs", "prune", "runs/colours", "--keep", "0"]).failed(2);
    assert!(err.contains("has not come to its end") && err.contains("--keep 1"), "{err}");
    fs::create_dir(setting.path("photos")).unwrap();
    let err = setting.run(["runs", "prune", "photos", "--keep", "1"]).failed(2);
    assert!(err.contains("photos is not a run's folder"), "{err}");
    let err = setting.run(["runs", "nowhere"]).failed(2);
    assert!(err.contains("there is no folder nowhere"), "{err}");
}
