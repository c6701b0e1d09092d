//! Models side by side.

use crate::{
    reports::opens,
    setting::{Setting, base},
};
use serde_json::Value;
use std::sync::LazyLock;

/// A run with validation data, whose answers are half of what is expected.
static TRAINED: LazyLock<Setting> = LazyLock::new(|| {
    let setting = Setting::with(&[(
        "[prompt]",
        "[[dataset]]\nplugin = \"jsonl\"\npath = \"held.jsonl\"\nsplit = \"validation\"\n\n[prompt]",
    )]);
    let rows = ["snow?\", \"output\": \"snow white\"", "coal?\", \"output\": \"dark black\""];
    let rows = rows.map(|row| format!("{{\"instruction\": \"What colour is {row}}}\n"));
    setting.write("held.jsonl", &rows.concat());
    setting.run(["train", "recipe.toml"]).succeeded();
    setting.run(["train", "recipe.toml", "--set", "name=short", "--set", "train.max_steps=2"]).succeeded();
    setting
});

fn score(found: &Value, metric: &str, model: usize) -> f64 {
    let all = found["metrics"].as_array().unwrap();
    let one = all.iter().find(|one| one["metric"] == metric).unwrap_or_else(|| panic!("no {metric}: {found}"));
    one["scores"][model].as_f64().unwrap()
}

#[test]
fn a_run_is_compared_with_its_base() {
    let setting = &*TRAINED;
    let found = setting.run(["compare", "runs/colours", "--format", "json"]).json();
    assert_eq!(found["models"], serde_json::json!(["base of runs/colours", "runs/colours"]));
    let [first, second] = [0, 1].map(|i| &found["answers"][i]);
    assert_eq!((&first["reference"], &first["answers"][1]), (&"snow white".into(), &"white".into()));
    assert_eq!(second["answers"][1], "black");
    assert!(first["prompt"].as_str().unwrap().contains("What colour is snow?"), "{first}");
    // The base is the model that LoRA began with: the recipe's model as it starts.
    let start = setting.run(["eval", "recipe.toml", "--metrics", "rouge-1,chrf", "--format", "json"]).json();
    let tuned = setting.run(["eval", "runs/colours", "--metrics", "rouge-1,chrf", "--format", "json"]).json();
    for (model, evaluated) in [start, tuned].iter().enumerate() {
        assert_eq!(score(&found, "rouge-1", model), evaluated["metrics"]["rouge-1"].as_f64().unwrap());
        assert_eq!(score(&found, "chrf", model), evaluated["metrics"]["chrf"].as_f64().unwrap());
        assert_eq!(found["evaluations"][model]["loss"], evaluated["loss"]);
    }
    assert_eq!(score(&found, "rouge-1", 1), 2.0 / 3.0);
    let rouge = &found["metrics"].as_array().unwrap().iter().find(|one| one["metric"] == "rouge-1").unwrap();
    assert_eq!(rouge["intervals"][1], serde_json::json!([2.0 / 3.0, 2.0 / 3.0]));
    let difference = rouge["differences"][0]["difference"].as_f64().unwrap();
    assert_eq!(difference, score(&found, "rouge-1", 1) - score(&found, "rouge-1", 0));
}

#[test]
fn models_answer_the_prompts_of_a_file() {
    let setting = &*TRAINED;
    setting.write("prompts.txt", "What colour is coal?\n\nWhat colour is grass?\n");
    let model = base().display().to_string();
    let args = ["compare", "runs/colours", &model, "--prompts", "prompts.txt"];
    let found = setting.run([&args[..], &["--format", "json"]].concat()).json();
    assert_eq!(found["models"][1], model.as_str());
    assert_eq!(
        (&found["answers"][0]["answers"][0], &found["answers"][1]["answers"][0]),
        (&"black".into(), &"green".into())
    );
    assert!(found.get("evaluations").is_none() && found["answers"][0].get("reference").is_none());
    let metrics: Vec<_> = found["metrics"].as_array().unwrap().iter().map(|one| one["metric"].clone()).collect();
    assert_eq!(metrics, ["distinct-1", "distinct-2", "repetition", "length"]);

    let wrong = setting.run([&args[..], &["--metrics", "length,bleu"]].concat()).failed(2);
    assert!(wrong.contains("`bleu` compares with references, and the prompts have none"), "{wrong}");
    let json = "{\"prompt\": \"What colour is coal?\", \"reference\": \"black\"}\n";
    setting.write("prompts.jsonl", json);
    let args =
        ["compare", "runs/colours", "--prompts", "prompts.jsonl", "--metrics", "exact-match", "--format", "json"];
    assert_eq!(score(&setting.run(&args[..]).json(), "exact-match", 1), 1.0);
}

#[test]
fn a_comparison_is_a_page_and_markdown() {
    let setting = &*TRAINED;
    let said = setting.run(["compare", "runs/short", "runs/colours", "--to", "side", "--show", "1"]).succeeded();
    assert!(said.out.starts_with("|                | runs/short"), "{}", said.out);
    assert!(said.out.contains("| token accuracy | "), "{}", said.out);
    assert_eq!(said.out.matches("\n## ").count(), 1);
    assert!(said.out.contains("- reference: snow white\n- runs/short: "), "{}", said.out);
    assert!(said.out.contains("- runs/colours: **white**\n"), "{}", said.out);
    let html = setting.read("side/compare.html");
    assert!(html.contains("<h4>runs/colours</h4><div class=\"text\"><mark>white</mark></div>"), "{html}");
    assert!(!html.contains("<script") && !html.contains("src="));
    opens(setting, "side/compare.html");
    assert_eq!(setting.read("side/compare.md").matches("\n## ").count(), 2);
    let json: Value = serde_json::from_str(&setting.read("side/compare.json")).unwrap();
    assert_eq!(json["answers"].as_array().unwrap().len(), 2);
}

#[test]
fn what_cannot_be_compared_is_said() {
    let setting = &*TRAINED;
    let model = base().display().to_string();
    let err = setting.run(["compare", &model]).failed(2);
    assert!(err.contains("there is nothing to compare with"), "{err}");
    let err = setting.run(["compare", "runs/colours", &model]).failed(2);
    assert!(err.contains("has no validation data") && err.contains("--prompts FILE"), "{err}");
    let err = setting.run(["compare", "runs/colours", "--metrics", "blue"]).failed(2);
    assert!(err.contains("report.metrics") && err.contains("\"bleu\""), "{err}");
    let err = setting.run(["compare", "runs/colours", "--prompts", "none.txt"]).failed(2);
    assert!(err.contains("cannot read none.txt"), "{err}");
    setting.write("other.jsonl", "{\"instruction\": \"What colour is bark?\", \"output\": \"dark brown\"}\n");
    let set = ["name=other", "train.max_steps=1", "dataset.1.path=other.jsonl"].map(|set| ["--set", set]).concat();
    setting.run([&["train", "recipe.toml"][..], &set].concat()).succeeded();
    let err = setting.run(["compare", "runs/colours", "runs/other"]).failed(2);
    assert!(err.contains("runs/colours and runs/other have different validation data"), "{err}");
}
