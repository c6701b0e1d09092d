//! Metrics of answers: by `eval`, and at the evaluations of a run.

use crate::setting::Setting;
use serde_json::Value;
use std::fs;

/// Two questions are evaluated whose answers are longer than what is learned: half of each becomes right. The same rows
/// would be left out of training.
fn setting() -> Setting {
    let setting = Setting::with(&[
        ("[prompt]", "[[dataset]]\nplugin = \"jsonl\"\npath = \"held.jsonl\"\nsplit = \"validation\"\n\n[prompt]"),
        ("log_every = 5", "log_every = 5\neval_every = 30"),
    ]);
    let rows = ["snow?\", \"output\": \"snow white\"", "coal?\", \"output\": \"dark black\""];
    let rows = rows.map(|row| format!("{{\"instruction\": \"What colour is {row}}}\n"));
    setting.write("held.jsonl", &rows.concat());
    setting
}

#[test]
fn answers_are_compared_with_references() {
    let setting = setting();
    setting.run(["train", "recipe.toml"]).succeeded();
    let names = "exact-match,bleu,chrf,rouge-1,rouge-l,distinct-1,length,length-ratio,title";
    let args = ["eval", "runs/colours", "--metrics", names, "--answers", "answers.jsonl"];
    let found = setting.run([&args[..], &["--format", "json"]].concat()).json();
    let answers: Vec<Value> =
        setting.read("answers.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(answers.len(), 2);
    assert_eq!(answers[1]["reference"], "dark black");
    assert!(answers[0]["prompt"].as_str().unwrap().contains("What colour is snow?"), "{}", answers[0]);
    assert_eq!((&found["examples"], &found["segmentation"]), (&2.into(), &"words".into()));
    let metric = |name: &str| found["metrics"][name].as_f64().unwrap();
    // What the model has learned.
    assert_eq!((answers[0]["answer"].as_str(), answers[1]["answer"].as_str()), (Some("white"), Some("black")));
    assert_eq!((metric("exact-match"), metric("rouge-1")), (0.0, 2.0 / 3.0));
    assert_eq!((metric("distinct-1"), metric("length"), metric("length-ratio")), (1.0, 1.0, 0.5));
    assert!(found["metrics"]["title"].is_null(), "{found}");
    let accuracy = found["accuracy"].as_f64().unwrap();
    assert!(accuracy > 0.3 && accuracy < 1.0, "{accuracy}");

    let text = setting.run(&args[..]).succeeded().out;
    assert!(text.contains("2 examples answered, split into words\nexact-match   0.0000\n"), "{text}");
    assert!(text.contains("title         not defined: no reference has it\n"), "{text}");
    let one = setting.run(["eval", "runs/colours", "--metrics", "rouge-1", "--limit", "1", "--format", "json"]).json();
    assert_eq!((one["examples"].as_u64(), one["metrics"]["rouge-1"].as_f64()), (Some(1), Some(2.0 / 3.0)));
}

#[test]
fn a_run_computes_them_at_every_evaluation() {
    let setting = setting();
    let set = ["--set", "report.metrics=[\"rouge-1\", \"chrf\"]", "--set", "report.metric_examples=1"];
    let said = setting.run([&["train", "recipe.toml"][..], &set].concat()).succeeded();
    let lines: Vec<_> =
        setting.metrics("runs/colours").into_iter().filter(|line| line.get("eval_loss").is_some()).collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[1]["metrics"]["rouge-1"], 2.0 / 3.0);
    let chrf = lines[1]["metrics"]["chrf"].as_f64().unwrap();
    assert!(chrf > 30.0 && chrf < 100.0, "{chrf}");
    assert!(lines[1]["eval_accuracy"].as_f64().unwrap() > 0.3);
    assert!(said.err.contains(&format!("chrf {chrf:.4}  rouge-1 0.6667")), "{}", said.err);
    // `eval` has the same numbers, of all examples.
    let found = setting.run(["eval", "runs/colours", "--format", "json"]).json();
    assert_eq!(found["examples"], 2);
    assert!((found["loss"].as_f64().unwrap() - lines[1]["eval_loss"].as_f64().unwrap()).abs() < 1e-6);
}

#[test]
fn wrong_metrics_are_named_before_any_work() {
    let setting = setting();
    let wrong = setting.run(["eval", "recipe.toml", "--metrics", "blue"]).failed(2);
    assert!(wrong.contains("report.metrics") && wrong.contains("\"bleu\""), "{wrong}");
    setting.write("form.json", "{\"type\": \"object\", \"pattern\": \"x\"}");
    let set = ["--set", "report.metrics=[\"schema\"]", "--set", "report.schema=form.json"];
    for command in ["check", "train", "eval"] {
        let wrong = setting.run([&[command, "recipe.toml"][..], &set].concat()).failed(2);
        assert!(wrong.contains("`report.schema`: ") && wrong.contains("/pattern: this keyword"), "{wrong}");
    }
    let wrong = setting.run(["eval", "recipe.toml", "--metrics", "bleu", "--set", "prompt.train_on_prompt=true"]);
    assert!(wrong.failed(2).contains("no validation example has a prompt"), "a prompt that is trained is none");
}

#[test]
fn settings_of_metrics_without_effect_are_named() {
    let setting = Setting::with(&[("max_steps = 60", "max_steps = 1\nsave_every = \"end\""), ("save_every = 30", "")]);
    let check = |set: &str| setting.run(["check", "recipe.toml", "--set", set]).succeeded().err;
    let err = check("report.metrics=[\"bleu\"]");
    assert!(err.contains("`report.metrics` has no effect: there is no validation data"), "{err}");
    let err = check("report.segmentation=\"jieba\"");
    assert!(err.contains("`report.segmentation` has no effect: `report.metrics` names no metric"), "{err}");
    fs::write(setting.path("form.json"), "{}").unwrap();
    let err = check("report.schema=form.json");
    assert!(err.contains("`report.schema` has no effect: `report.metrics` does not name `schema`"), "{err}");
}
