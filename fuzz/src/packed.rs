//! Files that pack what is fuzzed, so that changes are not caught by checksums and lengths alone.

use std::io::{Cursor, Write};
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

/// The parts of a workbook in the order in which an input holds them.
const PARTS: [&str; 5] = [
    "xl/worksheets/sheet1.xml",
    "xl/sharedStrings.xml",
    "xl/workbook.xml",
    "xl/_rels/workbook.xml.rels",
    "xl/styles.xml",
];

/// Which part is the workbook; nothing is read without.
const ROOT: &str = "<Relationships><Relationship Id=\"r1\" Type=\"http://schemas.openxmlformats.org/officeDocument/2006/\
     relationships/officeDocument\" Target=\"xl/workbook.xml\"/></Relationships>";

const DEFAULTS: [&str; 3] = [
    "<workbook><sheets><sheet name=\"QA\" sheetId=\"1\" r:id=\"r1\"/></sheets></workbook>",
    "<Relationships><Relationship Id=\"r1\" Type=\"http://schemas.openxmlformats.org/officeDocument/2006/relationships\
     /worksheet\" Target=\"worksheets/sheet1.xml\"/></Relationships>",
    "<styleSheet><numFmts><numFmt numFmtId=\"164\" formatCode=\"yyyy\"/></numFmts><cellXfs><xf numFmtId=\"0\"/>\
     <xf numFmtId=\"164\"/></cellXfs></styleSheet>",
];

/// A workbook of parts that are separated by zero bytes, which XML does not have; missing ones are usual.
pub fn workbook(content: &[u8]) -> Vec<u8> {
    let mut given = content.split(|b| *b == 0);
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let mut add = |name, part: &[u8]| {
        let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
        zip.start_file(name, stored).and_then(|()| Ok(zip.write_all(part)?)).expect("written to memory");
    };
    add("_rels/.rels", ROOT.as_bytes());
    for (i, name) in PARTS.into_iter().enumerate() {
        let usual = i.checked_sub(2).map_or("", |i| DEFAULTS[i]).as_bytes();
        add(name, given.next().filter(|part| !part.is_empty()).unwrap_or(usual));
    }
    zip.finish().expect("written to memory").into_inner()
}

/// Stands between a table's pages and its footer.
const FOOTER: &[u8] = b"\0FOOT\0";

/// A Parquet file of pages and footer; the footer's length is right.
pub fn table(content: &[u8]) -> Vec<u8> {
    let split = content.windows(FOOTER.len()).rposition(|window| window == FOOTER);
    let (pages, footer) = match split {
        Some(at) => (&content[..at], &content[at + FOOTER.len()..]),
        None => (content, &[][..]),
    };
    let length = u32::try_from(footer.len()).expect("inputs are short").to_le_bytes();
    [pages, footer, &length, b"PAR1"].concat()
}
