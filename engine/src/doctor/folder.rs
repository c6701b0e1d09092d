//! A folder that runs write into.

use framework_base::files;
use serde::Serialize;
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// A folder that runs write into.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Folder {
    /// What is written there.
    pub what: &'static str,
    /// Where it is.
    pub path: PathBuf,
    /// Whether it exists; commands make it when they need it.
    pub exists: bool,
    /// Why nothing can be written there; none if something can.
    pub unwritable: Option<String>,
    /// Bytes of the files in it.
    pub bytes: u64,
    /// Bytes that are free on its disk for this user, where the system tells.
    pub free_bytes: Option<u64>,
}

impl Folder {
    /// Looks at a folder, and tries to write into it, or into the one where it would be made.
    pub(super) fn examine(what: &'static str, path: &Path) -> Self {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let there = path.ancestors().find(|folder| folder.symlink_metadata().is_ok()).unwrap_or(&path).to_owned();
        Self {
            what,
            exists: path.is_dir(),
            unwritable: probe(&there).err().map(|e| format!("{}: {e}", there.display())),
            bytes: files::size(&path),
            free_bytes: fs4::available_space(&there).ok(),
            path,
        }
    }
}

/// Writes a file and removes it. Its name is one that commands clear away, should this one be killed in between.
fn probe(folder: &Path) -> io::Result<()> {
    if !folder.is_dir() {
        return Err(io::Error::new(io::ErrorKind::NotADirectory, "it is not a folder"));
    }
    let path = folder.join(format!(".writing-doctor-{}", std::process::id()));
    fs::OpenOptions::new().create_new(true).write(true).open(&path)?;
    fs::remove_file(&path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_tried_and_left_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("a"), [0; 100]).unwrap();
        let found = Folder::examine("output", dir.path());
        assert_eq!((found.exists, &found.unwritable, found.bytes), (true, &None, 100));
        assert!(found.free_bytes > Some(0));
        let later = Folder::examine("output", &dir.path().join("runs/x"));
        assert_eq!((later.exists, &later.unwritable, later.bytes), (false, &None, 0));
        assert_eq!(dir.path().read_dir().unwrap().count(), 1);
        let file = Folder::examine("output", &dir.path().join("a/runs"));
        assert!(file.unwritable.unwrap().ends_with("a: it is not a folder"));
    }
}
