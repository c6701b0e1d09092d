//! The dataset `__name__`.

use framework_sdk::{prelude::*, serde_json};
use std::{
    fs::File,
    io::{BufRead, BufReader},
};

options! {
    /// Reads a file that has one JSON object per line.
    pub struct __Type__ {
        /// The file.
        path: FilePath,
    }
}

impl Dataset for __Type__ {
    fn open(&self, _skipped: &Skipped) -> Result<Records> {
        let path = self.path.to_path_buf();
        let file = File::open(&path).map_err(|e| PluginError::new(format!("{}: {e}", path.display())))?;
        let lines = BufReader::new(file).lines().zip(1..);
        Ok(Box::new(lines.map(move |(line, number)| {
            let line = line.map_err(|e| PluginError::at(&path, number, e))?;
            serde_json::from_str(&line).map_err(|e| PluginError::at(&path, number, e))
        })))
    }
}

register!(dataset "__name__" => __Type__, example = r#"path = "records.jsonl""#);

#[cfg(test)]
mod tests {
    use framework_sdk::test;

    #[test]
    fn reads_the_sample() {
        let sample = concat!(env!("CARGO_MANIFEST_DIR"), "/sample.jsonl");
        let records = test::dataset("__name__", &format!("path = '{sample}'")).unwrap();
        assert_eq!(records.len(), 2);
        assert_eq!(records[1]["output"], "Seven.");
    }

    #[test]
    fn errors_name_file_and_line() {
        let error = test::dataset("__name__", &format!("path = '{}'", file!())).unwrap_err();
        assert!(error.to_string().contains("lib.rs:1: "), "{error}");
    }

    #[test]
    fn conforms() {
        test::all_plugins();
    }
}
