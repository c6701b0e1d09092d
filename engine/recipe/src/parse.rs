//! Reading: text to values with places, and overrides on top.

use super::{
    Library, Pinned,
    node::Node,
    overrides, paths, read,
    source::{Findings, Origin, RecipeText},
};
use framework_base::{Problem, Result};
use std::path::{Path, PathBuf};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// What to do about a path of Windows in a string with escapes.
pub(super) const BACKSLASH: &str =
    "in \"…\" a backslash begins an escape; write the path in single quotation marks, 'C:\\data\\x', or with /";

/// A recipe that has been read but not checked.
#[derive(Debug, Clone)]
pub struct Parsed {
    pub(super) source: RecipeText,
    pub(super) root: Node,
    pub(super) needs_tokenizer: bool,
    /// The folder of the model that `model.weights` names by its id on the hub, once it is known.
    pub(super) from_hub: Option<PathBuf>,
}

fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.chars().all(|c| c.is_ascii_hexdigit())
}

/// Reads a recipe file and applies overrides of the form `path.to.key=value`.
pub fn parse(path: &Path, overrides: &[String]) -> Result<Parsed> {
    parse_text(path, read::text(path)?, overrides)
}

/// As [`parse`], for a text; `path` is where it would lie.
pub fn parse_text(path: &Path, text: impl Into<String>, overrides: &[String]) -> Result<Parsed> {
    let source = RecipeText { path: path.to_owned(), text: text.into(), overrides: overrides.to_vec() };
    let mut found = Findings::default();
    let (table, errors) = DeTable::parse_recoverable(&source.text);
    let mut line = 0;
    let mut errors: Vec<_> = errors.iter().map(|e| (e.span().unwrap_or(0..0), e.message())).collect();
    errors.sort_by_key(|(span, _)| span.start);
    for (span, message) in errors {
        // what follows on the same line is most often a consequence
        let origin = Origin::File(span.start);
        let this_line = source.place(origin).position.map_or(0, |(line, _)| line);
        if this_line != line {
            let backslash = source.line(span.start).contains('\\');
            found.add(&source, origin, "", syntax(message, source.text.get(span).unwrap_or_default(), backslash));
        }
        line = this_line;
    }
    let mut too_large = Vec::new();
    let table = Spanned::new(table.span(), DeValue::Table(table.into_inner()));
    let mut root = Node::from_toml(&table, &mut too_large);
    root.origin = Origin::File(0);
    for byte in too_large {
        found.add(&source, Origin::File(byte), "", Problem::new("the integer is too large"));
    }
    for (index, text) in overrides.iter().enumerate() {
        if let Err(problem) = overrides::apply(&mut root, index, text) {
            let key = problem.key.clone().unwrap_or_default();
            found.add(&source, Origin::Set(index), &key, problem);
        }
    }
    found.finish()?;
    Ok(Parsed { source, root, needs_tokenizer: true, from_hub: None })
}

/// What a problem with the grammar means; `backslash` says whether there is one in the line.
fn syntax(message: &str, text: &str, backslash: bool) -> Problem {
    let escape = ["escape", "unicode", "hexadecimal"].iter().any(|word| message.contains(word));
    if escape && backslash {
        return Problem::new(format!("not valid TOML: {message}")).help(BACKSLASH);
    }
    match message.split(',').next().unwrap_or(message) {
        "string values must be quoted" | "invalid boolean" => {
            Problem::new("expected a value: a string in quotation marks, a number, true, false, [a list] or {a table}")
        }
        "duplicate key" => Problem::new(format!("`{text}` is given twice")).help("remove one of the two"),
        "unexpected leading zero" => Problem::new("a number must not start with 0").help("or is it a string? \"…\""),
        "key with no value" => Problem::new("expected `=` and a value after the key").help("a key is one word"),
        _ => Problem::new(format!("not valid TOML: {message}")),
    }
}

impl Parsed {
    /// The same recipe for work that stops at records: a model from scratch may have no tokenizer then.
    #[must_use]
    pub fn for_records(self) -> Self {
        Self { needs_tokenizer: false, ..self }
    }

    /// The dynamic libraries that the recipe names, with absolute paths.
    pub fn plugins(&self) -> Result<Vec<Library>> {
        let mut found = Findings::default();
        let mut all = Vec::new();
        let nodes = self.root.get("plugins").map(Node::elements).unwrap_or_default();
        for (i, node) in nodes.iter().enumerate() {
            let (mut path, mut key) = (node, format!("plugins.{i}"));
            if let Some(inner) = node.get("path") {
                (path, key) = (inner, format!("{key}.path"));
            }
            // Libraries are opened before the rest of the recipe is checked, which reports what is no string.
            let Some(given) = path.text() else { continue };
            let hash = node.get("sha256");
            if let Some(hash) = hash.filter(|hash| !hash.text().is_some_and(is_sha256)) {
                let problem = Problem::new(format!("expected 64 hexadecimal digits, found {}", hash.describe()))
                    .help("`framework list-plugins --plugin FILE` shows the hash of a library");
                found.add(&self.source, hash.origin, &format!("plugins.{i}.sha256"), problem);
                continue;
            }
            match (paths::resolve(&self.source, path.origin, given, None), hash.and_then(Node::text)) {
                (Ok(path), Some(_)) if path.is_dir() => {
                    let problem = Problem::new("is a folder; a hash is that of one library");
                    found.add(&self.source, node.origin, &key, problem);
                }
                (Ok(path), Some(hash)) => all.push(Library::Pinned(Pinned { path, sha256: hash.to_owned() })),
                (Ok(path), None) => all.push(Library::Path(path)),
                (Err(problem), _) => found.add(&self.source, path.origin, &key, problem),
            }
        }
        found.finish()?;
        Ok(all)
    }

    /// The recipe's file and the overrides that were given with it.
    pub fn named(&self) -> (&Path, &[String]) {
        (&self.source.path, &self.source.overrides)
    }

    /// A problem with a key, at its place: `plugins.0`, `dataset.1.path`, or the nearest table that there is.
    pub fn problem(&self, key: &str, message: impl Into<String>) -> Problem {
        let mut path = key;
        let node = loop {
            match (self.root.at(path), path.rsplit_once('.')) {
                (Some(node), _) => break node,
                (None, Some((parent, _))) => path = parent,
                (None, None) => break &self.root,
            }
        };
        let place = Some(self.source.place(node.origin));
        Problem { place, ..Problem::new(message).key(key) }
    }
}
