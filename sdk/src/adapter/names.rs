//! Names of modules.

use std::collections::BTreeSet;

/// Whether `name` is the module's name, or its last parts.
pub fn names_module(name: &str, module: &str) -> bool {
    module.strip_suffix(name).is_some_and(|before| before.is_empty() || before.ends_with('.'))
}

/// The last part of each name, once each, in order.
pub fn suffixes<'a>(modules: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut seen = BTreeSet::new();
    modules.filter_map(|module| module.rsplit('.').next()).filter(|suffix| seen.insert(*suffix)).collect()
}
