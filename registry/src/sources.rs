//! Where plugins are looked for: only where the user says, and never in the working directory by itself.

use crate::{LoadError, Problem};
use std::{
    collections::BTreeSet,
    env,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
};

/// The environment variable that lists plugin libraries and folders of them, separated as in `PATH`.
pub const PATH_VARIABLE: &str = "FRAMEWORK_PLUGIN_PATH";

/// Where plugins are looked for.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// Whether plugins linked into this program count.
    pub linked: bool,
    /// Libraries, or folders of them, that the recipe or the command line names.
    pub libraries: Vec<PathBuf>,
    /// The SHA-256, in hexadecimal, that libraries must have. Of another one, no code runs.
    pub pinned: Vec<(PathBuf, String)>,
    /// The value of [`PATH_VARIABLE`], empty if it is not set; none if it is not to be heeded.
    pub path_variable: Option<OsString>,
    /// The user's plugin folder, which need not exist.
    pub user_folder: Option<PathBuf>,
}

impl Sources {
    /// Everything: linked-in plugins, these libraries, the environment variable and the user's plugin folder.
    pub fn new(libraries: &[PathBuf]) -> Self {
        Self {
            linked: true,
            libraries: libraries.to_vec(),
            pinned: Vec::new(),
            path_variable: Some(env::var_os(PATH_VARIABLE).unwrap_or_default()),
            user_folder: Self::default_user_folder(),
        }
    }

    /// These libraries and nothing else.
    pub fn only(libraries: &[PathBuf]) -> Self {
        Self { libraries: libraries.to_vec(), ..Self::default() }
    }

    /// `framework/plugins` in the user's data folder: `$XDG_DATA_HOME` or `~/.local/share` on Linux.
    pub fn default_user_folder() -> Option<PathBuf> {
        dirs::data_dir().map(|data| data.join("framework").join("plugins"))
    }

    /// The SHA-256 that the library of this canonical path must have.
    pub(crate) fn pin(&self, library: &Path) -> Option<&str> {
        let same = |(path, _): &&(PathBuf, String)| fs::canonicalize(path).is_ok_and(|path| path == library);
        self.pinned.iter().find(same).map(|(_, hash)| hash.as_str())
    }

    /// The libraries, by canonical path and each once; what is missing; and sentences on where was looked.
    pub(crate) fn collect(&self) -> Found {
        let mut found = Found::default();
        match self.libraries.as_slice() {
            [] => found.looked.push("the recipe's `plugins` and `--plugin` (none named)".into()),
            named => found.looked.extend(named.iter().map(|path| path.display().to_string())),
        }
        self.libraries.iter().for_each(|path| found.add(path));
        match &self.path_variable {
            None => {}
            Some(value) if value.is_empty() => found.looked.push(format!("{PATH_VARIABLE} (not set)")),
            Some(value) => {
                found.looked.push(format!("{PATH_VARIABLE} ({})", value.to_string_lossy()));
                // An empty element would mean the working directory to other programs; here it means nothing.
                env::split_paths(value).filter(|p| !p.as_os_str().is_empty()).for_each(|path| found.add(&path));
            }
        }
        match &self.user_folder {
            Some(folder) if folder.is_dir() => {
                found.looked.push(folder.display().to_string());
                found.add(folder);
            }
            Some(folder) => found.looked.push(format!("{} (no such folder)", folder.display())),
            None => {}
        }
        found
    }
}

/// What there is to load.
#[derive(Default)]
pub(crate) struct Found {
    pub libraries: Vec<PathBuf>,
    pub problems: Vec<Problem>,
    pub looked: Vec<String>,
    seen: BTreeSet<PathBuf>,
}

impl Found {
    /// A file counts whatever it is called; of a folder, the files that are named like libraries.
    fn add(&mut self, path: &Path) {
        let listed = match path.is_dir() {
            true => libraries_in(path),
            false => Ok(vec![path.to_owned()]),
        };
        match listed {
            Ok(files) => files.iter().for_each(|file| self.add_file(file)),
            Err(why) => self.problems.push(Problem::Library { path: path.to_owned(), why }),
        }
    }

    fn add_file(&mut self, path: &Path) {
        // Canonical, so that a library is known again, and so that the system does not search for it by name.
        match fs::canonicalize(path) {
            Ok(canonical) => {
                if self.seen.insert(canonical.clone()) {
                    self.libraries.push(canonical);
                }
            }
            Err(e) => self.problems.push(Problem::Library { path: path.to_owned(), why: LoadError::unreadable(&e) }),
        }
    }
}

fn libraries_in(folder: &Path) -> Result<Vec<PathBuf>, LoadError> {
    let entries = fs::read_dir(folder).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let entries = entries.map_err(|e| LoadError::unreadable(&e))?;
    let mut files: Vec<_> = entries.into_iter().map(|entry| entry.path()).filter(|path| is_library(path)).collect();
    files.sort();
    Ok(files)
}

fn is_library(path: &Path) -> bool {
    path.extension().is_some_and(|e| e == env::consts::DLL_EXTENSION) && path.is_file()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_give_their_libraries_and_each_file_counts_once() {
        let folder = tempfile::tempdir().unwrap();
        let library = folder.path().join(format!("a.{}", env::consts::DLL_EXTENSION));
        fs::write(&library, "").unwrap();
        fs::write(folder.path().join("notes.txt"), "").unwrap();
        let sources = Sources {
            libraries: vec![library.clone(), folder.path().join(".").join(library.file_name().unwrap())],
            path_variable: Some(env::join_paths([folder.path(), Path::new("")]).unwrap()),
            user_folder: Some(folder.path().join("absent")),
            ..Sources::default()
        };
        let found = sources.collect();
        assert_eq!(found.libraries, [library.canonicalize().unwrap()]);
        assert!(found.problems.is_empty());
        assert!(found.looked.last().unwrap().ends_with("absent (no such folder)"));
    }

    #[test]
    fn what_is_named_must_exist() {
        let found = Sources::only(&["no/such/libfoo.so".into(), "nor/this".into()]).collect();
        let sentences: Vec<_> = found.problems.iter().map(|p| p.to_string()).collect();
        assert_eq!(sentences[0], "no/such/libfoo.so: there is no such file; correct the path or build the library");
        assert_eq!(sentences.len(), 2);
    }
}
