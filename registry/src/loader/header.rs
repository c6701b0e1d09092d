//! The first thing that is read of a library: a plain C symbol whose form does not change between versions.
#![allow(unsafe_code)]

use crate::LoadError;
use framework_core::ffi::{ABI_VERSION, PluginHeader};
use libloading::Library;
use std::{error::Error, path::Path, ptr::addr_of};

/// Opens the library and compares versions and panic strategies. Returns the version of the SDK that built it.
pub(super) fn check(path: &Path) -> Result<String, LoadError> {
    let library = open(path).map_err(|e| LoadError::Open(reason(&e, path)))?;
    let header = read(&library);
    // Refused libraries stay loaded too: their initialisers have run, and may have left threads or destructors.
    std::mem::forget(library);
    let header = header.ok_or(LoadError::NotAPlugin)?;
    let sdk = String::from_utf8_lossy(&header.sdk_version).trim_end_matches('\0').to_owned();
    if header.abi_version != ABI_VERSION {
        return Err(LoadError::OtherVersion { abi: header.abi_version, sdk });
    }
    if header.panic_aborts != 0 {
        return Err(LoadError::PanicAborts);
    }
    Ok(sdk)
}

#[cfg(unix)]
fn open(path: &Path) -> Result<Library, libloading::Error> {
    use libloading::os::unix::{Library as Unix, RTLD_LOCAL, RTLD_NOW};
    // Now, so that a missing symbol is an error here and not a crash later; local, so that libraries do not mix.
    // SAFETY: the user named this library, whose initialisers run here with this program's rights.
    unsafe { Unix::open(Some(path), RTLD_NOW | RTLD_LOCAL) }.map(Library::from)
}

#[cfg(not(unix))]
fn open(path: &Path) -> Result<Library, libloading::Error> {
    // SAFETY: as above.
    unsafe { Library::new(path) }
}

fn read(library: &Library) -> Option<PluginHeader> {
    // SAFETY: the symbol is only used as an address here.
    let symbol = unsafe { library.get::<*const PluginHeader>(b"framework_plugin_header\0") }.ok()?;
    let header: *const PluginHeader = *symbol;
    if header.is_null() || !header.is_aligned() {
        return None;
    }
    // SAFETY: a symbol of this name is at least as large as the magic; only if that is right is it a whole header.
    let magic = unsafe { addr_of!((*header).magic).read() };
    // SAFETY: the magic says that this is a header, which keeps its form in all versions.
    (magic == PluginHeader::MAGIC).then(|| unsafe { header.read() })
}

/// The system's message in one line, without the path that stands before it anyway.
fn reason(error: &libloading::Error, path: &Path) -> String {
    let message = error.source().map_or_else(|| error.to_string(), |system| system.to_string());
    let message = message.split_whitespace().collect::<Vec<_>>().join(" ");
    message.replace(&format!("{}: ", path.display()), "")
}
