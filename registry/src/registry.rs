//! All plugins of a run, each found once.

use crate::{Entry, LoadError, Origin, Problem, RegistryError, Sources, Unknown, hash, loader};
use framework_core::{
    Kind,
    ffi::{Declaration, install_panic_hook, linked},
};
use std::{
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

/// All plugins of a run.
#[derive(Debug, Clone)]
pub struct Registry {
    entries: Vec<Entry>,
    looked: Vec<String>,
}

impl Registry {
    /// The plugins linked into this program, those of `libraries` (files or folders), of the
    /// [environment variable](crate::PATH_VARIABLE) and of the user's plugin folder.
    ///
    /// The error names everything that is wrong, not only the first.
    pub fn open(libraries: &[PathBuf]) -> Result<Self, RegistryError> {
        Self::open_with(&Sources::new(libraries))
    }

    /// The plugins of `libraries` and no others.
    pub fn from_libraries(libraries: &[PathBuf]) -> Result<Self, RegistryError> {
        Self::open_with(&Sources::only(libraries))
    }

    /// The plugins of these sources.
    pub fn open_with(sources: &Sources) -> Result<Self, RegistryError> {
        install_panic_hook();
        let found = sources.collect();
        let mut problems = found.problems;
        let mut entries: Vec<Entry> = Vec::new();
        let mut add = |origin: &Origin, hash: OnceLock<String>, declarations: Vec<Declaration>| {
            let hash = Arc::new(hash);
            entries.extend(declarations.into_iter().map(|Declaration { about, build }| Entry {
                about,
                origin: origin.clone(),
                build,
                hash: hash.clone(),
            }));
        };
        if sources.linked {
            add(&Origin::Linked, OnceLock::new(), linked());
        }
        for path in found.libraries {
            let loaded = check_hash(&path, sources.pin(&path)).and_then(|hash| Ok((hash, loader::load(&path)?)));
            match loaded {
                Ok((hash, declarations)) => add(&Origin::Library(path), hash, declarations),
                Err(why) => problems.push(Problem::Library { path, why }),
            }
        }
        problems.extend(duplicates(&entries));
        if !problems.is_empty() {
            return Err(RegistryError { problems });
        }
        entries.sort_by(|a, b| (a.about.kind, &a.about.name).cmp(&(b.about.kind, &b.about.name)));
        Ok(Self { entries, looked: found.looked })
    }

    /// The plugins of a kind, or all of them, by kind and name.
    pub fn list(&self, kind: Option<Kind>) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(move |e| kind.is_none_or(|kind| e.about.kind == kind))
    }

    /// The plugin of this kind and name.
    pub fn find(&self, kind: Kind, name: &str) -> Result<&Entry, Unknown> {
        self.list(Some(kind)).find(|e| e.about.name == name).ok_or_else(|| self.unknown(kind, name))
    }

    /// The plugin of this kind that has this name or alias: a `model_type` or a `peft_type` of another tool's file.
    pub fn by_alias(&self, kind: Kind, alias: &str) -> Result<&Entry, Unknown> {
        let known = |e: &&Entry| names(e).any(|n| n == alias);
        self.list(Some(kind)).find(known).ok_or_else(|| self.unknown(kind, alias))
    }

    /// All plugins of a kind that know an alias.
    pub fn all_by_alias(&self, kind: Kind, alias: &str) -> Vec<&Entry> {
        self.list(Some(kind)).filter(|e| names(e).any(|n| n == alias)).collect()
    }

    /// Where dynamic libraries were looked for, in words.
    pub fn looked(&self) -> &[String] {
        &self.looked
    }

    fn unknown(&self, kind: Kind, name: &str) -> Unknown {
        let likeness = |candidate: &str| strsim::jaro_winkler(&name.to_lowercase(), &candidate.to_lowercase());
        let nearest = self
            .list(Some(kind))
            .map(|e| (names(e).map(likeness).fold(0.0, f64::max), likeness(&e.about.name), &e.about.name))
            .filter(|(likeness, ..)| *likeness > 0.75)
            // Of those with a like alias, the one with the likest name.
            .max_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
        Unknown {
            kind,
            name: name.to_owned(),
            nearest: nearest.map(|(.., name)| name.clone()),
            names: self.list(Some(kind)).map(|e| e.about.name.clone()).collect(),
            other: self.entries.iter().find(|e| e.about.name == name && e.about.kind != kind).map(|e| e.about.kind),
            looked: self.looked.clone(),
        }
    }
}

/// The hash of a library, if it has to be a certain one.
fn check_hash(path: &Path, pinned: Option<&str>) -> Result<OnceLock<String>, LoadError> {
    let Some(pinned) = pinned else { return Ok(OnceLock::new()) };
    let found = hash::sha256(path).map_err(|e| LoadError::unreadable(&e))?;
    match found.eq_ignore_ascii_case(pinned) {
        true => Ok(found.into()),
        false => Err(LoadError::OtherHash { pinned: pinned.to_owned(), found }),
    }
}

/// All that a plugin is called.
fn names(entry: &Entry) -> impl Iterator<Item = &str> {
    std::iter::once(&entry.about.name).chain(&entry.about.aliases).map(String::as_str)
}

fn is_alias(entry: &Entry, name: &str) -> bool {
    entry.about.aliases.iter().any(|alias| alias == name)
}

fn duplicates(entries: &[Entry]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (i, second) in entries.iter().enumerate() {
        for first in entries[..i].iter().filter(|e| e.about.kind == second.about.kind) {
            // Several adapters may read one type of PEFT's files.
            let shared =
                |name: &str| second.about.kind == Kind::Adapter && is_alias(first, name) && is_alias(second, name);
            if let Some(name) = names(second).find(|name| names(first).any(|n| n == *name) && !shared(name)) {
                problems.push(Problem::Duplicate {
                    kind: second.about.kind,
                    name: name.to_owned(),
                    first: first.origin.clone(),
                    second: second.origin.clone(),
                });
            }
        }
    }
    problems
}
