//! Small valid files of every reader, from which hostile ones are made.

use crate::{
    qa_xlsx::tests::{row, workbook},
    testing::{gz, zst},
};
use zip::CompressionMethod;

/// A valid file: for which plugin, what it is called, what is in it, and options beside its path.
pub struct Valid {
    pub plugin: &'static str,
    pub name: &'static str,
    pub content: Vec<u8>,
    pub options: &'static str,
}

const ARTICLES: &str = r#"[{"title": "春天", "author": "a", "volume": "第3期", "content": "<p>x\"\u0041</p>", "date": null},
 {"title": "b", "volume": 12, "content": "雨后的天空", "n": [1, {"x": -2.5e3}]}]"#;
const INSTRUCTIONS: &str = r#"[{"instruction": "q", "input": "", "output": "a"},
 {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": [{"type": "text", "text": "b"}]}]},
 {"system": "s", "conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "春天来了"}]}]"#;
const POEMS: &str = r#"[{"title": "春天", "author": "a", "paragraphs": ["花开满枝头", ["微风"]]},
 {"section": "s", "content": [{"chapter": "c", "para": "x\ny"}, "z"]}]"#;
const ANY: &str = r#"[{"a": "春天", "b": [true, false, null, 1, {"c": -2.5e3}]},
 {"a": "x\"\ud83d\ude00", "text": "t"}]"#;
const CSV: &str = "instruction,input,output\n春天,\"a, \"\"b\"\"\nc\",d\r\n\ne,,f\n";
const TEXT: &str = "《春天》 人\n花开满枝头\n微风轻抚过\n\n夜晚的城市\n";

/// An array's objects, one a line.
fn lines(array: &str) -> String {
    array.trim_start_matches('[').trim_end_matches(']').replace("},\n {", "}\n{")
}

/// Cells of all kinds.
pub fn cells() -> (String, &'static str) {
    let kinds = ["=t=\"s\"><v>0</v>", "=t=\"b\"><v>1</v>"];
    let rows = [&["question", "answer"][..], &kinds, &["=r=\"A3\" s=\"1\"><v>2.5</v>", "d"]];
    let strings = "<si><t>shared</t></si><si><r><t>a</t></r></si>";
    (rows.iter().map(|cells| row(cells)).collect(), strings)
}

/// One file of each kind at least.
pub fn files() -> Vec<Valid> {
    let mut files = Vec::new();
    let mut add = |plugin, name, content: Vec<u8>, options| files.push(Valid { plugin, name, content, options });
    let json = [
        ("jsonl", ANY),
        ("instruction-json", INSTRUCTIONS),
        ("magazine-json", ARTICLES),
        ("poetry-corpus", POEMS),
        ("text", "[{\"text\": \"春天\"},\n {\"text\": 1.5}]"),
    ];
    for (plugin, array) in json {
        add(plugin, "a.json", array.into(), "");
        add(plugin, "a.jsonl", lines(array).into(), "");
        add(plugin, "a.json", encoding_rs::GB18030.encode(array).0.into_owned(), "");
        add(plugin, "a.jsonl", gz(lines(array)), "");
        add(plugin, "a.json", zst(array), "");
    }
    for plugin in ["text", "poetry-corpus"] {
        add(plugin, "a.txt", TEXT.into(), "");
        add(plugin, "a.txt", TEXT.into(), "unit = \"line\"");
        add(plugin, "a.txt", encoding_rs::GBK.encode(TEXT).0.into_owned(), "");
        add(plugin, "a.txt", gz(TEXT), "");
        add(plugin, "a.txt", zst(TEXT), "");
    }
    let utf_16 = format!("\u{feff}{CSV}").encode_utf16().flat_map(u16::to_le_bytes).collect();
    let packed = [CSV.into(), encoding_rs::GBK.encode(CSV).0.into_owned(), utf_16, gz(CSV), zst(CSV)];
    packed.into_iter().for_each(|content| add("instruction-csv", "a.csv", content, ""));
    let (rows, strings) = cells();
    for method in [CompressionMethod::Stored, CompressionMethod::Deflated] {
        add("qa-xlsx", "a.xlsx", workbook(&rows, strings, method), "");
    }
    for codec in crate::parquet::tests::codecs() {
        add("parquet", "a.parquet", crate::parquet::tests::table(codec), "on_error = \"skip\"");
        add("parquet", "a.parquet", crate::parquet::tests::lists(codec, 2), "");
    }
    files
}

/// Every file can be read as it is, so that what is made of it is not refused for other reasons.
#[test]
fn valid_files_are_read() {
    for Valid { plugin, name, content, options } in files() {
        let read = crate::testing::Folder::of(name, content).read(plugin, options);
        let read = read.unwrap_or_else(|e| panic!("{plugin}, {name}: {e}"));
        assert!(read.len() >= 2, "{plugin}, {name}: {read:?}");
    }
}

/// The inputs with which the fuzz targets begin: six bytes that choose options, then the file (see `fuzz/README.md`).
#[test]
#[ignore = "writes into the folder that SEEDS names"]
fn seeds() {
    let folder = std::path::PathBuf::from(std::env::var_os("SEEDS").expect("SEEDS names a folder"));
    let write = |plugin: &str, number: usize, choices: [u8; 6], content: &[u8]| {
        std::fs::create_dir_all(folder.join(plugin)).unwrap();
        std::fs::write(folder.join(plugin).join(format!("seed-{number:02}")), [&choices[..], content].concat())
            .unwrap();
    };
    for (number, Valid { plugin, name, content, .. }) in files().into_iter().enumerate() {
        let kind = match name {
            "a.json" | "a.xlsx" | "a.parquet" => 1,
            "a.txt" => 2,
            _ => 0,
        };
        for skip in [0, 1] {
            write(plugin, 2 * number + usize::from(skip), [skip, 3 * (1 - skip), kind, 0, 0, 0], &content);
        }
        if plugin == "parquet" {
            let (pages, rest) = content.split_at(content.len() - 8);
            let length = u32::from_le_bytes(rest[..4].try_into().unwrap()) as usize;
            let (pages, footer) = pages.split_at(pages.len() - length);
            write(plugin, 500 + number, [1, 0, 0, 0, 0, 0], &[pages, b"\0FOOT\0", footer].concat());
        }
    }
    let (rows, strings) = cells();
    let parts = format!("<worksheet><sheetData>{rows}</sheetData></worksheet>\0<sst>{strings}</sst>");
    write("qa-xlsx", 500, [0; 6], parts.as_bytes());
    write("qa-xlsx", 501, [1, 0, 0, 1, 1, 1], parts.as_bytes());
}
