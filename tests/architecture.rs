//! Who may import whom, read from the manifests and the sources: docs/ARCHITECTURE.md.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The framework's crates that a manifest names among its `[dependencies]`, without `framework-`.
fn dependencies(folder: &str) -> BTreeSet<String> {
    let text = fs::read_to_string(root().join(folder).join("Cargo.toml")).unwrap();
    let table = text.split("\n[dependencies]\n").nth(1).expect("dependencies");
    let table = table.split("\n[").next().unwrap();
    let names = table.lines().filter_map(|line| line.strip_prefix("framework-"));
    names.map(|rest| rest.split(['.', ' ']).next().unwrap().to_owned()).collect()
}

#[test]
fn rooms_know_those_below_them() {
    let allowed: [(&str, &[&str]); 11] = [
        ("core", &[]),
        ("sdk", &["core"]),
        ("registry", &["core"]),
        ("engine/base", &["core"]),
        ("engine/recipe", &["base", "core"]),
        ("engine/hub", &["base"]),
        ("engine/report", &["base"]),
        ("engine/metrics", &[]),
        ("engine/weights", &["base", "core"]),
        ("engine/text", &["base", "core", "recipe"]),
        ("engine/executor", &["base", "core"]),
    ];
    for (folder, allowed) in allowed {
        let found = dependencies(folder);
        let more: Vec<_> = found.iter().filter(|name| !allowed.contains(&name.as_str())).collect();
        assert!(more.is_empty(), "{folder} depends on {more:?}");
    }
    for plugins in fs::read_dir(root().join("plugins")).unwrap() {
        let folder = format!("plugins/{}", plugins.unwrap().file_name().to_str().unwrap());
        assert_eq!(dependencies(&folder), BTreeSet::from(["sdk".to_owned()]), "{folder}");
    }
}

fn sources(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => sources(&path, files),
            false if path.extension().is_some_and(|ending| ending == "rs") => files.push(path),
            false => {}
        }
    }
}

/// The modules of the engine's crate, each with those that its code names after `crate::`.
fn modules() -> BTreeMap<String, BTreeSet<String>> {
    let folder = root().join("engine/src");
    let mut files = Vec::new();
    sources(&folder, &mut files);
    let mut modules: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for file in files {
        let part = file.strip_prefix(&folder).unwrap().components().next().unwrap();
        let module = part.as_os_str().to_str().unwrap().trim_end_matches(".rs").to_owned();
        let text = fs::read_to_string(&file).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap();
        let used = modules.entry(module.clone()).or_default();
        for after in code.split("crate::").skip(1) {
            match after.strip_prefix('{') {
                Some(list) => used.extend(first_words(list)),
                None => {
                    used.extend(after.split(|c: char| !(c.is_alphanumeric() || c == '_')).next().map(str::to_owned))
                }
            }
        }
        used.remove(&module);
    }
    modules.remove("lib");
    let names: BTreeSet<String> = modules.keys().cloned().collect();
    modules.values_mut().for_each(|used| used.retain(|name| names.contains(name)));
    modules
}

/// The first words of the members of `{a::{b, c}, d}`, which begins behind its brace.
fn first_words(list: &str) -> BTreeSet<String> {
    let (mut depth, mut words, mut word, mut at_start) = (0, BTreeSet::new(), String::new(), true);
    for c in list.chars() {
        match c {
            '}' if depth == 0 => break,
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                words.insert(std::mem::take(&mut word));
                at_start = true;
                continue;
            }
            _ => {}
        }
        if at_start && (c.is_alphanumeric() || c == '_') {
            word.push(c);
        } else if !word.is_empty() {
            at_start = false;
        }
    }
    words.insert(word);
    words.remove("");
    words
}

/// What a command does from its beginning to its end.
const TASKS: [&str; 12] = [
    "compare",
    "doctor",
    "evaluate",
    "export",
    "generate",
    "numeric",
    "plan",
    "prepare",
    "preview",
    "runs",
    "train",
    "train_tokenizer",
];

#[test]
fn tasks_never_import_tasks() {
    let modules = modules();
    assert!(modules.len() > 15, "{modules:?}");
    for task in TASKS {
        let used = modules.get(task).unwrap_or_else(|| panic!("there is no task `{task}`"));
        let others: Vec<_> = TASKS.iter().filter(|other| used.contains(**other)).collect();
        assert!(others.is_empty(), "{task} imports {others:?}");
    }
    for (module, used) in modules.iter().filter(|(module, _)| !TASKS.contains(&module.as_str())) {
        let tasks: Vec<_> = TASKS.iter().filter(|task| used.contains(**task)).collect();
        assert!(tasks.is_empty(), "{module} imports {tasks:?}");
    }
}

#[test]
fn modules_import_each_other_in_one_direction() {
    let mut left = modules();
    // Takes away what imports nothing that is left, until nothing is left.
    while !left.is_empty() {
        let names: BTreeSet<String> = left.keys().cloned().collect();
        let free: Vec<String> =
            left.iter().filter(|(_, used)| used.is_disjoint(&names)).map(|(name, _)| name.clone()).collect();
        assert!(!free.is_empty(), "these import each other in a circle: {left:#?}");
        free.iter().for_each(|name| drop(left.remove(name)));
    }
}
