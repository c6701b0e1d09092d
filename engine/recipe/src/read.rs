//! The recipe's file: bytes to text.

use framework_base::{Error, Problem, Result, suggest::nearest};
use std::path::Path;

/// The text of a recipe. UTF-16, which Windows' shells and editors write, is read too if it begins with a byte order
/// mark.
pub(super) fn text(path: &Path) -> Result<String> {
    if path.is_dir() {
        return Err(Error::invalid(folder(path)));
    }
    let bytes = std::fs::read(path).map_err(|e| unreadable(path, &e))?;
    decode(&bytes).map_err(|what| {
        let problem = Problem::new(format!("{} is not a recipe: {what}", path.display()));
        Error::invalid(problem.help("a recipe is a TOML file; save it as UTF-8"))
    })
}

fn decode(bytes: &[u8]) -> Result<String, String> {
    let wide = |rest: &[u8], unit: fn([u8; 2]) -> u16| {
        let (pairs, odd) = rest.as_chunks();
        let units: Vec<_> = pairs.iter().copied().map(unit).collect();
        let text = String::from_utf16(&units).ok().filter(|_| odd.is_empty());
        text.ok_or_else(|| "it begins like UTF-16, but is not valid UTF-16".to_owned())
    };
    match bytes {
        [0xff, 0xfe, rest @ ..] => wide(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => wide(rest, u16::from_be_bytes),
        _ => utf8(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)),
    }
}

fn utf8(bytes: &[u8]) -> Result<String, String> {
    if bytes.contains(&0) {
        return Err("it is a binary file".into());
    }
    std::str::from_utf8(bytes).map(str::to_owned).map_err(|e| {
        let line = bytes[..e.valid_up_to()].iter().filter(|byte| **byte == b'\n').count() + 1;
        format!("line {line} is not valid UTF-8")
    })
}

fn folder(path: &Path) -> Problem {
    let names = recipes(path);
    let help = match names.iter().find(|name| *name == "recipe.toml").or(names.first()) {
        Some(name) => format!("did you mean {}?", path.join(name).display()),
        None => "give the recipe's file; `framework init` writes one".to_owned(),
    };
    Problem::new(format!("{} is a folder; expected a recipe file", path.display())).help(help)
}

fn unreadable(path: &Path, e: &std::io::Error) -> Error {
    let problem = match e.kind() {
        std::io::ErrorKind::NotFound => Problem::new(format!("there is no recipe {}", path.display())),
        _ => Problem::new(format!("cannot read the recipe {}: {e}", path.display())),
    };
    if path.exists() {
        return Error::invalid(problem);
    }
    let names = recipes(path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new(".")));
    let wanted = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
    let near = nearest(wanted, names.iter().map(String::as_str));
    let help = near.map(|name| format!("did you mean {}?", path.with_file_name(name).display()));
    Error::invalid(Problem { help, ..problem })
}

/// The names of a folder's TOML files, sorted.
fn recipes(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut names: Vec<_> = names.filter(|name| name.ends_with(".toml")).collect();
    names.sort();
    names
}
