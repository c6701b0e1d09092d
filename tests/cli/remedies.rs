//! Remedies that are printed work: each is followed here or listed with the reason why not, and every key and flag that one
//! names exists.

mod hubs;
mod lexer;
mod script;
mod search;
mod source;
mod tokens;

use crate::setting::{Setting, said};
use framework_engine::recipe::reference;
use framework_registry::{Registry, Sources};
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering},
};

/// The folder with the cases, which are scripts: `remedy:` is the text as the source has it, `wrong:`, after `setup:`, prints
/// it, and each
/// `right:` does what it says, with what stands in its `{…}` as `$1`, `$2`, … `BASE` is the base model, `CONFIG` an override
/// for a model from scratch, `LIBRARY` a plugin's library.
fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/remedies")
}

#[test]
#[cfg(target_os = "linux")]
fn what_is_advised_works() {
    let (cases, hubs) = (script::cases(&folder()), hubs::Hubs::start());
    let setting = Setting::new();
    setting.run(["train", "recipe.toml", "--set", "train.max_steps=1"]).succeeded();
    hubs.publish(&setting.path("runs/colours/adapter"));
    let next = AtomicUsize::new(0);
    let work = || -> Vec<String> {
        let mine = || cases.get(next.fetch_add(1, Ordering::Relaxed));
        std::iter::from_fn(mine).filter_map(|case| case.prove(&hubs).err()).collect()
    };
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    let wrong: Vec<String> = std::thread::scope(|scope| {
        let all: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        all.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

/// Remedies that are listed as not proved here; where a test is named that follows them, it exists.
fn listed() -> Vec<String> {
    let (mut listed, mut why) = (Vec::new(), "");
    let text = fs::read_to_string(folder().join("listed.txt")).unwrap();
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        match line.split_once(' ') {
            Some(("reason:", reason)) => why = reason,
            Some(("test:", test)) => {
                let (file, name) = test.split_once(' ').unwrap();
                let source = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
                assert!(source.contains(&format!("fn {name}(")), "{file} has no test {name}");
            }
            Some(("-", remedy)) if !why.is_empty() => listed.push(remedy.to_owned()),
            _ => panic!("listed.txt: {line}"),
        }
    }
    listed
}

/// A remedy that is reworded or new has to be proved, or listed with the reason why it is not.
#[test]
fn every_remedy_is_proved_or_listed() {
    let there = source::remedies(Path::new(env!("CARGO_MANIFEST_DIR")));
    assert!(there.len() > 300, "only {} remedies were found: is the search broken?", there.len());
    let proved: BTreeSet<String> = script::cases(&folder()).into_iter().map(|case| case.remedy).collect();
    let listed = listed();
    let known: BTreeSet<&String> = proved.iter().chain(&listed).collect();
    let new: Vec<_> =
        there.iter().filter(|(text, _)| !known.contains(text)).map(|(t, f)| format!("{f:?}: {t}")).collect();
    assert!(new.is_empty(), "neither proved nor listed in tests/cli/remedies:\n{}", new.join("\n"));
    let gone: Vec<_> = known.iter().filter(|text| !there.contains_key(**text)).collect();
    assert!(gone.is_empty(), "no source has these any more: {gone:#?}");
    let twice: Vec<_> = listed.iter().filter(|text| proved.contains(*text)).collect();
    assert!(twice.is_empty(), "proved, and listed as not proved: {twice:#?}");
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
    ["src", "engine", "registry/src"].iter().for_each(|folder| source::files(&root.join(folder), &mut files));
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
