//! Remedies that are printed work: each is followed here, and every key and flag that one names exists.

use crate::setting::{Setting, said};
use framework_engine::recipe::reference;
use framework_registry::{Registry, Sources};
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// What a recipe gets wrong, what the remedy says, and the same with the remedy followed.
struct Case {
    wrong: &'static [&'static str],
    remedy: &'static str,
    right: &'static [&'static str],
}

const fn case(wrong: &'static [&'static str], remedy: &'static str, right: &'static [&'static str]) -> Case {
    Case { wrong, remedy, right }
}

/// Overrides of the setting's recipe, for `check`.
const CASES: [Case; 13] = [
    case(&["prompt.template='plan'"], "did you mean \"plain\"?", &["prompt.template='plain'"]),
    case(
        &["train.load_best=true"],
        "[validation] fraction = 0.1",
        &["train.load_best=true", "validation.fraction=0.1"],
    ),
    case(
        &["train.early_stopping={ patience = 1 }"],
        "[validation] fraction = 0.1",
        &["train.early_stopping={ patience = 1 }", "validation.fraction=0.1"],
    ),
    case(&["generate.stop=['']"], "for example stop = [\"\\n\\n\"]", &["generate.stop=['\\n\\n']"]),
    case(&["name='a/b'"], "`output` says where a run goes", &["name='b'", "output='a/b'"]),
    case(&["train.warmup_steps=3", "train.warmup_ratio=0.1"], "keep one of the two", &["train.warmup_ratio=0.1"]),
    case(
        &["model.config={ vocab_size = 512 }"],
        "keep `weights` to start from a trained model",
        &["train.max_steps=1"],
    ),
    case(
        &["tokenizer.train={ kind = 'character', vocab_size = 99 }"],
        "the weights bring their own",
        &["train.max_steps=1"],
    ),
    case(&["prompt.max_length=4"], "raise `prompt.max_length`", &["prompt.max_length=64"]),
    case(&["train.batchsize=4"], "did you mean `batch_size`?", &["train.batch_size=4"]),
    case(&["train.batch_size=0"], "at least 1", &["train.batch_size=1"]),
    case(&["dataset.0.path='dta.csv'"], "data.csv", &["dataset.0.path='data.csv'"]),
    case(&["dataset.0.limt=4"], "`limit`", &["dataset.0.limit=4"]),
];

#[test]
fn what_is_advised_for_a_recipe_makes_it_sound() {
    let setting = Setting::new();
    let check = |set: &[&'static str]| {
        let set = set.iter().flat_map(|set| ["--set", set]);
        setting.run(["check", "recipe.toml"].into_iter().chain(set).collect::<Vec<_>>())
    };
    for Case { wrong, remedy, right } in &CASES {
        let told = check(wrong).failed(2);
        assert!(told.contains(remedy), "{wrong:?}: no {remedy} in\n{told}");
        check(right).succeeded();
    }
}

#[test]
fn outputs_that_are_refused_are_given_another_way() {
    let setting = Setting::new();
    fs::create_dir(setting.path("photos")).unwrap();
    setting.write("photos/a.jpg", "");
    let args = ["train", "recipe.toml", "--set", "train.max_steps=1", "--set", "output='photos'"];
    let told = setting.run(args).failed(2);
    assert!(told.contains("--set output=runs/NAME"), "{told}");
    setting.run([&args[..4], &["--set", "output=runs/NAME"]].concat()).succeeded();
    // A run that was never begun cannot go on; the same without --resume begins it.
    let args = ["train", "recipe.toml", "--set", "train.max_steps=1", "--set", "output='runs/other'"];
    let told = setting.run([&args[..], &["--resume"]].concat()).failed(2);
    assert!(told.contains("the same command without --resume"), "{told}");
    setting.run(args).succeeded();
    let told = setting.run(["export", "runs/other", "--to", "photos"]).failed(2);
    assert!(told.contains("give a new folder's name"), "{told}");
    setting.run(["export", "runs/other", "--to", "new"]).succeeded();
    let told = setting.run(["prepare", "recipe.toml", "--to", "out.csv"]).failed(2);
    assert!(told.contains(".jsonl"), "{told}");
    setting.run(["prepare", "recipe.toml", "--to", "out.jsonl"]).succeeded();
}

/// The sources that print to users, without their tests.
fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        let name = entry.file_name().unwrap().to_string_lossy().into_owned();
        if entry.is_dir() && !["tests", "test", "target"].contains(&name.as_str()) {
            sources(&entry, found);
        } else if name.ends_with(".rs") && !name.ends_with("tests.rs") {
            found.push(entry);
        }
    }
}

/// What stands between back-ticks in string literals, comments and tests left out.
fn quoted(source: &str) -> Vec<String> {
    let code = source.split("#[cfg(test)]").next().unwrap_or_default();
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    let text = lines.replace("\\\n", " ");
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn keys_and_flags_in_messages_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    ["src", "engine", "registry/src"].iter().for_each(|folder| sources(&root.join(folder), &mut files));
    let tables = reference::tables();
    let registry = Registry::open_with(&Sources { linked: true, ..Sources::default() }).unwrap();
    let mut keys: BTreeSet<String> =
        tables.iter().flat_map(|t| t.keys.iter().map(|row| format!("{}.{}", t.name, row.key))).collect();
    keys.extend(tables.iter().map(|table| table.name.clone()));
    for entry in registry.list(None) {
        let table = tables.iter().find(|table| table.kind == Some(entry.about.kind)).map(|table| table.name.clone());
        let options = reference::options(&entry.about);
        keys.extend(table.iter().flat_map(|table| options.iter().map(move |row| format!("{table}.{}", row.key))));
    }
    let is_key = |text: &str| {
        let parts: Vec<_> = text.split('.').collect();
        let word = |part: &&str| !part.is_empty() && part.chars().all(|c| c.is_ascii_lowercase() || c == '_');
        let ending = ["json", "safetensors", "bin", "txt", "toml", "model", "index", "jinja", "md"];
        parts.len() > 1
            && parts.iter().all(word)
            && tables.iter().any(|table| table.name == parts[0])
            && !parts.iter().skip(1).any(|part| ending.contains(part))
    };
    let (mut named, mut commands, mut wrong) = (0, BTreeSet::new(), Vec::new());
    for file in &files {
        for text in quoted(&fs::read_to_string(file).unwrap()) {
            let key = text.split(" = ").next().unwrap_or_default();
            if is_key(key) {
                named += 1;
                if !keys.contains(key) {
                    wrong.push(format!("{}: `{key}` is no key", file.display()));
                }
            }
            if let Some(command) = text.strip_prefix("framework ") {
                commands.insert(command.to_owned());
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    assert!(named > 20, "only {named} keys were found: is the search broken?");
    let setting = Setting::new();
    for command in &commands {
        let mut words = command.split_whitespace();
        let name = words.next().unwrap_or_default();
        let help = said(setting.framework().args([name, "--help"])).succeeded().out;
        for flag in words.filter(|word| word.starts_with("--") && word.len() > 2) {
            assert!(help.contains(flag), "`framework {command}`: {name} has no {flag}");
        }
    }
    assert!(commands.len() > 3, "{commands:?}");
}
