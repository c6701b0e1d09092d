//! `text`: running text.

use crate::{
    fields,
    input::{self, Encoding, Line, Lines, extension, files},
    rows::{self, Fault, OnError},
};
use framework_sdk::prelude::*;
use std::{iter, path::Path};

options! {
    /// Running text, which is trained as it is: a plain text file, a folder of `.txt` files, or JSON lines.
    ///
    /// Yields records with the field `text`. A folder's files are read in the order of their names, without
    /// sub-folders. Files that end in `.jsonl`, `.ndjson`, `.json-lines` or `.json` hold JSON objects. Files may be
    /// compressed with gzip or Zstandard. Blank texts are skipped, and white space at the end of a text is removed.
    #[schemars(extend("x-reads" = "paths"))]
    pub struct Text {
        /// The file, or the folder of `.txt` files.
        path: FilePath,
        /// How plain text is divided into records.
        #[serde(default)]
        unit: Unit,
        /// The field of JSON lines that holds the text.
        #[serde(default = "field")]
        field: String,
        /// Encoding of the text. `auto` recognises UTF-8, UTF-16 with a byte order mark, and the usual encodings of
        /// Chinese, Japanese and Korean.
        #[serde(default = "input::auto")]
        encoding: String,
        /// What to do with a malformed row.
        #[serde(default)]
        on_error: OnError,
    }
}

options! {
    /// How plain text is divided into records.
    #[derive(Copy, Default)]
    #[serde(rename_all = "lowercase")]
    pub enum Unit {
        /// Each line that is not empty.
        Line,
        /// Each block of lines up to a blank line.
        #[default]
        Paragraph,
        /// The whole file.
        File,
    }
}

fn field() -> String {
    "text".into()
}

/// The most bytes of a text; a file that is one record may be long.
const MAX_TEXT: usize = 256 << 20;

type Texts = Box<dyn Iterator<Item = Result<String, Fault>> + Send>;

impl Dataset for Text {
    fn validate(&self) -> Result<()> {
        Encoding::named(&self.encoding).map(|_| ())
    }

    fn open(&self, skipped: &Skipped) -> Result<Records> {
        let (unit, field, encoding) = (self.unit, self.field.clone(), Encoding::named(&self.encoding)?);
        let texts = rows::of_files(files(&self.path, &["txt"])?, move |file| match extension(&file).as_deref() {
            Some("jsonl" | "ndjson" | "json-lines" | "json") => from_json(&file, &encoding, field.clone()),
            _ => Ok(plain(&file, Lines::open(&file, &encoding)?, unit)),
        });
        let rows = texts.map(|text| Ok(Record::from_iter([("text".to_owned(), Value::String(text?))])));
        Ok(rows::records(skipped, self.on_error, rows))
    }
}

fn from_json(path: &Path, encoding: &Encoding, field: String) -> Result<Texts> {
    let text = move |object: Result<_, Fault>| {
        let (place, mut object) = object?;
        let names = fields::names(&object);
        match fields::take(&mut object, &field, &place)? {
            Some(text) => Ok(text.trim_end().to_owned()),
            None => {
                let hint = "name the one that holds the text with `field`";
                Err(place.wrong(format!("no field `{field}`, only {names}; {hint}")))
            }
        }
    };
    let texts = input::json(path, encoding)?.map(text);
    Ok(Box::new(texts.filter(|text| !matches!(text, Ok(t) if t.is_empty()))))
}

fn plain(path: &Path, mut lines: Lines, unit: Unit) -> Texts {
    let path = path.to_owned();
    Box::new(iter::from_fn(move || {
        let (mut text, mut wrong) = (String::new(), None);
        while let Some(line) = lines.next_line() {
            let line = match line.and_then(Line::text) {
                Ok(line) => line,
                Err(e @ Fault::File(_)) => return Some(Err(e)),
                Err(e) if unit == Unit::Line => return Some(Err(e)),
                // A line spoils the whole text that it stands in.
                Err(e) => {
                    wrong.get_or_insert(e);
                    continue;
                }
            };
            let blank = line.trim().is_empty();
            if blank && text.is_empty() && wrong.is_none() {
                continue;
            }
            if blank && unit != Unit::File {
                break;
            }
            if !text.is_empty() {
                text.push('\n');
            }
            text.push_str(line);
            if unit == Unit::Line {
                break;
            }
            if text.len() > MAX_TEXT {
                let message = format!("a text is longer than {} MiB; choose a smaller `unit`", MAX_TEXT >> 20);
                return Some(Err(Fault::File(input::unreadable(&path, message))));
            }
        }
        if let Some(e) = wrong {
            return Some(Err(e));
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
        let error = read(&files[2..], true, "").unwrap_err().to_string();
        assert!(error.ends_with("none of the folder's 1 entries is a `.txt` file"), "{error}");
    }

    #[test]
    fn json_has_a_field_of_text() {
        let file: &[u8] = b"{\"text\": \"one\", \"n\": 1}\n\n{\"text\": \" \"}\n{\"text\": \"two\\n\"}";
        assert_eq!(read(&[("a.jsonl", file)], false, "").unwrap(), ["one", "two"]);
        assert_eq!(read(&[("a.json", b"[{\"text\": \"one\"}, {\"text\": 2}]")], false, "").unwrap(), ["one", "2"]);
        let error = read(&[("a.jsonl", file)], false, "field = \"body\"").unwrap_err().to_string();
        let expected = "a.jsonl:1:1: no field `body`, only `text`, `n`; name the one that holds the text with `field`";
        assert!(error.contains(expected), "{error}");
        let error = read(&[("a.jsonl", b"{\"text\": \"\"}\n{")], false, "").unwrap_err().to_string();
        assert!(error.contains("a.jsonl:2:1: not JSON: "), "{error}");
    }

    #[test]
    fn errors_name_the_file_and_line() {
        let error = read(&[("a.txt", b"fine\nno\xff\n")], false, "unit = \"line\"").unwrap_err().to_string();
        assert!(error.contains("a.txt:2:3: the line is not valid UTF-8; "), "{error}");
        let error = test::dataset("text", "path = \"/nowhere.txt\"").unwrap_err().to_string();
        assert!(error.contains("cannot read /nowhere.txt: "), "{error}");
    }

    #[test]
    fn a_malformed_line_spoils_its_text_only() {
        let file: &[u8] = "春天来了\n\n夜晚的城市\n\u{e9}\n远方的山\n\n雨后的天空\n".as_bytes();
        let mut file = file.to_vec();
        let at = file.iter().position(|b| *b == 0xc3).unwrap();
        file[at] = 0xff;
        let skip =
            |unit: &str| read(&[("a.txt", &file)], false, &format!("unit = \"{unit}\"\non_error = \"skip\"")).unwrap();
        assert_eq!(skip("paragraph"), ["春天来了", "雨后的天空"]);
        assert_eq!(skip("line"), ["春天来了", "夜晚的城市", "远方的山", "雨后的天空"]);
    }
}
