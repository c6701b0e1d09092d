//! Runs as their files describe them.

use super::{RunState, list, prune, table};
use crate::run::{Facts, Hold, Lock, Metrics, RunFolder, append_metrics};
use framework_base::files::write_bytes;
use std::{fs, path::Path};

/// A run's folder with checkpoints and a loss at each of these steps, and a log that ends with a line.
fn run(root: &Path, steps: &[u64], last: &str) -> RunFolder {
    let (run, held, _) = RunFolder::create(root).unwrap();
    drop(held);
    write_bytes(&run.lock(), Lock::default().to_toml().as_bytes()).unwrap();
    write_bytes(&run.recipe(), b"").unwrap();
    let mut facts = Facts::default();
    facts.expected.steps = 8;
    write_bytes(&run.facts(), &serde_json::to_vec(&facts).unwrap()).unwrap();
    for &step in steps {
        let folder = run.checkpoint(step);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("trained.safetensors"), [0; 1000]).unwrap();
        fs::write(folder.join("state.json"), r#"{"step": 1, "best": [1.5, 2]}"#).unwrap();
        let loss = |loss| Metrics { step, loss, ..Metrics::default() };
        append_metrics(&run.metrics(), &loss(Some(4.0 - step as f64))).unwrap();
        append_metrics(&run.metrics(), &Metrics { eval_loss: Some(1.5 + (step as f64 - 2.0).abs()), ..loss(None) })
            .unwrap();
    }
    fs::write(run.log(), format!("2026-01-31T12:00:00Z training from step 0 to 8\n{last}\n")).unwrap();
    run
}

fn finish(run: &RunFolder, steps: u64) {
    let summary = format!(
        r#"{{"steps": {steps}, "first_loss": 9.0, "train_loss": 0.5, "best": null, "stopped_early": false,
            "trained_parameters": 1, "parameters": 2, "tokens": 3, "seconds": 4.0, "tokens_per_second": 5.0,
            "peak_memory_bytes": null, "trained_on_text": false, "output": "x"}}"#
    );
    fs::write(run.summary(), summary).unwrap();
}

#[test]
fn states_are_told_by_what_a_run_has_left() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    finish(&run(&at("done"), &[2, 4], "2026-01-31T12:01:00Z {}"), 4);
    run(&at("killed"), &[2], "2026-01-31T12:02:00Z {}");
    run(
        &at("sweep/run-1"),
        &[2, 4, 6],
        "2026-01-31T12:03:00Z error: step 7: the loss is NaN\n    To go on from step 6: …",
    );
    // It had come to its end at step 4, and goes on with more epochs.
    finish(&run(&at("more"), &[4, 6], "2026-01-31T12:04:00Z {}"), 4);
    run(&at("now"), &[], "2026-01-31T12:05:00Z {}");
    let _held = Hold::of(&at("now")).unwrap();
    fs::create_dir(at("photos")).unwrap();
    let runs = list(dir.path()).unwrap();
    let states: Vec<_> = runs.iter().map(|run| (run.run.file_name().unwrap().to_str().unwrap(), run.state)).collect();
    let expected = [
        ("now", RunState::Running),
        ("more", RunState::Interrupted),
        ("run-1", RunState::Failed),
        ("killed", RunState::Interrupted),
        ("done", RunState::Finished),
    ];
    assert_eq!(states, expected);
    assert_eq!(runs[2].error.as_deref(), Some("step 7: the loss is NaN"));
    assert_eq!(list(&at("done")).unwrap(), runs[4..]);
    let shown = table(&runs).replace(&format!("{}/", dir.path().display()), "");
    // Sizes are of files whose length differs with the version.
    let shown: Vec<_> = shown.lines().map(|line| line.split("KiB").next().unwrap().trim_end()).collect();
    let cells: Vec<_> = shown[1..6].iter().map(|line| line.split_whitespace().skip(1).collect::<Vec<_>>()).collect();
    assert_eq!(cells[4][..8], ["finished", "4/4", "0.0000", "1.5000", "at", "2", "2", "4"]);
    assert_eq!(cells[3][..7], ["interrupted", "2/8", "2.0000", "1.5000", "at", "2", "2"]);
    assert!(shown[6].starts_with("5 runs, "), "{shown:?}");
    let json = serde_json::to_value(&runs[4]).unwrap();
    assert_eq!((&json["state"], &json["best"]["step"]), (&"finished".into(), &2.into()));
}

#[test]
fn old_checkpoints_go_and_the_best_one_stays() {
    let dir = tempfile::tempdir().unwrap();
    let run = run(&dir.path().join("run"), &[2, 4, 6, 8], "2026-01-31T12:01:00Z {}");
    // Somebody's notes, and what is called like a checkpoint but lies elsewhere.
    fs::write(run.checkpoint(4).join("notes.txt"), "").unwrap();
    let elsewhere = dir.path().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    fs::write(elsewhere.join("state.json"), "").unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink(&elsewhere, run.checkpoint(1)).unwrap();
    let runs = [run.root().to_owned()];
    let planned = prune(&runs, 1, true).unwrap();
    assert_eq!((planned[0].removed.as_slice(), planned[0].kept.as_slice()), (&[6][..], &[2, 8][..]));
    assert!(planned[0].bytes > 1000 && run.checkpoint(6).is_dir());
    assert_eq!(prune(&runs, 1, false).unwrap(), planned);
    let left = run.checkpoint_steps();
    assert_eq!(left.iter().filter(|step| **step > 1).copied().collect::<Vec<_>>(), [2, 4, 8]);
    assert!(run.checkpoint(4).join("notes.txt").is_file() && elsewhere.join("state.json").is_file());
    assert_eq!(planned[0].foreign.len(), if cfg!(unix) { 2 } else { 1 });

    let refused = |keep| prune(&runs, keep, false).unwrap_err().to_string();
    assert!(refused(0).contains("has not come to its end") && refused(0).contains("--keep 1"), "{}", refused(0));
    let held = Hold::of(run.root()).unwrap();
    assert!(refused(1).contains("another process is training into "), "{}", refused(1));
    drop(held);
    finish(&run, 8);
    assert_eq!(prune(&runs, 0, false).unwrap()[0].removed, [2, 8]);
    // All that is wrong is told, and nothing is done.
    let wrong = prune(&[elsewhere, dir.path().join("none"), run.root().to_owned()], 0, false).unwrap_err();
    assert_eq!(wrong.exit_code(), 2, "{wrong}");
    for part in ["elsewhere is not a run's folder", "there is no run's folder "] {
        assert!(wrong.to_string().contains(part), "{wrong}");
    }
}
