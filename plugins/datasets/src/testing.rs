//! What the tests of the readers have in common.

use framework_sdk::{Result, serde_json::Value, test};
use std::{io::Write, path::PathBuf};
use tempfile::TempDir;

/// A folder with a dataset's files.
pub struct Folder {
    folder: TempDir,
    first: PathBuf,
}

impl Folder {
    /// With one file.
    pub fn of(name: &str, content: impl AsRef<[u8]>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { first: folder.path().join(name), folder }.with(name, content)
    }

    /// With one more.
    pub fn with(self, name: &str, content: impl AsRef<[u8]>) -> Self {
        std::fs::write(self.folder.path().join(name), content).unwrap();
        self
    }

    /// Where a file is.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The records of the first file.
    pub fn read(&self, plugin: &str, options: &str) -> Result<Vec<Value>> {
        let records = test::dataset(plugin, &format!("path = {:?}\n{options}", self.first))?;
        Ok(records.into_iter().map(Value::Object).collect())
    }

    /// The records of the whole folder.
    pub fn whole(&self, plugin: &str, options: &str) -> Result<Vec<Value>> {
        let records = test::dataset(plugin, &format!("path = {:?}\n{options}", self.folder.path()))?;
        Ok(records.into_iter().map(Value::Object).collect())
    }

    /// The error on reading the first file; a panic is none.
    #[track_caller]
    pub fn refused(&self, plugin: &str, options: &str) -> String {
        let mut error = self.read(plugin, options).expect_err("an error");
        error.plugin = None;
        assert!(!error.panicked(), "{error}");
        error.to_string()
    }

    /// What the error on reading the first file says after its name.
    #[track_caller]
    pub fn refused_at(&self, plugin: &str, name: &str) -> String {
        let error = self.refused(plugin, "");
        error.split_once(&format!("{name}:")).unwrap_or_else(|| panic!("names no place: {error}")).1.to_owned()
    }
}

/// Packed with gzip.
pub fn gz(content: impl AsRef<[u8]>) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(content.as_ref()).unwrap();
    packer.finish().unwrap()
}

/// Packed with Zstandard.
pub fn zst(content: impl AsRef<[u8]>) -> Vec<u8> {
    zstd::encode_all(content.as_ref(), 1).unwrap()
}
