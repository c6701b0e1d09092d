//! The token cache: a corpus that was made once is taken from disk when everything that it was made of is the same.
//!
//! What it is made of is the recipe's data tables, the content of the files that they name, the plugins and the
//! tokenizer. A dataset whose schema does not say `"x-reads": "paths"` may read anything, and is not cached.

use crate::{
    run::{LockedPlugin, read_files},
    session::Session,
};
use framework_base::files::sha256;
use framework_base::{Result, files};
use framework_core::Kind;
use framework_text::{
    data::{Corpus, cache},
    tokenizer::Tokenizer,
};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

/// The environment variable that names the cache's folder. Empty: there is none.
const FOLDER: &str = "FRAMEWORK_TOKEN_CACHE";
/// The environment variable for the most bytes that the cache may hold.
const LIMIT: &str = "FRAMEWORK_TOKEN_CACHE_BYTES";
const DEFAULT_LIMIT: u64 = 8 << 30;
const ENDING: &str = "tokens";

/// A place in the cache.
pub(crate) struct Place {
    folder: PathBuf,
    limit: u64,
    key: String,
}

impl Place {
    /// The recipe's place; none if its data is not to be cached, or may be made of what is not known.
    pub(crate) fn of(session: &Session, tokenizer: &Tokenizer) -> Option<Self> {
        let folder = folder().filter(|_| session.recipe.data.cache)?;
        let limit = env::var(LIMIT).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(DEFAULT_LIMIT);
        // What cannot be read is for those to tell who need it.
        let key = key(session, tokenizer).ok()??;
        Some(Self { folder, limit, key })
    }

    fn file(&self) -> PathBuf {
        self.folder.join(&self.key).with_extension(ENDING)
    }

    /// The corpus, if it is there. A damaged one is not.
    pub(crate) fn read(&self) -> Option<Corpus> {
        let file = self.file();
        if !file.exists() {
            return None;
        }
        match cache::read(&file) {
            Ok(corpus) => {
                tracing::info!("the examples come from the token cache: {}", file.display());
                // What was used last is removed last.
                let _ = fs::File::options().append(true).open(&file).and_then(|f| f.set_modified(SystemTime::now()));
                Some(corpus)
            }
            Err(why) => {
                tracing::warn!("{} in the token cache is damaged ({why}); it is made anew", file.display());
                None
            }
        }
    }

    /// Keeps a corpus. That it cannot be kept is no reason to stop.
    pub(crate) fn write(&self, corpus: &Corpus) {
        let written = files::create_dir(&self.folder).and_then(|()| cache::write(&self.file(), corpus));
        match written {
            Ok(true) => prune(&self.folder, self.limit, &self.file()),
            Ok(false) => {}
            Err(e) => tracing::warn!("the token cache was not written: {e}"),
        }
    }
}

/// `framework/tokens` in the user's cache folder, unless the environment says otherwise.
pub(crate) fn folder() -> Option<PathBuf> {
    if let Some(folder) = env::var_os(FOLDER) {
        return (!folder.is_empty()).then(|| folder.into());
    }
    let set = env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let caches = set.or_else(|| Some(env::home_dir()?.join(".cache")))?;
    Some(caches.join("framework").join("tokens"))
}

/// A hash of all that the corpus is made of; none if that is not known.
fn key(session: &Session, tokenizer: &Tokenizer) -> Result<Option<String>> {
    let recipe = &session.recipe;
    let mut plugins = Vec::new();
    for (kind, name) in (recipe.dataset.iter().map(|d| (Kind::Dataset, &d.plugin)))
        .chain(recipe.augment.iter().map(|a| (Kind::Augmenter, &a.plugin)))
    {
        let entry = session.entry(kind, name)?;
        if kind == Kind::Dataset && entry.about.schema["x-reads"] != "paths" {
            return Ok(None);
        }
        plugins.push(json!(LockedPlugin::of(entry)?));
    }
    let mut read = BTreeMap::new();
    for file in read_files(session)?.into_iter().filter(|file| file.is_file()) {
        read.insert(file.display().to_string(), sha256(&file)?);
    }
    let parts = json!({
        "framework": env!("CARGO_PKG_VERSION"),
        "program": program(),
        "seed": recipe.seed,
        "dataset": recipe.dataset,
        "augment": recipe.augment,
        "prompt": recipe.prompt,
        "rows": format!("{:?}", (recipe.objective.name.rows(), &recipe.objective.row_weight)),
        "bad_rows": recipe.data.bad_rows,
        "validation": recipe.validation,
        "plugins": plugins,
        "files": read,
        "tokenizer": tokenizer.fingerprint(),
    });
    Ok(Some(files::sha256_of(parts.to_string().as_bytes())))
}

/// What tells one build of this program from another of the same version.
fn program() -> Value {
    let about = env::current_exe().and_then(fs::metadata);
    let changed =
        about.as_ref().ok().and_then(|about| about.modified().ok()?.duration_since(SystemTime::UNIX_EPOCH).ok());
    json!([about.map_or(0, |about| about.len()), changed.unwrap_or_default().as_nanos().to_string()])
}

/// Removes what was not used for longest until the rest is within the limit, and what killed processes left behind.
fn prune(folder: &Path, limit: u64, keep: &Path) {
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let (path, Ok(about)) = (entry.path(), entry.metadata()) else { continue };
        let used = about.modified().unwrap_or(SystemTime::UNIX_EPOCH);
        let unfinished = entry.file_name().to_str().is_some_and(files::is_unfinished);
        if unfinished && used.elapsed().is_ok_and(|age| age > Duration::from_secs(24 * 3600)) {
            let _ = fs::remove_file(&path);
        } else if path.extension().is_some_and(|ending| ending == ENDING) {
            entries.push((used, about.len(), path));
        }
    }
    entries.sort();
    let mut total: u64 = entries.iter().map(|(_, size, _)| size).sum();
    for (_, size, path) in entries {
        if total > limit && path != keep && fs::remove_file(&path).is_ok() {
            total -= size;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_used_last_stays() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, age: u64| {
            let path = folder.path().join(name);
            fs::write(&path, [0; 10]).unwrap();
            let used = SystemTime::now() - Duration::from_secs(age);
            fs::File::options().append(true).open(&path).unwrap().set_modified(used).unwrap();
            path
        };
        let [old, new, other] = [file("a.tokens", 300), file("b.tokens", 200), file("c.txt", 900)];
        let [left, being_written] = [file(".writing-1", 90_000), file(".writing-2", 10)];
        let kept = file("k.tokens", 400);
        prune(folder.path(), 25, &kept);
        let there = [&old, &new, &other, &left, &being_written, &kept].map(|path| path.exists());
        assert_eq!(there, [false, true, true, false, true, true]);
    }
}
