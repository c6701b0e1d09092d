//! What the keys of `[objective]` mean together.

use super::{ObjectiveName, Rows, check::Checker, node::Node};
use framework_base::Problem;
use serde_json::{Value, from_value};

/// Checks the table as a whole. Keys of the wrong type have been reported and are passed over.
pub(super) fn check(checker: &mut Checker, root: &Node) {
    let Some(table) = root.get("objective") else { return };
    let name = table.get("name").and_then(Node::text).unwrap_or("sft");
    let Ok(objective) = from_value::<ObjectiveName>(Value::from(name)) else { return };
    let known: Vec<_> = objective.keys().iter().map(|key| format!("`{key}`")).collect();
    for entry in table.entries().iter().filter(|entry| entry.name != "name") {
        let read = |other: &ObjectiveName| other.keys().contains(&entry.name.as_str());
        if read(&objective) || !ObjectiveName::ALL.iter().any(read) {
            continue; // a key that no objective has is unknown, which has been said
        }
        let of: Vec<_> = ObjectiveName::ALL.iter().filter(|other| read(other)).map(quoted).collect();
        let problem = Problem::new(format!("the objective {name:?} does not read it; it is for {}", of.join(", ")));
        let help = format!("{name:?} reads {}", known.join(", "));
        checker.add(entry.origin, &format!("objective.{}", entry.name), problem.help(help));
    }
    fn refuse(checker: &mut Checker, table: &Node, key: &str, message: &str, help: &str) {
        let Some(node) = table.get(key) else { return };
        checker.add(node.origin, &format!("objective.{key}"), Problem::new(message).help(help));
    }
    let refuse =
        |checker: &mut Checker, key: &str, message: &str, help: &str| refuse(checker, table, key, message, help);
    let text = |key: &str| table.get(key).and_then(Node::text);
    let smooth = text("loss").is_none_or(|loss| ["sigmoid", "robust"].contains(&loss));
    match objective {
        ObjectiveName::Distillation => {
            let divergence = text("divergence").unwrap_or("forward");
            if table.get("teacher").is_none() {
                let problem = Problem::new("the objective \"distillation\" needs a `teacher`");
                let help =
                    "teacher = \"<model folder, run or id on the hub>\", or \"base\" for the model without its adapter";
                checker.add(table.origin, "objective", problem.help(help));
            } else if divergence != "jensen-shannon" {
                refuse(
                    checker,
                    "beta",
                    "only `divergence = \"jensen-shannon\"` has it",
                    "leave it out, or choose that",
                );
            } else if table.get("beta").and_then(Node::number).is_some_and(|beta| beta >= 1.0) {
                refuse(checker, "beta", "expected a share between 0 and 1", "0.5 weighs teacher and student alike");
            }
            if text("teacher").is_some_and(|teacher| teacher.ends_with(".safetensors")) {
                refuse(checker, "top_k", "the teacher is a file, which has as many tokens as it has", "leave it out");
                if divergence != "forward" {
                    let what = "only `divergence = \"forward\"` is computed from a file of the likeliest tokens";
                    refuse(checker, "divergence", what, "leave it out");
                }
            } else if divergence != "forward" {
                refuse(
                    checker,
                    "top_k",
                    "only `divergence = \"forward\"` is computed from the likeliest tokens",
                    "leave one out",
                );
            }
        }
        ObjectiveName::Dpo if text("loss") == Some("robust") => {
            let share = table.get("label_smoothing").and_then(Node::number).unwrap_or(0.0);
            if share >= 0.5 {
                refuse(
                    checker,
                    "label_smoothing",
                    "expected less than 0.5: no half of the pairs may be swapped",
                    "for example 0.1",
                );
            }
        }
        ObjectiveName::Dpo if !smooth => {
            refuse(
                checker,
                "label_smoothing",
                "only `loss = \"sigmoid\"` and `\"robust\"` have it",
                "leave it out, or choose one of those",
            );
            if text("loss") == Some("ipo") {
                refuse(checker, "length_normalized", "`ipo` always uses means over tokens", "leave it out");
            }
        }
        _ => {}
    }
    let number = |key: &str, default: f64| root.at(key).and_then(Node::number).unwrap_or(default);
    let together = number("train.batch_size", 8.0) * number("train.gradient_accumulation", 1.0);
    if objective == ObjectiveName::Kto && together < 2.0 {
        let problem =
            Problem::new("the objective \"kto\" compares each task with the answer of another one in its step");
        let help = "set train.batch_size, or train.gradient_accumulation, to 2 or more";
        checker.add(table.origin, "objective.name", problem.help(help));
    }
    if objective.rows() != Rows::Answers
        && let Some(node) = root.at("train.metric").filter(|node| node.text() == Some("perplexity"))
    {
        let problem = Problem::new(format!("the objective {name:?} has no perplexity"));
        checker.add(node.origin, "train.metric", problem.help("expected \"loss\" or \"accuracy\""));
    }
    if objective.rows() != Rows::Answers
        && let Some(node) = root.at("prompt.train_on_prompt").filter(|node| node.to_json() == Value::Bool(true))
        && objective != ObjectiveName::Orpo
    {
        let problem = Problem::new(format!("the objective {name:?} compares answers; the prompt is the same for both"));
        checker.add(node.origin, "prompt.train_on_prompt", problem.help("leave it out"));
    }
}

fn quoted(name: &ObjectiveName) -> String {
    serde_json::to_string(name).unwrap_or_default()
}
