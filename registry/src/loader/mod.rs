//! Loads plugin libraries: from the outside in, believing nothing before it is checked.

mod format;
mod header;
mod layout;

use crate::{LoadError, error::SDK};
use framework_core::{
    PluginError,
    ffi::{Declaration, Listed},
};
use std::path::Path;

/// The plugins of the library at a canonical path. The library stays loaded for good: nothing knows when the last
/// function pointer into it is gone.
pub(crate) fn load(path: &Path) -> Result<Vec<Declaration>, LoadError> {
    // Opening a file runs its initialisers; so nothing is opened that cannot be a library for this machine.
    format::check(path)?;
    let sdk = header::check(path)?;
    let root = layout::root(path).map_err(|why| LoadError::Layout { sdk, why })?;
    let Listed { plugins, unknown } = framework_core::ffi::declarations(root).map_err(LoadError::Listing)?;
    if plugins.is_empty() {
        return Err(if unknown.is_empty() { LoadError::Empty } else { LoadError::UnknownKinds(unknown) });
    }
    for Declaration { about, build } in &plugins {
        if !build.builds(about.kind) {
            let what = format!("{} says that it is of a kind that it does not build", about.label());
            return Err(LoadError::Listing(PluginError::new(what)));
        }
    }
    if !unknown.is_empty() {
        let (path, unknown) = (path.display(), unknown.join(", "));
        tracing::warn!("{path}: {unknown} is left out: this program ({SDK}) has no such kind of plugin; update it");
    }
    tracing::debug!(path = %path.display(), plugins = plugins.len(), "loaded a plugin library");
    Ok(plugins)
}
