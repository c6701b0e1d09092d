//! Paths in a recipe: where they start from, and what must be there. Models, tokenizers and adapters may also be ids on
//! the hub: what is there as a folder is that folder.

use super::{
    parse::BACKSLASH,
    source::{Origin, RecipeText},
};
use framework_base::{
    Problem,
    id::{Id, has_parent},
    suggest::nearest,
};
use std::path::{Path, PathBuf};

/// What a path must lead to: a file or folder, or by the schema's `x-path` something more particular.
pub(super) fn resolve(
    source: &RecipeText,
    origin: Origin,
    given: &str,
    what: Option<&str>,
) -> Result<PathBuf, Problem> {
    if given.is_empty() {
        return Err(Problem::new("is empty; expected a path"));
    }
    if what == Some("teacher") && given == "base" {
        return Ok(given.into());
    }
    let on_hub = matches!(what, Some("model" | "adapter" | "tokenizer" | "teacher"));
    if let (true, Some(named)) = (on_hub, given.strip_prefix("hf://")) {
        let id =
            Id::parse(named).ok_or_else(|| Problem::new("expected hf://owner/name, or hf://owner/name@revision"))?;
        return Ok(id.to_string().into());
    }
    if given.contains(char::is_control) {
        let problem = Problem::new(format!("the path {given:?} has a line break, a tab or the like in it"));
        return Err(problem.help(BACKSLASH));
    }
    // as the user would look for it
    let shown = match (given.strip_prefix("~/"), std::env::home_dir()) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => source.base(origin).join(given),
    };
    if !shown.exists() {
        return match Id::parse(given).filter(|_| on_hub) {
            Some(id) if !has_parent(&shown) => Ok(id.to_string().into()),
            id => {
                Err(missing(origin, given, &shown, id.as_ref(), matches!(what, Some("model" | "adapter" | "teacher"))))
            }
        };
    }
    match what {
        Some("teacher") if shown.join("recipe.toml").exists() || told(&shown) => {}
        Some("model" | "teacher") => folder_with(&shown, "config.json", "a Hugging Face model folder")?,
        Some("adapter") => folder_with(&shown, "adapter_config.json", "a PEFT adapter folder")?,
        Some("tokenizer") if shown.is_dir() => folder_with(&shown, "tokenizer.json", "a tokenizer's folder")?,
        _ => {}
    }
    Ok(absolute(&shown))
}

/// Whether it is what a teacher said, in a file.
fn told(path: &Path) -> bool {
    path.is_file() && path.extension().is_some_and(|ending| ending == "safetensors")
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

fn missing(origin: Origin, given: &str, shown: &Path, id: Option<&Id>, is_folder: bool) -> Problem {
    let message = format!("there is no file or folder {}", shown.display());
    let folder = shown.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let names: Vec<String> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        // A file is no hint for a folder: `pythia-14m` is not `pythia-14m-hr.toml`.
        .filter(|entry| !is_folder || entry.path().is_dir())
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    let wanted = shown.file_name().and_then(|n| n.to_str()).unwrap_or_default();
    let from = if matches!(origin, Origin::Set(_)) { "the working directory" } else { "the recipe's folder" };
    let help = match nearest(wanted, names.iter().map(String::as_str)) {
        Some(name) => format!("did you mean {}?", shown.with_file_name(name).display()),
        None if Path::new(given).is_absolute() => "check the path".to_owned(),
        None if !folder.is_dir() => {
            format!("there is no folder {} either; paths start from {from}", folder.display())
        }
        None if is_folder && id.is_none() => format!("paths start from {from}; ids on the hub are owner/name"),
        None => format!("paths start from {from}"),
    };
    let hub = id.map(|id| format!("; the one on the hub is hf://{id}")).unwrap_or_default();
    Problem::new(message).help(help + &hub)
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
