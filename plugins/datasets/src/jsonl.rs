//! `jsonl`: tables of JSON as they are.

use crate::{
    conversation, fields,
    input::{self, Encoding, JSON, files},
    rows::{self, OnError},
};
use framework_sdk::prelude::*;
use std::collections::BTreeMap;

options! {
    /// Records from JSON lines or from a JSON array of objects, unchanged.
    ///
    /// Conversations in other shapes, `conversations` (`from`, `value`) or lists of messages in `prompt` and
    /// `completion`, become `messages`. The file may be compressed with gzip or Zstandard. Objects are read one at a
    /// time, so the file may be larger than the memory.
    #[schemars(extend("x-reads" = "paths"))]
    pub struct Jsonl {
        /// The file, or a folder of `.jsonl`, `.ndjson` and `.json` files, which are read in the order of their names.
        path: FilePath,
        /// The fields to read, as a table from names in the record to names in the file: `{ instruction = "prompt",
        /// output = "completion" }`. Default: all fields, under their own names.
        #[serde(default)]
        columns: BTreeMap<String, String>,
        /// Encoding of the text. `auto` recognises UTF-8, UTF-16 with a byte order mark, and the usual encodings of
        /// Chinese, Japanese and Korean.
        #[serde(default = "input::auto")]
        encoding: String,
        /// What to do with a malformed row.
        #[serde(default)]
        on_error: OnError,
    }
}

impl Dataset for Jsonl {
    fn validate(&self) -> Result<()> {
        Encoding::named(&self.encoding).map(|_| ())
    }

    fn open(&self, skipped: &Skipped) -> Result<Records> {
        let (encoding, columns) = (Encoding::named(&self.encoding)?, self.columns.clone());
        let objects = rows::of_files(files(&self.path, JSON)?, move |file| input::json(&file, &encoding));
        let rows = objects.map(move |object| {
            let (place, object) = object?;
            conversation::normalized(fields::rename(object, &columns, &place)?, None, &place)
        });
        Ok(rows::records(skipped, self.on_error, rows))
    }
}

