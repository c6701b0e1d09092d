//! Loads plugin libraries: from the outside in, believing nothing before it is checked.

mod format;
mod header;
mod layout;

use crate::LoadError;
use framework_core::{PluginError, ffi::Declaration};
use std::path::Path;

/// The plugins of the library at a canonical path. The library stays loaded for good: nothing knows when the last
/// function pointer into it is gone.
pub(crate) fn load(path: &Path) -> Result<Vec<Declaration>, LoadError> {
    // Opening a file runs its initialisers; so nothing is opened that cannot be a library for this machine.
    format::check(path)?;
    header::check(path)?;
    let root = layout::root(path)?;
    let declarations = framework_core::ffi::declarations(root).map_err(LoadError::Listing)?;
    if declarations.is_empty() {
        return Err(LoadError::Empty);
    }
    for declaration in &declarations {
        if declaration.about.kind != declaration.build.kind() {
            let what = format!("{} builds a plugin of kind {}", declaration.about.label(), declaration.build.kind());
            return Err(LoadError::Listing(PluginError::new(what)));
        }
    }
    tracing::debug!(path = %path.display(), plugins = declarations.len(), "loaded a plugin library");
    Ok(declarations)
}
