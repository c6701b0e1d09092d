//! The root module of a library, after its types have been compared with ours.
#![allow(unsafe_code)]

use abi_stable::{
    StableAbi,
    abi_stability::abi_checking::{AbiInstabilityErrors, CheckingGlobals, check_layout_compatibility_with_globals},
    library::{IsLayoutChecked, LibHeader, lib_header_from_path},
    type_layout::TypeLayout,
};
use framework_core::ffi::PluginRoot_Ref;
use std::path::Path;

/// The root module of a library whose header has been checked, or the first difference of its types.
pub(super) fn root(path: &Path) -> Result<PluginRoot_Ref, String> {
    // Never `load_from_file`: it remembers one library per type, and would give the first one for every path.
    let header = lib_header_from_path(path).map_err(|e| last_error(&e.to_string()))?;
    check(header)?;
    // SAFETY: the layouts have just been compared.
    let root = unsafe { header.unchecked_layout::<PluginRoot_Ref>() };
    root.map_err(|e| last_error(&e.into_library_error::<PluginRoot_Ref>().to_string()))
}

/// Same, newer or older: one may have fields at its end that the other lacks, so one direction is enough. What an older
/// library lacks is a panic when used, which is an error of that library and not of the interface.
fn check(header: &LibHeader) -> Result<(), String> {
    let IsLayoutChecked::Yes(theirs) = header.root_mod_consts().layout() else {
        return Err("it does not describe its types".into());
    };
    let ours = <PluginRoot_Ref as StableAbi>::LAYOUT;
    match compatible(ours, theirs) {
        Ok(()) => Ok(()),
        Err(e) => compatible(theirs, ours).map_err(|_| last_error(&e.to_string())),
    }
}

/// Each library by itself: abi_stable's own memory would compare libraries with each other, which never meet, and refuse
/// the second of two versions.
fn compatible(a: &'static TypeLayout, b: &'static TypeLayout) -> Result<(), AbiInstabilityErrors> {
    check_layout_compatibility_with_globals(a, b, &CheckingGlobals::new())
}

/// The end of abi_stable's report, which is pages long, as one line.
fn last_error(report: &str) -> String {
    let end = report.rsplit("Error:").next().unwrap_or(report);
    let line = end.split_whitespace().collect::<Vec<_>>().join(" ");
    line.replace(" Expected: ", ": expected ").replace(" Found: ", ", found ")
}
