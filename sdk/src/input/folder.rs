//! A file, or the files of a folder.

use super::unreadable;
use crate::Result;
use std::path::{Path, PathBuf};

/// What files of JSON are called.
pub const JSON: &[&str] = &["json", "jsonl", "ndjson", "json-lines"];

/// The file itself; of a folder, its files with one of these `extensions`, packed ones too, in the order of their
/// names.
pub fn files(path: &Path, extensions: &[&str]) -> Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_path_buf()]);
    }
    let entries = std::fs::read_dir(path).map_err(|e| unreadable(path, e))?;
    let entries: Vec<PathBuf> =
        entries.map(|e| Ok(e?.path())).collect::<std::io::Result<_>>().map_err(|e| unreadable(path, e))?;
    let wanted = |file: &&PathBuf| file.is_file() && extension(file).is_some_and(|e| extensions.contains(&e.as_str()));
    let mut files: Vec<_> = entries.iter().filter(wanted).cloned().collect();
    files.sort();
    if files.is_empty() {
        let names: Vec<_> = extensions.iter().map(|e| format!("`.{e}`")).collect();
        let (count, names) = (entries.len(), names.join(" or "));
        return Err(unreadable(path, format!("none of the folder's {count} entries is a {names} file")));
    }
    Ok(files)
}

/// What the file's name says of its content, in small letters: `csv` for `data.CSV.gz`.
pub fn extension(path: &Path) -> Option<String> {
    let last = |path: &Path| Some(path.extension()?.to_str()?.to_ascii_lowercase());
    match last(path)?.as_str() {
        "gz" | "zst" | "zstd" => last(Path::new(path.file_stem()?)),
        extension => Some(extension.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_files_count_by_what_is_in_them() {
        let found = |name: &str| extension(Path::new(name));
        assert_eq!(found("a/b.CSV.gz").as_deref(), Some("csv"));
        assert_eq!(found("b.jsonl.zst").as_deref(), Some("jsonl"));
        assert_eq!((found("b.txt").as_deref(), found("b"), found("b.gz")), (Some("txt"), None, None));
    }
}
