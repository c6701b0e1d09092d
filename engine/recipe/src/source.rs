//! Where in a recipe something is, and what was found wrong there.

use framework_base::{Error, Place, Problem, Result};
use std::path::{Path, PathBuf};

/// Where a value came from, in the order in which problems are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Origin {
    /// A default; the recipe does not mention it.
    Default,
    /// The recipe, at this byte.
    File(usize),
    /// The override with this number.
    Set(usize),
}

/// A recipe's text and the overrides that go with it.
#[derive(Debug, Clone)]
pub(super) struct RecipeText {
    pub(super) path: PathBuf,
    pub(super) text: String,
    pub(super) overrides: Vec<String>,
}

impl RecipeText {
    /// The place as the user knows it.
    pub(super) fn place(&self, origin: Origin) -> Place {
        match origin {
            Origin::Default => Place { file: self.path.clone(), position: None },
            Origin::File(byte) => Place { file: self.path.clone(), position: Some(self.position(byte)) },
            Origin::Set(index) => Place { file: format!("--set {}", self.overrides[index]).into(), position: None },
        }
    }

    fn position(&self, byte: usize) -> (usize, usize) {
        let before = &self.text[..self.text.floor_char_boundary(byte)];
        let line_start = before.rfind('\n').map_or(0, |i| i + 1);
        (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
    }

    /// The text of the line that a byte is in.
    pub(super) fn line(&self, byte: usize) -> &str {
        let (before, after) = self.text.split_at(self.text.floor_char_boundary(byte));
        let start = before.rfind('\n').map_or(0, |i| i + 1);
        &self.text[start..before.len() + after.find('\n').unwrap_or(after.len())]
    }

    /// The folder that a relative path starts from: the recipe's, or for overrides the working directory.
    pub(super) fn base(&self, origin: Origin) -> &Path {
        match origin {
            Origin::Set(_) => Path::new(""),
            _ => self.path.parent().unwrap_or(Path::new("")),
        }
    }

    /// The characters of an override's value, unless it is a list or a table.
    pub(super) fn raw(&self, origin: Origin) -> Option<&str> {
        let Origin::Set(index) = origin else { return None };
        let (_, value) = self.overrides[index].split_once('=')?;
        (!value.trim_start().starts_with(['[', '{'])).then_some(value)
    }
}

/// The problems of a recipe; all of them are told at once, in the order of the text.
#[derive(Debug, Default)]
pub(super) struct Findings(Vec<Finding>);

#[derive(Debug, PartialEq)]
struct Finding {
    origin: Origin,
    problem: Problem,
    /// A list of keys that goes with the first problem that it helps with.
    keys: Option<String>,
}

impl Findings {
    /// Notes a problem with a key (empty: none in particular).
    pub(super) fn add(&mut self, source: &RecipeText, origin: Origin, key: &str, problem: Problem) {
        self.add_listing(source, origin, key, problem, None);
    }

    /// As [`Findings::add`], with a list of keys. The same list is printed once.
    pub(super) fn add_listing(
        &mut self,
        source: &RecipeText,
        origin: Origin,
        key: &str,
        mut problem: Problem,
        keys: Option<String>,
    ) {
        problem.place = Some(source.place(origin));
        if !key.is_empty() {
            problem.key = Some(key.to_owned());
        }
        // two checks may come upon the same thing
        let finding = Finding { origin, problem, keys };
        if !self.0.contains(&finding) {
            self.0.push(finding);
        }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Takes over problems found elsewhere.
    pub(super) fn append(&mut self, mut others: Findings) {
        self.0.append(&mut others.0);
    }

    /// Everything that was found, as one error.
    pub(super) fn finish(mut self) -> Result<()> {
        if self.0.is_empty() {
            return Ok(());
        }
        self.0.sort_by_key(|finding| finding.origin);
        let mut printed = Vec::new();
        let problems = self.0.into_iter().map(|Finding { mut problem, keys, .. }| {
            if let Some(keys) = keys.filter(|keys| !printed.contains(keys)) {
                problem.help = Some(problem.help.map_or(keys.clone(), |help| format!("{help} {keys}")));
                printed.push(keys);
            }
            problem
        });
        Err(Error::Invalid(problems.collect()))
    }
}
