//! Where libraries with plugins are looked for, and what is in them.

use crate::session::PluginSources;
use framework_base::{Error, Result};
use framework_registry::{PATH_VARIABLE, Registry, Sources};
use serde::Serialize;
use std::{
    env,
    path::{Path, PathBuf},
};

/// A library, or a folder of libraries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Place {
    /// Who names it.
    pub named_by: &'static str,
    /// Where it is.
    pub path: PathBuf,
    /// Whether it exists; the user's plugin folder need not.
    pub exists: bool,
    /// Its plugins, each as kind and name.
    pub plugins: Vec<String>,
    /// Why it cannot be loaded.
    pub error: Option<String>,
}

impl Place {
    fn examine(named_by: &'static str, path: &Path, must_exist: bool) -> Self {
        let exists = path.exists();
        let (plugins, error) = match exists || must_exist {
            true => match Registry::from_libraries(&[path.to_owned()]) {
                Ok(registry) => (registry.list(None).map(|entry| entry.about.label()).collect(), None),
                Err(e) => (Vec::new(), Some(e.to_string())),
            },
            false => (Vec::new(), None),
        };
        Self { named_by, path: path.to_owned(), exists, plugins, error }
    }
}

/// The number of plugins that are linked in, all places, and whether they can be opened together, as every command does.
pub(super) fn examine(sources: &PluginSources) -> (usize, Vec<Place>, Result<(), Error>) {
    let linked = match sources.linked {
        true => {
            Registry::open_with(&Sources { linked: true, ..Sources::default() }).map_or(0, |r| r.list(None).count())
        }
        false => 0,
    };
    let mut places: Vec<_> = sources.libraries.iter().map(|path| Place::examine("--plugin", path, true)).collect();
    let variable = env::var_os(PATH_VARIABLE).unwrap_or_default();
    let named = env::split_paths(&variable).filter(|path| !path.as_os_str().is_empty());
    places.extend(named.map(|path| Place::examine(PATH_VARIABLE, &path, true)));
    places.extend(Sources::default_user_folder().map(|path| Place::examine("the user's plugin folder", &path, false)));
    (linked, places, sources.open(&[]).map(drop))
}