register!(dataset "jsonl" => Jsonl, example = r#"
path = "corpus.jsonl.gz"
columns = { instruction = "prompt", output = "completion" }
"#);

#[cfg(test)]
mod tests {
    use crate::testing::{Folder, gz, zst};
    use framework_sdk::serde_json::json;

    #[test]
    fn arrays_lines_and_objects_in_a_row_are_the_same() {
        let expected = [json!({"a": 1, "b": "x]}\""}), json!({"a": [2, {"c": []}]}), json!({})];
        for content in [
            r#"[{"a": 1, "b": "x]}\""}, {"a": [2, {"c": []}]}, {}]"#,
            " [\n{\"a\": 1,\n\"b\": \"x]}\\\"\"},\r\n{\"a\":[2,{\"c\":[]}]},{}\n]\n",
            "{\"a\": 1, \"b\": \"x]}\\\"\"}\n\n{\"a\": [2, {\"c\": []}]}\n{}",
            "{\"a\": 1,\n \"b\": \"x]}\\\"\"}{\"a\": [2,\n {\"c\": []}]} {}",
        ] {
            for name in ["a.json", "a.jsonl"] {
                if name == "a.jsonl" && content.starts_with("{\"a\": 1,\n") {
                    continue; // not lines
                }
                assert_eq!(Folder::of(name, content).read("jsonl", "").unwrap(), expected, "{name}: {content}");
            }
        }
        for content in ["", " \n", "[]", "[ \n ]"] {
            assert!(Folder::of("a.json", content).read("jsonl", "").unwrap().is_empty());
        }
    }

    #[test]
    fn packed_files_and_folders() {
        let folder = Folder::of("1.jsonl.gz", gz("{\"n\": 1}\n")).with("2.json.zst", zst("[{\"n\": 2}, {\"n\": 3}]"));
        let folder = folder.with("3.jsonl", [gz("{\"n\": 4}\n"), gz("{\"n\": 5}")].concat()).with("4.txt", "not this");
        let read = folder.whole("jsonl", "columns = { number = \"n\" }").unwrap();
        let numbers: Vec<_> = read.iter().map(|r| r["number"].as_i64().unwrap()).collect();
        assert_eq!(numbers, [1, 2, 3, 4, 5]);
        let cut = gz("{\"n\": 1}\n".repeat(100));
        let error = Folder::of("a.jsonl.gz", &cut[..cut.len() - 9]).refused("jsonl", "on_error = \"skip\"");
        assert!(error.starts_with("cannot read "), "{error}");
        let error = Folder::of("a.json", "PK\x03\x04").refused("jsonl", "");
        assert!(error.contains("packed with ZIP"), "{error}");
    }

    #[test]
    fn errors_name_line_and_column() {
        let refused = |name: &str, content: &[u8]| Folder::of(name, content).refused_at("jsonl", name);
        assert!(refused("a.jsonl", b"{\"a\": 1}\n  {\"b\": }\n").starts_with("2:9: not JSON: expected value; "));
        assert!(refused("a.json", "[{\"春\": 1},\n {\"春\": \"天\",,}]".as_bytes()).starts_with("2:12: not JSON: "));
        assert!(refused("a.json", b"[{\"a\":\n1,\n  x}]").starts_with("3:3: not JSON: "));
        assert!(refused("a.json", b"[{} {}]").starts_with("1:5: expected `,` or `]`"));
        assert!(refused("a.json", b"[{},]").starts_with("1:4: expected an object between"));
        assert!(refused("a.json", b"[{}, 7]").starts_with("1:6: expected an object in { }, found a single value"));
        assert!(refused("a.json", b"[{}]\n{}").starts_with("2:1: there is more after the array's `]`"));
        assert!(refused("a.json", b"[{}, {\"a\": ").starts_with("1:6: the value that begins here is never closed"));
        assert!(refused("a.json", b"[{}\n").starts_with("2:1: the file ends inside the array"));
        assert!(refused("a.jsonl", b"{}\n{\"a\": \"\xff\"}").starts_with("2:8: the object is not valid UTF-8; "));
        assert!(refused("a.json", &b"[".repeat(600)).starts_with("1:2: the value that begins here is nested more"));
        let error = refused("a.jsonl", b"{\"a\": NaN}");
        assert!(
            error.starts_with("1:7: not JSON: ") && error.contains("`NaN` is no value of JSON: write `null`"),
            "{error}"
        );
        let error = refused("a.jsonl", b"{\"a\": 1e400}");
        assert!(error.contains("number out of range; numbers go up to 1.8e308"), "{error}");
    }

    #[test]
    fn numbers_keep_their_digits() {
        let file = "{\"instruction\": \"a\", \"output\": 12345678901234567890123}\n";
        for plugin in ["jsonl", "instruction-json"] {
            let read = Folder::of("a.jsonl", file).read(plugin, "").unwrap();
            assert_eq!(read[0]["output"], json!("12345678901234567890123"), "{plugin}");
        }
        let read = Folder::of("a.jsonl", "{\"a\": -9223372036854775808, \"b\": 2.50}").read("jsonl", "").unwrap();
        assert_eq!(read, [json!({"a": i64::MIN, "b": 2.5})]);
    }

    #[test]
    fn malformed_rows_can_be_skipped() {
        let skip = |name: &str, content: &str| Folder::of(name, content).read("jsonl", "on_error = \"skip\"").unwrap();
        let [a, b] = [json!({"a": 1}), json!({"b": 2})];
        assert_eq!(skip("a.jsonl", "{\"a\": 1}\n{\"x\": \"\n\n[]\n{\"b\": 2}\n"), [a.clone(), b.clone()]);
        assert_eq!(skip("a.json", "{\"a\": 1}\n{\"x\": \"\n{\"b\": 2}\n"), [a.clone(), b.clone()]);
        assert_eq!(skip("a.json", "[{\"a\": 1}, {\"x\": [1}, 3, null, {\"b\": 2}]"), [a.clone(), b.clone()]);
        assert_eq!(skip("a.json", "[{\"a\": 1}, {\"x\": \"\n}, {\"b\": 2},,]"), [a, b]);
    }

    #[test]
    fn objects_of_too_many_values_are_malformed() {
        let many = format!("{{\"a\": [{}0]}}", "0,".repeat(1 << 20));
        let text = format!("{{\"a\": \"{}\"}}", ",\\\"".repeat(1 << 20));
        for (name, file) in [("a.jsonl", format!("{many}\n{text}\n")), ("a.json", format!("[{many},\n{text}]"))] {
            let folder = Folder::of(name, file);
            let error = folder.refused_at("jsonl", name);
            assert!(error.contains("the object has more than 1048576 values"), "{error}");
            let read = folder.read("jsonl", "on_error = \"skip\"").unwrap();
            assert_eq!((read.len(), read[0]["a"].as_str().map(str::len)), (1, Some(2 << 20)), "{name}");
        }
    }

    #[test]
    fn messages_quote_in_short() {
        let file = format!("{{\"{}\": 1}}\n", "春".repeat(1 << 20));
        let error = Folder::of("a.jsonl", file).refused("jsonl", "columns = { a = \"b\" }");
        assert!(error.len() < 2500 && error.contains("there is no field `b`, only `春春"), "{error}");
    }

    #[test]
    fn any_encoding_of_chinese() {
        let content = encoding_rs::GBK.encode("{\"题\": \"春天来了，花都开了\"}\n").0.into_owned();
        assert_eq!(Folder::of("a.jsonl", content).read("jsonl", "").unwrap(), [json!({"题": "春天来了，花都开了"})]);
        let error = Folder::of("a.jsonl", "").refused("jsonl", "encoding = \"utf-9\"");
        assert!(error.starts_with("`encoding` does not know"), "{error}");
    }
}
