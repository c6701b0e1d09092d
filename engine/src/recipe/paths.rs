//! Paths in a recipe: where they start from, and what must be there.

use super::{
    source::{Origin, Source},
    suggest::nearest,
};
use crate::Problem;
use std::path::{Path, PathBuf};

/// What a path must lead to: a file or folder, or by the schema's `x-path` something more particular.
pub(super) fn resolve(source: &Source, origin: Origin, given: &str, what: Option<&str>) -> Result<PathBuf, Problem> {
    if given.is_empty() {
        return Err(Problem::new("is empty; expected a path"));
    }
    // as the user would look for it
    let shown = match (given.strip_prefix("~/"), std::env::home_dir()) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => source.base(origin).join(given),
    };
    if !shown.exists() {
        return Err(missing(origin, given, &shown, what));
    }
    match what {
        Some("model") => folder_with(&shown, "config.json", "a Hugging Face model folder")?,
        Some("adapter") => folder_with(&shown, "adapter_config.json", "a PEFT adapter folder")?,
        Some("tokenizer") if shown.is_dir() => folder_with(&shown, "tokenizer.json", "a tokenizer's folder")?,
        _ => {}
    }
    Ok(absolute(&shown))
}

fn folder_with(path: &Path, file: &str, what: &str) -> Result<(), Problem> {
    let shown = path.display();
    if !path.is_dir() {
        return Err(Problem::new(format!("{shown} is a file; expected {what}, with {file} in it")));
    }
    if !path.join(file).exists() {
        return Err(Problem::new(format!("there is no {file} in {shown}; expected {what}")));
    }
    Ok(())
}

fn missing(origin: Origin, given: &str, shown: &Path, what: Option<&str>) -> Problem {
    if what == Some("model") && is_hub_id(given) {
        let name = given.rsplit('/').next().unwrap_or(given);
        return Problem::new(format!(
            "there is no folder {}, and this version does not download from the Hugging Face hub",
            shown.display()
        ))
        .help(format!("download it and give its folder: hf download {given} --local-dir {name}"));
    }
    let message = format!("there is no file or folder {}", shown.display());
    let folder = shown.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let names: Vec<String> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    let wanted = shown.file_name().and_then(|n| n.to_str()).unwrap_or_default();
    let from = if matches!(origin, Origin::Set(_)) { "the working directory" } else { "the recipe's folder" };
    let help = match nearest(wanted, names.iter().map(String::as_str)) {
        Some(name) => format!("did you mean {}?", shown.with_file_name(name).display()),
        None if Path::new(given).is_absolute() => "check the path".to_owned(),
        None if !folder.is_dir() => {
            format!("there is no folder {} either; paths start from {from}", folder.display())
        }
        None => format!("paths start from {from}"),
    };
    Problem::new(message).help(help)
}

/// `owner/name`, as the Hugging Face hub has it.
fn is_hub_id(text: &str) -> bool {
    let word = |w: &str| {
        w.starts_with(|c: char| c.is_alphanumeric())
            && w.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
    };
    text.split_once('/').is_some_and(|(owner, name)| word(owner) && word(name))
}

/// An absolute path without `..`. Links are followed only to get rid of those: a link's own name may tell the format.
pub(super) fn absolute(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    if !path.components().any(|c| c == std::path::Component::ParentDir) {
        return path;
    }
    let folder = path.parent().and_then(|p| p.canonicalize().ok());
    match (folder, path.file_name()) {
        (Some(folder), Some(name)) => folder.join(name),
        _ => path.canonicalize().unwrap_or(path),
    }
}
