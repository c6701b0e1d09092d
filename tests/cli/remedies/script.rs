//! Remedies that are proved: what goes wrong, what is advised, and what the advice comes to, as shell scripts.

use super::{hubs::Hubs, lexer::one_line};
use crate::{
    plugins::library,
    setting::{Setting, base},
};
use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

/// A remedy, and how it is proved.
#[derive(Debug, Default)]
pub struct Case {
    /// File and line.
    pub at: String,
    /// The remedy as the source has it; what stands in `{…}` is the scripts' `$1`, `$2`, …
    pub remedy: String,
    setup: Vec<String>,
    wrong: String,
    /// Each is an alternative, or all are steps of what is advised.
    right: Vec<String>,
}

/// The cases of all files but `listed.txt`.
pub fn cases(folder: &Path) -> Vec<Case> {
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|e| e == "txt") && !file.ends_with("listed.txt"));
    files.sort();
    let mut cases = Vec::<Case>::new();
    for file in files {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        for (i, line) in fs::read_to_string(&file).unwrap().lines().enumerate() {
            let at = format!("{name}:{}", i + 1);
            match (line.split_once(": "), cases.last_mut()) {
                _ if line.is_empty() || line.starts_with('#') => {}
                (Some(("remedy", text)), _) => cases.push(Case { at, remedy: text.into(), ..Case::default() }),
                (Some(("setup", script)), Some(case)) => case.setup.push(script.into()),
                (Some(("wrong", script)), Some(case)) if case.wrong.is_empty() => case.wrong = script.into(),
                (Some(("right", script)), Some(case)) => case.right.push(script.into()),
                _ => panic!("{at}: {line}"),
            }
        }
    }
    cases
}

/// A model from scratch for the tokenizer of the base model, as an override.
const CONFIG: &str = "model.config={ vocab_size = 4096, hidden_size = 32, num_hidden_layers = 1, num_attention_heads = 2, \
                      intermediate_size = 64 }";

/// Runs a script in a setting; its exit status and all that it said.
fn run(setting: &Setting, hubs: &Hubs, script: &str, holes: &[String]) -> (bool, String) {
    let framework = setting.framework();
    let mut shell = Command::new("sh");
    let script = format!("exec 2>&1\nframework() {{ \"$FRAMEWORK\" \"$@\"; }}\n{script}");
    shell.args(["-c", &script, "sh"]).args(holes).current_dir(setting.path(".")).stdin(Stdio::null());
    for (name, value) in framework.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    for name in ["HF_HUB_CACHE", "HF_TOKEN", "HF_TOKEN_PATH", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "FRAMEWORK_CPU"]
    {
        shell.env_remove(name);
    }
    let [sound, damaging, busy] = &hubs.0;
    shell
        .env("FRAMEWORK", framework.get_program())
        .env("BASE", base())
        .env("CONFIG", CONFIG)
        .env("ROOT", env!("CARGO_MANIFEST_DIR"))
        .env("LIBRARY", library("good"))
        .env("HF_ENDPOINT", &sound.endpoint)
        .env("DAMAGING", &damaging.endpoint)
        .env("BUSY", &busy.endpoint)
        .env("HF_HOME", setting.path("hf"))
        .env("NO_PROXY", "127.0.0.1");
    let output = shell.output().unwrap();
    (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
}

impl Case {
    /// Whether what is advised is printed, and works.
    pub fn prove(&self, hubs: &Hubs) -> Result<(), String> {
        let Self { at, remedy, setup, wrong, right } = self;
        let setting = Setting::new();
        for script in setup {
            let (done, said) = run(&setting, hubs, script, &[]);
            if !done {
                return Err(format!("{at}: setup: {script}\n{said}"));
            }
        }
        let (_, said) = run(&setting, hubs, wrong, &[]);
        let Some(holes) = holes(remedy, &said) else {
            return Err(format!("{at}: `{remedy}` is not said by: {wrong}\n{said}"));
        };
        for script in right {
            let (done, said) = run(&setting, hubs, script, &holes);
            if !done || self::holes(remedy, &said).is_some() {
                let what = if done { "is advised again" } else { "fails" };
                return Err(format!("{at}: {what}: {script}\nwith {holes:?}\n{said}"));
            }
        }
        if right.is_empty() { Err(format!("{at}: nothing is done")) } else { Ok(()) }
    }
}

/// The remedy's fixed parts, between its `{…}`.
fn parts(remedy: &str) -> Vec<String> {
    let (mut parts, mut rest) = (vec![String::new()], remedy);
    while let Some(at) = rest.find('{') {
        let end = rest[at..].find('}').map(|length| at + length);
        let name = end.map(|end| rest[at + 1..end].split(':').next().unwrap_or_default());
        let is_hole = name.is_some_and(|name| name.chars().all(|c| c.is_alphanumeric() || c == '_'));
        let cut = match (is_hole, end) {
            (true, Some(end)) => {
                parts.last_mut().unwrap().push_str(&rest[..at]);
                parts.push(String::new());
                end + 1
            }
            _ => {
                let doubled = rest[at..].starts_with("{{");
                parts.last_mut().unwrap().push_str(&rest[..=at]);
                at + 1 + usize::from(doubled)
            }
        };
        rest = &rest[cut..];
    }
    parts.last_mut().unwrap().push_str(rest);
    parts
}

/// What stands in the place of a remedy's `{…}` where it is said; `None` if it is not.
pub fn holes(remedy: &str, said: &str) -> Option<Vec<String>> {
    // In texts that are no formats, two braces are two.
    let formatted: Vec<String> = parts(remedy).into_iter().map(|part| part.replace("}}", "}")).collect();
    found(&formatted, said).or_else(|| found(&[remedy.to_owned()], said))
}

fn found(parts: &[String], said: &str) -> Option<Vec<String>> {
    // Help of several lines is indented; a hole at either end is its line's.
    let said = said.lines().map(one_line).collect::<Vec<_>>().join("\n");
    let flat = said.replace('\n', " ");
    let (first, rest) = parts.split_first()?;
    let start = flat.find(first.as_str())?;
    let mut at = start + first.len();
    if first.is_empty() {
        let next = rest.first().filter(|part| !part.is_empty())?;
        at = said[..flat.find(next.as_str())?].rfind('\n').map_or(0, |line| line + 1);
    }
    let mut holes = Vec::new();
    for (i, part) in rest.iter().enumerate() {
        let length = match part.is_empty() && i + 1 == rest.len() {
            true => said[at..].find('\n').unwrap_or(said.len() - at),
            false => flat[at..].find(part.as_str())?,
        };
        holes.push(flat[at..at + length].to_owned());
        at += length + part.len();
    }
    Some(holes)
}

#[test]
fn holes_are_found_in_what_is_said() {
    let said = "error: a\n    Set it to 8 or\n    less.\n    did you mean `b`? the names are x, y";
    let holes = |remedy: &str| holes(remedy, said);
    assert_eq!(holes("Set it to {most} or less."), Some(vec!["8".into()]));
    assert_eq!(holes("{}the names are {names:?}"), Some(vec!["did you mean `b`? ".into(), "x, y".into()]));
    assert_eq!(holes("Set it to {most} or more."), None);
    assert_eq!(holes("Set {}{} to 8"), Some(vec!["".into(), "it".into()]));
    assert_eq!(self::holes("a {{ b }} {c}", "a { b } d"), Some(vec!["d".into()]));
    assert_eq!(self::holes("put `{{ output }}` there", "put `{{ output }}` there"), Some(vec![]));
}
