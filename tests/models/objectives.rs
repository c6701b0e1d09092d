//! Objectives against TRL's trainers and PyTorch: tests/reference/preferences.py, distillation.py and supervised.py.

use crate::{
    golden::{Golden, each_near, list, repository, within},
    run::{Trained, adapter, train_on},
};
use framework_engine::data::{Corpus, Sequence};
use serde_json::Value;
use std::fs;

const LOSS: f64 = 1e-4;
/// Of trajectories.
const COURSE: f64 = 1e-3;

fn expected(name: &str) -> Value {
    let path = repository().join(format!("tests/golden/objectives/{name}.json"));
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    list(value, |n| n.as_f64().unwrap())
}

fn sequence(row: &Value, answer: &str) -> Sequence {
    let ids = |key: &str| list(&row[key], |id| id.as_u64().unwrap() as u32);
    let (task, answer) = (ids("prompt"), ids(answer));
    let labels = std::iter::repeat_n(-100, task.len()).chain(answer.iter().map(|id| *id as i32)).collect();
    Sequence { ids: [task, answer].concat(), labels }
}

/// The examples as the objective reads them.
fn corpus(expected: &Value) -> Corpus {
    let rows = expected["examples"].as_array().unwrap();
    if rows[0].get("completion").is_some() {
        let weight = |row: &Value| if row["label"] == true { 1.0 } else { -1.0 };
        return Corpus {
            train: rows.iter().map(|row| sequence(row, "completion")).collect(),
            train_weights: rows.iter().map(weight).collect(),
            ..Corpus::default()
        };
    }
    let sides = |row| ["chosen", "rejected"].map(|side| sequence(row, side));
    Corpus { train: rows.iter().flat_map(sides).collect(), ..Corpus::default() }
}

const PAIR: &str = r#"{"prompt": "t3", "chosen": "t4 t5", "rejected": "t6"}"#;
const JUDGED: &str = r#"{"prompt": "t3", "completion": "t4 t5", "label": true}"#;
const TASK: &str = r#"{"text": "t3 t4 t5"}"#;

/// Twelve steps under an objective, with LoRA or with all parameters.
fn train(objective: &str, row: &str, corpus: Corpus, kind: &str, rest: &str) -> Trained {
    let golden = Golden::open("llama/plain");
    let trained = match kind {
        "lora" => {
            let init = golden.path("lora");
            format!("{}init_from = {init:?}\n[optimizer]\nlearning_rate = 1e-2\n", adapter(&golden, "lora"))
        }
        _ => "[adapter]\nplugin = \"full\"\n[optimizer]\nlearning_rate = 1e-3\n".to_owned(),
    };
    let course = "plugin = \"adamw\"\nweight_decay = 0.01\n[train]\nepochs = 2\nschedule = \"constant\"\nshuffle = false\n\
                  log_every = 1\n";
    let plain = "[prompt]\ntemplate = \"{{ instruction }} {{ output }}\"\n";
    let tables = format!("{objective}\n{plain}{rest}");
    let (prompt, train) = tables.split_once("[train]\n").unwrap();
    train_on(&golden, &format!("{prompt}\n{trained}{course}{train}"), row, corpus, &mut |_| {})
}

fn same_course(name: &str, kind: &str, trained: &Trained, expected: &Value) {
    let what = |quantity: &str| format!("{name} {kind} {quantity}");
    let [losses, norms] = ["losses", "grad_norms"].map(|key| numbers(&expected[key]));
    within(&what("first loss"), (trained.losses[0] - losses[0]).abs() / losses[0].abs(), LOSS);
    within(&what("first norm"), (trained.norms[0] - norms[0]).abs() / norms[0], LOSS);
    each_near(&what("losses"), &trained.losses, &losses, COURSE);
    each_near(&what("norms"), &trained.norms, &norms, COURSE);
}

/// The recipe's words for TRL's.
const PREFERENCES: [(&str, &str); 9] = [
    ("dpo-sigmoid", "name = \"dpo\"\nbeta = 0.1"),
    ("dpo-conservative", "name = \"dpo\"\nbeta = 0.1\nlabel_smoothing = 0.1"),
    ("dpo-robust", "name = \"dpo\"\nbeta = 0.1\nlabel_smoothing = 0.1\nloss = \"robust\""),
    ("dpo-sigmoid-norm", "name = \"dpo\"\nbeta = 1.5\nlength_normalized = true"),
    ("dpo-ipo", "name = \"dpo\"\nbeta = 0.3\nloss = \"ipo\""),
    ("dpo-hinge", "name = \"dpo\"\nbeta = 0.12\nloss = \"hinge\""),
    ("simpo", "name = \"simpo\"\nbeta = 2.0\ngamma = 1.0"),
    ("orpo", "name = \"orpo\"\nbeta = 0.25"),
    ("kto", "name = \"kto\"\nbeta = 0.1\nundesirable_weight = 1.3"),
];

fn objective(name: &str, options: &str, kind: &str) -> String {
    let referred = ["dpo", "kto"].iter().any(|prefix| name.starts_with(prefix)) && kind == "lora";
    format!("[objective]\n{options}\n{}", if referred { "reference = \"base\"\n" } else { "" })
}

/// What TRL counts in ORPO's cross-entropy.
fn of_tasks(name: &str) -> &'static str {
    if name == "orpo" { "train_on_prompt = true\n" } else { "" }
}

