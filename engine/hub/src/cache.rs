//! The cache on disk, laid out as Python's `huggingface_hub` has it, so that both use it:
//!
//! ```text
//! models--owner--name/refs/main                     the commit that the branch was at
//! models--owner--name/snapshots/<commit>/<file>     links to
//! models--owner--name/blobs/<hash>                  the files themselves
//! models--owner--name/.no_exist/<commit>/<file>     empty: the commit has no such file
//! .locks/models--owner--name/<hash>.lock            held while a file is downloaded
//! ```

use super::Id;
use framework_base::files::write_bytes;
use framework_base::id::is_commit;
use framework_base::{Error, Result, files::create_dir};
use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io,
    path::{Path, PathBuf},
};

/// A cache's folder.
#[derive(Debug, Clone)]
pub(super) struct Cache(pub PathBuf);

impl Cache {
    fn repo(&self, id: &Id) -> PathBuf {
        self.0.join(folder_name(id))
    }

    /// The folder of an id at a commit.
    pub fn snapshot(&self, id: &Id, commit: &str) -> PathBuf {
        self.repo(id).join("snapshots").join(commit)
    }

    /// What a snapshot's folder holds: the id at its commit.
    pub fn id_of(&self, folder: &Path) -> Option<Id> {
        let mut parts = folder.strip_prefix(&self.0).ok()?.iter().map(|part| part.to_str());
        let (repo, snapshots, commit) = (parts.next()??, parts.next()??, parts.next()??);
        let (owner, name) = repo.strip_prefix("models--")?.split_once("--")?;
        let whole = snapshots == "snapshots" && is_commit(commit) && parts.next().is_none();
        whole.then(|| Id::parse(&format!("{owner}/{name}@{commit}"))).flatten()
    }

    /// The commit that an id was at when it was last asked for.
    pub fn commit(&self, id: &Id) -> Option<String> {
        if let Some(commit) = id.commit() {
            return Some(commit.to_owned());
        }
        let text = fs::read_to_string(self.repo(id).join("refs").join(id.revision())).ok()?;
        Some(text.trim().to_owned()).filter(|commit| is_commit(commit))
    }

    /// Notes the commit that an id is at.
    pub fn set_commit(&self, id: &Id, commit: &str) -> Result<()> {
        if id.commit().is_some() || self.commit(id).as_deref() == Some(commit) {
            return Ok(());
        }
        write_below(&self.repo(id).join("refs").join(id.revision()), commit.as_bytes())
    }

    /// Whether it is known that a commit has no such file.
    pub fn is_absent(&self, id: &Id, commit: &str, file: &str) -> bool {
        self.absent(id, commit, file).exists()
    }

    /// Notes that a commit has no such file.
    pub fn set_absent(&self, id: &Id, commit: &str, file: &str) -> Result<()> {
        let path = self.absent(id, commit, file);
        if path.exists() { Ok(()) } else { write_below(&path, b"") }
    }

    fn absent(&self, id: &Id, commit: &str, file: &str) -> PathBuf {
        self.repo(id).join(".no_exist").join(commit).join(file)
    }

    /// Where a file's content lies.
    pub fn blob(&self, id: &Id, etag: &str) -> PathBuf {
        self.repo(id).join("blobs").join(etag)
    }

    /// Waits for the right to download a file; `waiting` is called if somebody else is at it. The right ends when the
    /// file that is returned is closed. None where the file system has no locks: the hash is checked in any case.
    pub fn lock(&self, id: &Id, etag: &str, waiting: impl FnOnce()) -> Result<Option<File>> {
        let path = self.0.join(".locks").join(folder_name(id)).join(format!("{etag}.lock"));
        path.parent().map_or(Ok(()), create_dir)?;
        let open = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let file = open.map_err(|e| Error::io("write", &path, e))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(TryLockError::WouldBlock) => {
                waiting();
                file.lock().map_err(|e| Error::io("lock", &path, e))?;
                Ok(Some(file))
            }
            Err(TryLockError::Error(_)) => Ok(None),
        }
    }

    /// Makes a content appear as a file of a snapshot.
    pub fn link(&self, id: &Id, commit: &str, file: &str, etag: &str) -> Result<()> {
        let (folder, blob) = (self.snapshot(id, commit), self.blob(id, etag));
        create_dir(&folder)?;
        let path = folder.join(file);
        match link(&Path::new("../../blobs").join(etag), &blob, &path) {
            // Another process was faster.
            Err(_) if path.exists() => Ok(()),
            Err(e) => Err(Error::io("write", &path, e)),
            Ok(()) => Ok(()),
        }
    }
}

fn folder_name(id: &Id) -> String {
    format!("models--{}", id.name.replace('/', "--"))
}

fn write_below(path: &Path, bytes: &[u8]) -> Result<()> {
    path.parent().map_or(Ok(()), create_dir)?;
    write_bytes(path, bytes)
}

/// A link; a copy where links need rights that users do not have.
#[cfg(unix)]
fn link(relative: &Path, _blob: &Path, path: &Path) -> io::Result<()> {
    if path.is_symlink() && !path.exists() {
        fs::remove_file(path)?; // it leads to a file that is gone
    }
    std::os::unix::fs::symlink(relative, path)
}

#[cfg(not(unix))]
fn link(_relative: &Path, blob: &Path, path: &Path) -> io::Result<()> {
    fs::copy(blob, path).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn snapshots_are_known_by_their_folder() {
        let cache = Cache("/cache/hub".into());
        let commit = "0123456789abcdef0123456789abcdef01234567";
        let id = Id::parse("Qwen/Qwen2-0.5B").unwrap();
        let folder = cache.snapshot(&id, commit);
        assert_eq!(folder, Path::new("/cache/hub/models--Qwen--Qwen2-0.5B/snapshots").join(commit));
        assert_eq!(cache.id_of(&folder), Some(id.at(commit)));
        for other in ["/elsewhere", "/cache/hub/models--Qwen--Qwen2-0.5B", "/cache/hub/models--a--b/snapshots/main"] {
            assert_eq!(cache.id_of(Path::new(other)), None);
        }
        assert_eq!(cache.id_of(&folder.join("model.safetensors")), None);
    }
}
