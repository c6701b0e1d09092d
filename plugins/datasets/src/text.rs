//! `text`: running text.

use crate::files::{Lines, unreadable};
use framework_sdk::{prelude::*, serde_json};
use std::{
    iter,
    path::{Path, PathBuf},
};

options! {
    /// Running text to be learned as it stands: a plain text file, a folder of `.txt` files, or JSON lines.
    ///
    /// Yields records with the field `text`. A folder's files are read in the order of their names, without
    /// sub-folders. Files that end in `.jsonl`, `.ndjson` or `.json-lines` hold one JSON object per line. Everything
    /// is UTF-8; blank texts are left out, and so is white space at a text's end.
    pub struct Text {
        /// The file, or the folder of `.txt` files.
        path: FilePath,
        /// What one record is in plain text: a non-empty line, a paragraph (up to a blank line) or the whole file.
        #[serde(default)]
        unit: Unit,
        /// The field of JSON lines that holds the text.
        #[serde(default = "field")]
        field: String,
    }
}

options! {
    /// What one record is.
    #[derive(Copy, Default)]
    #[serde(rename_all = "lowercase")]
    pub enum Unit {
        /// A non-empty line.
        Line,
        /// Lines up to a blank one.
        #[default]
        Paragraph,
        /// The whole file.
        File,
    }
}

fn field() -> String {
    "text".into()
}

type Texts = Box<dyn Iterator<Item = Result<String>> + Send>;

impl Dataset for Text {
    fn open(&self) -> Result<Records> {
        let (unit, field) = (self.unit, self.field.clone());
        let files = if self.path.is_dir() { folder(&self.path)? } else { vec![self.path.to_path_buf()] };
        let texts = files.into_iter().flat_map(move |file| match Lines::open(file) {
            Err(e) => Box::new(iter::once(Err(e))) as Texts,
            Ok(lines) if is_json_lines(&lines.path) => json_lines(lines, field.clone()),
            Ok(lines) => plain(lines, unit),
        });
        Ok(Box::new(texts.map(|text| Ok(Record::from_iter([("text".to_owned(), Value::String(text?))])))))
    }
}

/// The `.txt` files of a folder, sorted.
fn folder(path: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(path).map_err(|e| unreadable(path, e))?;
    let entries: Vec<PathBuf> =
        entries.map(|e| Ok(e?.path())).collect::<std::io::Result<_>>().map_err(|e| unreadable(path, e))?;
    let mut files: Vec<_> = entries.iter().filter(|p| has_extension(p, &["txt"])).cloned().collect();
    files.sort();
    match files.is_empty() {
        true => Err(unreadable(path, format!("none of the folder's {} entries is a `.txt` file", entries.len()))),
        false => Ok(files),
    }
}

fn has_extension(path: &Path, extensions: &[&str]) -> bool {
    path.extension().is_some_and(|found| extensions.iter().any(|e| found.eq_ignore_ascii_case(e)))
}

fn is_json_lines(path: &Path) -> bool {
    has_extension(path, &["jsonl", "ndjson", "json-lines"])
}

fn json_lines(lines: Lines, field: String) -> Texts {
    let path = lines.path.clone();
    let text = move |(number, line): (u64, String)| {
        let wrong = |message: String| PluginError::at(&path, number, message);
        let record: Record = serde_json::from_str(&line).map_err(|e| wrong(format!("not a JSON object: {e}")))?;
        match record.get(&field) {
            Some(Value::String(text)) => Ok(text.trim_end().to_owned()),
            Some(other) => Err(wrong(format!("the field `{field}` is not text but {other}"))),
            None => {
                let found = record.keys().map(|k| format!("`{k}`")).collect::<Vec<_>>().join(", ");
                Err(wrong(format!("no field `{field}`, only {found}; name the one that holds the text with `field`")))
            }
        }
    };
    let lines = lines.filter(|line| !matches!(line, Ok((_, text)) if text.trim().is_empty()));
    Box::new(lines.map(move |line| line.and_then(&text)).filter(|text| !matches!(text, Ok(t) if t.is_empty())))
}

