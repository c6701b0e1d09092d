//! Every reader on truncated, mutated and hostile files: it ends, with records or with an error, and never panics.
//!
//! `PROPTEST_CASES=100000 cargo test -p plugin-datasets hostile` searches for longer.

use crate::{
    qa_xlsx::tests::{row, workbook},
    testing::{Folder, gz, zst},
    valid::{self, Valid},
};
use framework_sdk::{Kind, PluginError, Record, Result, serde_json, test};
use proptest::{collection::vec, prelude::*, sample::Index};
use std::time::{Duration, Instant};
use zip::CompressionMethod;

/// What is done to a file.
#[derive(Debug, Clone)]
enum Change {
    Cut(Index),
    Flip(Index, u8),
    Insert(Index, Vec<u8>),
    Delete(Index, usize),
    Repeat(Index, usize, usize),
}

/// What parsers stumble over.
const TOKENS: [&[u8]; 30] = [
    b"[",
    b"]",
    b"{",
    b"}",
    b"\"",
    b"\\",
    b",",
    b":",
    b"\n",
    b"\r\n",
    b"\0",
    b"\xff",
    b"\xef\xbb\xbf",
    b"\xff\xfe",
    b"\\ud800",
    b"1e999",
    b"-0",
    b"null",
    b"<",
    b"</c>",
    b"&",
    b"&#0;",
    b"<row r=\"0\">",
    b"<c r=\"A0\">",
    b"<c r=\"ZZZZZZ9\">",
    b"<v>99999999999</v>",
    b"t=\"s\"",
    b"\x81\x30\x81\x30",
    b"\xb4\xba",
    b"[[[[[[[[[[[[[[[[",
];

fn change() -> impl Strategy<Value = Change> {
    let token = prop_oneof![
        4 => proptest::sample::select(TOKENS.to_vec()).prop_map(<[u8]>::to_vec),
        1 => vec(any::<u8>(), 1..20),
    ];
    prop_oneof![
        1 => any::<Index>().prop_map(Change::Cut),
        3 => (any::<Index>(), any::<u8>()).prop_map(|(at, to)| Change::Flip(at, to)),
        4 => (any::<Index>(), token).prop_map(|(at, bytes)| Change::Insert(at, bytes)),
        2 => (any::<Index>(), 1..40_usize).prop_map(|(at, count)| Change::Delete(at, count)),
        1 => (any::<Index>(), 1..40_usize, 2..400_usize).prop_map(|(at, n, times)| Change::Repeat(at, n, times)),
    ]
}

fn apply(file: &[u8], changes: &[Change]) -> Vec<u8> {
    let mut file = file.to_vec();
    for change in changes {
        let at = |index: &Index, length: usize| index.index(length + 1);
        let length = file.len();
        match change {
            Change::Cut(index) => file.truncate(at(index, length)),
            Change::Flip(index, to) if length > 0 => file[index.index(length)] = *to,
            Change::Flip(..) => {}
            Change::Insert(index, bytes) => {
                let at = at(index, length);
                file.splice(at..at, bytes.iter().copied());
            }
            Change::Delete(index, count) => {
                let at = at(index, length);
                file.drain(at..(at + count).min(length));
            }
            Change::Repeat(index, count, times) => {
                let at = at(index, length);
                let part = file[at..(at + count).min(length)].repeat(*times);
                file.splice(at..at, part);
            }
        }
    }
    file
}

fn read(plugin: &str, name: &str, content: &[u8], options: &str) {
    let begun = Instant::now();
    for on_error in ["error", "skip"] {
        let table = format!("on_error = \"{on_error}\"\n{options}");
        if let Err(e) = Folder::of(name, content).read(plugin, &table) {
            assert!(!e.panicked(), "{}", e.message);
            assert!(!e.message.is_empty());
        }
    }
    assert!(begun.elapsed() < Duration::from_secs(30), "takes {:?}", begun.elapsed());
}

/// A file as it is, packed and then changed, and changed and then packed.
fn survives(plugin: &str, name: &str, file: &[u8], changes: &[Change], options: &str) {
    let changed = apply(file, changes);
    read(plugin, name, &changed, options);
    read(plugin, name, &gz(&changed), options);
    read(plugin, name, &apply(&gz(file), changes), options);
    read(plugin, name, &apply(&zst(file), changes), options);
}

