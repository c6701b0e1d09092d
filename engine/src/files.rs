//! Folders that are whole or not there.

use crate::error::{Error, Result};
use sha2::{Digest, Sha256};
use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

/// How the name of a file begins that is being written.
pub const WRITING: &str = ".writing-";

/// Makes a folder and those above it.
pub fn create_dir(path: &Path) -> Result<()> {
    fs::create_dir_all(path).map_err(|e| Error::io("create the folder", path, e))
}

/// Fills a folder under a temporary name and puts it in place when everything in it is on disk. What was there is
/// replaced.
pub fn write_folder(path: &Path, fill: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let temporary = temporary(path);
    if temporary.exists() {
        fs::remove_dir_all(&temporary).map_err(|e| Error::io("remove", &temporary, e))?;
    }
    create_dir(&temporary)?;
    fill(&temporary)?;
    let place = || {
        for entry in fs::read_dir(&temporary)? {
            File::open(entry?.path())?.sync_all()?;
        }
        if path.exists() {
            fs::remove_dir_all(path)?;
        }
        fs::rename(&temporary, path)?;
        sync_parent(path)
    };
    place().map_err(|e| Error::io("write", path, e))
}

/// Whether a name is that of a file or folder that was being written.
pub fn is_unfinished(name: &str) -> bool {
    name.starts_with(WRITING) || (name.starts_with('.') && name.ends_with(".tmp"))
}

/// Removes what a killed process was writing in a folder.
pub fn clear_unfinished(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_name().to_str().is_some_and(is_unfinished) {
            let path = entry.path();
            // What cannot be removed is in nobody's way.
            let _ = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        }
    }
}

fn temporary(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.tmp"))
}

fn sync_parent(path: &Path) -> std::io::Result<()> {
    match path.parent().filter(|p| !p.as_os_str().is_empty()) {
        // A rename is durable when the folder that holds the name is.
        Some(parent) if cfg!(unix) => File::open(parent)?.sync_all(),
        _ => Ok(()),
    }
}

/// SHA-256 of bytes, in hexadecimal.
pub fn sha256_of(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::weights::write_bytes;

    #[test]
    fn folders_appear_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("step-1");
        let failed = write_folder(&path, |dir| {
            write_bytes(&dir.join("a"), b"1")?;
            Err(Error::failed("no"))
        });
        assert!(failed.is_err() && !path.exists());
        for content in [b"1", b"2"] {
            write_folder(&path, |dir| write_bytes(&dir.join("a"), content)).unwrap();
            assert_eq!(fs::read(path.join("a")).unwrap(), content);
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn hash_of_the_empty_file() {
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(sha256_of(b""), empty);
    }
}
