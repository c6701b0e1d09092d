//! Files and folders that are whole or not there, and hashes of files.
//!
//! Everything is first written under a temporary name and synced, then renamed into place: after a crash at any
//! instant the old content or the new one is there, whole. [`recover`] finishes what a crash left half done.

#[cfg(test)]
mod tests;

use crate::{Error, Result};
use sha2::{Digest, Sha256};
use std::{
    fs::{self, File, Permissions},
    io::{self, BufWriter, Read, Write},
    path::{Path, PathBuf},
};

/// The beginning of the name of a file that is being written.
pub const WRITING: &str = ".writing-";
/// The end of the name of a folder that is being filled.
const FILLING: &str = ".tmp";
/// The end of the name of a folder that is being replaced.
const REPLACED: &str = ".old";

/// A step after which the process may be killed; the crash test stops at each of them.
#[cfg(not(test))]
fn step() -> io::Result<()> {
    Ok(())
}
#[cfg(test)]
use tests::step;

/// Makes a folder and those above it.
pub fn create_dir(path: &Path) -> Result<()> {
    fs::create_dir_all(path).map_err(|e| Error::io("create the folder", path, e))
}

/// Writes a file beside its place, syncs it and renames it into place.
pub fn atomically(path: &Path, write: impl FnOnce(&mut (dyn Write + Send)) -> Result<()>) -> Result<()> {
    let failed = |e: io::Error| Error::io("write", path, e);
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    builder.prefix(WRITING);
    if let Some(permissions) = ordinary() {
        builder.permissions(permissions);
    }
    let mut file = builder.tempfile_in(folder).map_err(failed)?;
    let mut buffer = BufWriter::with_capacity(1 << 20, file.as_file_mut());
    write(&mut buffer)?;
    buffer.flush().map_err(failed)?;
    drop(buffer);
    let place = || {
        step()?;
        file.as_file().sync_all()?;
        step()?;
        file.persist(path).map_err(|e| e.error)?;
        step()?;
        sync_folder(folder)
    };
    place().map_err(failed)
}

/// [`atomically`], with the content at hand.
pub fn write_bytes(path: &Path, bytes: &[u8]) -> Result<()> {
    atomically(path, |file| file.write_all(bytes).map_err(|e| Error::io("write", path, e)))
}

/// Fills a folder under a temporary name and puts it in place when everything in it is on disk. A folder that it
/// replaces is renamed first and removed last, so that a crash never loses both.
pub fn write_folder(path: &Path, fill: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    recover(path).map_err(|e| Error::io("write", path, e))?;
    let temporary = beside(path, FILLING);
    create_dir(&temporary)?;
    fill(&temporary)?;
    replace(path, &temporary).map_err(|e| Error::io("write", path, e))
}

fn replace(path: &Path, temporary: &Path) -> io::Result<()> {
    step()?;
    sync_all(temporary)?;
    step()?;
    let old = beside(path, REPLACED);
    if path.exists() {
        fs::rename(path, &old)?;
        step()?;
    }
    fs::rename(temporary, path)?;
    step()?;
    sync_folder(path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new(".")))?;
    step()?;
    remove(&old)
}

/// Finishes what a crash during [`write_folder`] left: puts the old folder back if the new one is not in place, and
/// removes what is left of either.
pub fn recover(path: &Path) -> io::Result<()> {
    let old = beside(path, REPLACED);
    if old.exists() && !path.exists() {
        fs::rename(&old, path)?;
    }
    remove(&old)?;
    remove(&beside(path, FILLING))
}

/// Whether a name is that of a file or folder that was being written.
pub fn is_unfinished(name: &str) -> bool {
    name.starts_with(WRITING) || (name.starts_with('.') && (name.ends_with(FILLING) || name.ends_with(REPLACED)))
}

/// Bytes of a file, or of all files below a folder; links are not followed, and what may not be read counts nothing.
pub fn size(path: &Path) -> u64 {
    let Ok(about) = path.symlink_metadata() else { return 0 };
    match about.is_dir() {
        true => fs::read_dir(path).into_iter().flatten().flatten().map(|entry| size(&entry.path())).sum(),
        false => about.len(),
    }
}

/// Finishes or removes what a killed process was writing in a folder.
pub fn clear_unfinished(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let Some(name) = name.to_str().filter(|name| is_unfinished(name)) else { continue };
        let folder_name = name.strip_prefix('.').filter(|_| !name.starts_with(WRITING));
        let folder_name = folder_name.and_then(|n| n.strip_suffix(FILLING).or_else(|| n.strip_suffix(REPLACED)));
        // Leaves what it cannot remove.
        let _ = match folder_name {
            Some(of) => recover(&folder.join(of)),
            None => fs::remove_file(entry.path()),
        };
    }
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}{ending}"))
}

fn remove(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}

/// Syncs everything below a folder, and the folder.
fn sync_all(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() { sync_all(&path)? } else { File::open(path)?.sync_all()? }
    }
    sync_folder(folder)
}

/// Makes a renaming last: the folder holds the name.
fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

/// The permissions of a new file before the umask; temporary files are otherwise the owner's alone.
fn ordinary() -> Option<Permissions> {
    #[cfg(unix)]
    return Some(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    #[cfg(not(unix))]
    None
}

/// SHA-256 of a file, in hexadecimal.
pub fn sha256(path: &Path) -> Result<String> {
    let failed = |e: io::Error| Error::io("read", path, e);
    let (mut file, mut hash, mut buffer) = (File::open(path).map_err(failed)?, Sha256::new(), vec![0; 1 << 20]);
    loop {
        match file.read(&mut buffer).map_err(failed)? {
            0 => return Ok(hex(&hash.finalize())),
            n => hash.update(&buffer[..n]),
        }
    }
}

/// SHA-256 of bytes, in hexadecimal.
pub fn sha256_of(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