#[test]
fn preferences_go_as_with_trl() {
    for (name, options) in PREFERENCES {
        let expected = expected(name);
        let row = if name == "kto" { JUDGED } else { PAIR };
        // With all parameters, one of each kind: what differs between losses does not know what is trained.
        let all = ["dpo-sigmoid", "simpo", "orpo", "kto"].contains(&name);
        for kind in ["lora", "full"].into_iter().take(if all { 2 } else { 1 }) {
            let rest = format!("{}[train]\nbatch_size = 4\n", of_tasks(name));
            let trained = train(&objective(name, options, kind), row, corpus(&expected), kind, &rest);
            same_course(name, kind, &trained, &expected[kind]);
        }
    }
}

/// Accumulated, checkpointed, packed: the same.
#[test]
fn how_pairs_are_put_together_makes_no_difference() {
    // Of each kind: a pair with a reference, one without, one with cross-entropy, and an answer alone.
    for (name, options) in [0, 6, 7, 8].map(|i| PREFERENCES[i]) {
        let expected = expected(name);
        let row = if name == "kto" { JUDGED } else { PAIR };
        let course = "batch_size = 2\ngradient_accumulation = 2\nactivation_checkpointing = true\n";
        let rest = format!("{}[train]\n{course}", of_tasks(name));
        let trained = train(&objective(name, options, "lora"), row, corpus(&expected), "lora", &rest);
        same_course(name, "in two, checkpointed,", &trained, &expected["lora"]);
    }
}

/// All examples in one row, and each in a row of its own, two steps long.
#[test]
fn packed_answers_are_the_same() {
    for (name, options) in [0, 8].map(|i| PREFERENCES[i]) {
        let expected = expected(name);
        let row = if name == "kto" { JUDGED } else { PAIR };
        let of = |course: &str| {
            let rest = format!("{}max_length = 2048\n[train]\n{course}", of_tasks(name));
            train(&objective(name, options, "lora"), row, corpus(&expected), "lora", &rest)
        };
        // An answer to another task is one of the same step.
        let (apart, packed) = (of("batch_size = 24\n"), of("batch_size = 24\npacking = true\n"));
        assert_eq!((apart.losses.len(), packed.losses.len()), (2, 2));
        each_near(&format!("{name} packed losses"), &packed.losses, &apart.losses, 1e-6);
        each_near(&format!("{name} packed norms"), &packed.norms, &apart.norms, 1e-5);
    }
}

/// The metrics that TRL logs after the first step.
#[test]
fn rewards_are_those_of_trl() {
    for (name, options) in [PREFERENCES[0], PREFERENCES[6]] {
        let expected = expected(name);
        let trained =
            train(&objective(name, options, "lora"), PAIR, corpus(&expected), "lora", "[train]\nbatch_size = 4\n");
        let first = &framework_engine::run::read_metrics(&trained.folder.metrics()).unwrap()[0].metrics;
        let logged = &expected["lora"]["metrics"];
        for (ours, theirs) in
            [("chosen", "chosen"), ("rejected", "rejected"), ("margin", "margins"), ("accuracy", "accuracies")]
        {
            let (ours, theirs) =
                (first[&format!("reward_{ours}")], logged[format!("rewards/{theirs}")].as_f64().unwrap());
            within(&format!("{name} {ours}"), (ours - theirs).abs(), 1e-5);
        }
    }
}

#[test]
fn distillation_goes_as_with_pytorch() {
    let golden = Golden::open("llama/plain");
    for (name, options) in [
        ("distillation-forward", "divergence = \"forward\""),
        ("distillation-reverse", "divergence = \"reverse\""),
        ("distillation-jsd", "divergence = \"jensen-shannon\""),
        ("distillation-alone", ""),
        ("distillation-top", "top_k = 8"),
        ("distillation-top-alone", "top_k = 8"),
    ] {
        let expected = expected(name);
        let settings = &expected["settings"];
        let teacher = repository().join("tests/golden").join(expected["teacher"].as_str().unwrap());
        let beta = settings
            .get("beta")
            .filter(|beta| !beta.is_null())
            .map_or(String::new(), |beta| format!("beta = {beta}\n"));
        let options = format!(
            "[objective]\nname = \"distillation\"\nteacher = {teacher:?}\n{options}\n{beta}temperature = {}\nalpha = {}\n",
            settings["temperature"], settings["alpha"]
        );
        let all = ["distillation-reverse", "distillation-top"].contains(&name);
        for kind in ["lora", "full"].into_iter().take(if all { 2 } else { 1 }) {
            let corpus = Corpus { train: golden.examples(), ..Corpus::default() };
            let trained = train(&options, TASK, corpus, kind, "[train]\nbatch_size = 4\n");
            same_course(name, kind, &trained, &expected[kind]);
        }
    }
}

#[test]
fn variants_of_cross_entropy_go_as_with_pytorch() {
    let golden = Golden::open("llama/plain");
    for name in ["sft-label-smoothing", "sft-z-loss", "sft-weights"] {
        let expected = expected(name);
        let settings = &expected["settings"];
        let (options, weights) = match name {
            "sft-label-smoothing" => (format!("label_smoothing = {}\n", settings["label_smoothing"]), Vec::new()),
            "sft-z-loss" => (format!("z_loss = {}\n", settings["z_loss"]), Vec::new()),
            _ => (String::new(), numbers(&expected["weights"]).iter().map(|weight| *weight as f32).collect()),
        };
        for kind in ["lora", "full"] {
            let corpus = Corpus { train: golden.examples(), train_weights: weights.clone(), ..Corpus::default() };
            let trained = train(&format!("[objective]\n{options}"), TASK, corpus, kind, "[train]\nbatch_size = 4\n");
            same_course(name, kind, &trained, &expected[kind]);
        }
    }
}