fn plain(mut lines: Lines, unit: Unit) -> Texts {
    Box::new(iter::from_fn(move || {
        let mut text = String::new();
        for line in lines.by_ref() {
            let line = match line {
                Ok((_, line)) => line,
                Err(e) => return Some(Err(e)),
            };
            let blank = line.trim().is_empty();
            if blank && text.is_empty() {
                continue;
            }
            if blank && unit != Unit::File {
                break;
            }
            if !text.is_empty() {
                text.push('\n');
            }
            text.push_str(&line);
            if unit == Unit::Line {
                break;
            }
        }
        text.truncate(text.trim_end().len());
        (!text.is_empty()).then_some(Ok(text))
    }))
}

register!(dataset "text" => Text, example = r#"
path = "corpus.txt"
unit = "paragraph"
"#);

#[cfg(test)]
mod tests {
    use super::*;
    use framework_sdk::test;

    /// The texts read from a folder of `files`, of which the first, or the folder itself, is the dataset's path.
    fn read(files: &[(&str, &[u8])], whole: bool, options: &str) -> Result<Vec<String>> {
        let folder = tempfile::tempdir().unwrap();
        for (name, content) in files {
            std::fs::write(folder.path().join(name), content).unwrap();
        }
        let path = if whole { folder.path().to_path_buf() } else { folder.path().join(files[0].0) };
        let records = test::dataset("text", &format!("path = {path:?}\n{options}"))?;
        Ok(records.iter().map(|r| r["text"].as_str().unwrap().to_owned()).collect())
    }

    const PLAIN: &[u8] = "\u{feff}\r\none\r\n  two \r\n \r\n\r\nthree\r\n".as_bytes();

    #[test]
    fn plain_text_is_read_by_line_paragraph_or_file() {
        let read = |unit: &str| read(&[("a.txt", PLAIN)], false, &format!("unit = \"{unit}\"")).unwrap();
        assert_eq!(read("line"), ["one", "  two", "three"]);
        assert_eq!(read("paragraph"), ["one\n  two", "three"]);
        assert_eq!(read("file"), ["one\n  two \n \n\nthree"]);
    }

    #[test]
    fn a_folder_is_read_in_the_order_of_its_names() {
        let files: [(&str, &[u8]); 3] = [("b.txt", b"second"), ("a.TXT", b"first"), ("c.md", b"not this")];
        assert_eq!(read(&files, true, "").unwrap(), ["first", "second"]);
        let error = read(&files[2..], true, "").unwrap_err().message;
        assert!(error.ends_with("none of the folder's 1 entries is a `.txt` file"), "{error}");
    }

    #[test]
    fn json_lines_have_a_field_of_text() {
        let file: &[u8] = b"{\"text\": \"one\", \"n\": 1}\n\n{\"text\": \" \"}\n{\"text\": \"two\\n\"}";
        assert_eq!(read(&[("a.jsonl", file)], false, "").unwrap(), ["one", "two"]);
        let error = read(&[("a.jsonl", file)], false, "field = \"body\"").unwrap_err().message;
        assert!(
            error.ends_with(
                "a.jsonl:1: no field `body`, only `text`, `n`; name the one that holds the text with `field`"
            )
        );
        let error = read(&[("a.jsonl", b"{\"text\": \"\"}\n{")], false, "").unwrap_err().message;
        assert!(error.contains("a.jsonl:2: not a JSON object: "), "{error}");
    }

    #[test]
    fn errors_name_the_file_and_line() {
        let error = read(&[("a.txt", b"fine\n\xff\n")], false, "unit = \"line\"").unwrap_err().message;
        assert!(error.ends_with("a.txt:2: the line is not valid UTF-8; save the file as UTF-8"), "{error}");
        let error = test::dataset("text", "path = \"/nowhere.txt\"").unwrap_err().message;
        assert!(error.starts_with("cannot read /nowhere.txt: "), "{error}");
    }
}