const OBJECTS: &str = r#"[{"title": "春天", "author": "a", "volume": "第3期", "content": "x\"\u0041", "date": null},
 {"instruction": "q", "input": "", "output": "a"}, {"text": "雨后的天空", "paragraphs": ["a", ["b"]], "n": [1, {"x": -2.5e3}]},
 {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": [{"type": "text", "text": "b"}]}]}]"#;

fn lines() -> Vec<u8> {
    OBJECTS.replace('\n', "").trim_matches(['[', ']']).replace("}, {", "}\n{").into_bytes()
}

/// A few cases a test, unless the environment asks for more.
fn config() -> ProptestConfig {
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() { ProptestConfig::default().cases } else { 48 };
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn hostile_json(changes in vec(change(), 0..6), gbk: bool) {
        let encode = |text: &[u8]| match gbk {
            true => encoding_rs::GBK.encode(std::str::from_utf8(text).unwrap()).0.into_owned(),
            false => text.to_vec(),
        };
        let (array, lines) = (encode(OBJECTS.as_bytes()), encode(&lines()));
        for plugin in ["jsonl", "instruction-json", "magazine-json", "poetry-corpus"] {
            survives(plugin, "a.json", &array, &changes, "");
            survives(plugin, "a.jsonl", &lines, &changes, "");
        }
    }

    #[test]
    fn hostile_csv(changes in vec(change(), 0..6)) {
        let file = "instruction,input,output\n春天,\"a, \"\"b\"\"\nc\",d\r\n\ne,,f\n".as_bytes();
        survives("instruction-csv", "a.csv", file, &changes, "");
    }

    #[test]
    fn hostile_text(changes in vec(change(), 0..6)) {
        let file = "《春天》 人\n花开满枝头\n微风轻抚过\n\n夜晚的城市\n".as_bytes();
        for unit in ["line", "paragraph"] {
            let options = format!("unit = \"{unit}\"");
            survives("text", "a.txt", file, &changes, &options);
            survives("poetry-corpus", "a.txt", file, &changes, &options);
        }
    }

    #[test]
    fn hostile_workbooks(changes in vec(change(), 0..6), shared in vec(change(), 0..2)) {
        let rows = row(&["question", "answer"]) + &row(&["=t=\"s\"><v>0</v>", "b"]) + &row(&["=r=\"A3\" s=\"1\"><v>2</v>", "d"]);
        let strings = "<si><t>shared</t></si><si><r><t>a</t></r></si>";
        let text = |file: &str, changes: &[Change]| String::from_utf8_lossy(&apply(file.as_bytes(), changes)).into_owned();
        let inside = workbook(&text(&rows, &changes), &text(strings, &shared), CompressionMethod::Stored);
        read("qa-xlsx", "a.xlsx", &inside, "");
        for method in [CompressionMethod::Stored, CompressionMethod::Deflated] {
            read("qa-xlsx", "a.xlsx", &apply(&workbook(&rows, strings, method), &changes), "");
        }
    }

    #[test]
    fn hostile_parquet(changes in vec(change(), 1..6), packed: bool) {
        use ::parquet::basic::Compression;
        let codec = if packed { Compression::SNAPPY } else { Compression::UNCOMPRESSED };
        read("parquet", "a.parquet", &apply(&crate::parquet::tests::table(codec), &changes), "");
    }

    #[test]
    fn hostile_bytes(bytes in vec(any::<u8>(), 0..2000)) {
        for (plugin, name) in [("jsonl", "a.json"), ("instruction-csv", "a.csv"), ("text", "a.txt"), ("qa-xlsx", "a.xlsx")] {
            read(plugin, name, &bytes, "");
        }
    }
}

/// Every file cut off at every byte: what is read before the cut is what the whole file has there.
#[test]
fn files_are_cut_off_at_every_byte() {
    for Valid { plugin, name, content, .. } in valid::files() {
        let folder = Folder::of(name, b"");
        let build = test::declaration(Kind::Dataset, plugin).build;
        let options = serde_json::json!({"path": folder.path(name), "on_error": "skip"});
        let read = |content: &[u8]| -> (Vec<Record>, Option<PluginError>) {
            // A file that is replaced may be flushed to the disk, a new one is not.
            std::fs::remove_file(folder.path(name)).unwrap();
            std::fs::write(folder.path(name), content).unwrap();
            let (mut records, mut error) = (Vec::new(), None);
            match build.dataset(plugin, &options).and_then(|dataset| dataset.open(&Default::default())) {
                Err(e) => error = Some(e),
                Ok(read) => read.for_each(|record| record.map_or_else(|e| error = Some(e), |r| records.push(r))),
            }
            (records, error)
        };
        let (whole, _) = read(&content);
        for end in 0..content.len() {
            let (records, error) = read(&content[..end]);
            if let Some(e) = error {
                assert!(!e.panicked(), "{plugin}, {name}, {end} bytes: {}", e.message);
                assert!(e.to_string().contains(name), "{plugin}, {end} bytes: names no file: {e}");
            }
            // The last record may be cut too; how a text in another encoding is read may change with its length.
            let kept = records.len().saturating_sub(1);
            let is_utf_8 = std::str::from_utf8(&content).is_ok();
            assert!(!is_utf_8 || whole.starts_with(&records[..kept]), "{plugin}, {name}, {end} bytes: {records:?}");
        }
    }
}

/// Brackets, quotes and words without end.
#[test]
fn deep_and_long_files_end() {
    for part in ["[", "{\"a\":", "\"", "[\"", "{\"a\": [1}, ", "\\", "é", "0", ",", "[{}, ", "\n{", "\"\n"] {
        let file = part.repeat((1 << 20) / part.len());
        for (plugin, name) in
            [("jsonl", "a.json"), ("jsonl", "a.jsonl"), ("instruction-csv", "a.csv"), ("text", "a.txt")]
        {
            read(plugin, name, file.as_bytes(), "");
        }
    }
}

/// Files of 200 MB are read in little memory. Runs alone, because memory is the whole process's.
#[test]
#[cfg(target_os = "linux")]
#[ignore = "measures the process's memory: cargo test -p plugin-datasets large_files -- --ignored --nocapture"]
fn large_files_are_streams() -> Result<()> {
    let object = format!("{{\"instruction\": \"{}\", \"output\": \"b\"}}", "春".repeat(300));
    let rows = 215_000;
    let array = format!("[{object}{}]", format!(",\n{object}").repeat(rows - 1));
    let csv = format!("instruction,output\n{}", format!("{},b\n", "春".repeat(300)).repeat(rows));
    let lines = format!("{object}\n").repeat(rows);
    let folder = Folder::of("a.json.gz", gz(&array)).with("a.json", array).with("a.csv.zst", zst(csv));
    let folder = folder.with("a.jsonl", lines);
    let read = [
        ("jsonl", "a.jsonl", ""),
        ("jsonl", "a.json", ""),
        ("instruction-json", "a.json.gz", ""),
        ("instruction-csv", "a.csv.zst", ""),
        ("magazine-json", "a.json", "title = \"output\"\ncontent = \"instruction\""),
        ("poetry-corpus", "a.jsonl", "body = \"instruction\""),
        ("text", "a.jsonl", "field = \"instruction\""),
        ("text", "a.jsonl.txt", "unit = \"line\""),
    ];
    std::fs::copy(folder.path("a.jsonl"), folder.path("a.jsonl.txt")).unwrap();
    let memory = |name: &str| {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim().trim_end_matches(" kB").parse::<usize>().unwrap()
    };
    for (plugin, name, options) in read {
        let mut options = framework_sdk::conformance::table(options)?;
        options["path"] = serde_json::json!(folder.path(name));
        let build = test::declaration(Kind::Dataset, plugin).build;
        let (begun, base) = (Instant::now(), memory("VmRSS:"));
        std::fs::write("/proc/self/clear_refs", "5").unwrap(); // the peak begins again here
        let records = build.dataset(plugin, &options)?.open(&Default::default())?;
        assert_eq!(records.map(|r| r.map(|_| 1)).sum::<Result<usize>>()?, rows);
        let over = memory("VmHWM:").saturating_sub(base);
        println!("{plugin}, {name}: {rows} rows in {:?}, {over} kB over {base} kB", begun.elapsed());
        assert!(over < 50 << 10, "{over} kB");
    }
    Ok(())
}
