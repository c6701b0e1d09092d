//! `qa-xlsx`: questions and answers in a workbook.

use crate::{
    input::{Place, files},
    rows::{self, Fault, OnError},
};
use framework_sdk::prelude::*;
use std::path::PathBuf;

mod cells;
mod sheet;

options! {
    /// Questions with their answers from an Excel workbook (`.xlsx`).
    ///
    /// Yields records with the fields `question` and `answer`, and `input` if a context column is named. The first
    /// non-empty row holds the column names, whose case does not matter. Numbers and dates become text as they are
    /// stored, not as Excel displays them; times and durations are written as `08:30:00`. Rows without a question and
    /// an answer are skipped. The columns are held in memory, so a workbook that unpacks to more than 256 MiB is
    /// refused.
    #[schemars(extend("x-reads" = "paths"))]
    pub struct QaXlsx {
        /// The workbook, or a folder of `.xlsx` files, which are read in the order of their names.
        path: FilePath,
        /// The sheet. Default: the first.
        #[serde(default)]
        sheet: Option<String>,
        /// The column that holds the question.
        #[serde(default = "question")]
        question: String,
        /// The column that holds the answer.
        #[serde(default = "answer")]
        answer: String,
        /// The column with the question's context, such as the passage that it is about. Default: none.
        #[serde(default)]
        context: Option<String>,
        /// Leave out rows whose question or answer is empty instead of refusing them.
        #[serde(default)]
        skip_empty: bool,
        /// What to do with a malformed row.
        #[serde(default)]
        on_error: OnError,
    }
}

fn question() -> String {
    "question".into()
}
fn answer() -> String {
    "answer".into()
}

impl Dataset for QaXlsx {
    fn validate(&self) -> Result<()> {
        let names =
            [Some(&self.question), Some(&self.answer), self.context.as_ref()].map(|n| n.map(|n| n.to_lowercase()));
        if names[0] == names[1] || names[1] == names[2] || names[0] == names[2] {
            return Err(
                PluginError::new("`question`, `answer` and `context` must name different columns").key("question")
            );
        }
        Ok(())
    }

    fn open(&self, skipped: &Skipped) -> Result<Records> {
        let options = self.clone();
        let rows = rows::of_files(files(&self.path, &["xlsx", "xlsm"])?, move |file| options.read(file));
        Ok(rows::records(skipped, self.on_error, rows))
    }
}

impl QaXlsx {
    fn read(&self, path: PathBuf) -> Result<impl Iterator<Item = Result<Record, Fault>> + use<>> {
        let wanted =
            [("question", Some(&self.question)), ("answer", Some(&self.answer)), ("context", self.context.as_ref())];
        let wanted: Vec<_> = wanted.into_iter().filter_map(|(option, name)| Some((option, name?.clone()))).collect();
        let rows = sheet::read(&path, self.sheet.as_deref(), &wanted)?;
        let (path, skip_empty) = (path.into(), self.skip_empty);
        Ok(rows.into_iter().filter_map(move |row| {
            let place = Place { path: std::sync::Arc::clone(&path), line: row.number, column: 0 };
            record(row, skip_empty, &place).transpose()
        }))
    }
}

/// The row as a record; none if it is to be left out.
fn record(row: sheet::Row, skip_empty: bool, place: &Place) -> Result<Option<Record>, Fault> {
    if row.cells[..2].iter().all(|cell| matches!(cell, Ok(text) if text.trim().is_empty())) {
        return Ok(None);
    }
    let mut record = Record::new();
    for (name, cell) in ["question", "answer", "input"].into_iter().zip(row.cells) {
        let text = cell.map_err(|wrong| place.wrong(format!("the {name} {wrong}")))?;
        if text.trim().is_empty() && name != "input" {
            let hint = "fill it in, delete the row, or set `skip_empty = true` to leave such rows out";
            return Err(match skip_empty {
                true => place.unwanted(format!("the {name} is empty")),
                false => place.wrong(format!("the {name} is empty; {hint}")),
            });
        }
        record.insert(name.to_owned(), text.into());
    }
    Ok(Some(record))
}

register!(dataset "qa-xlsx" => QaXlsx, example = r#"
path = "QA_pair.xlsx"
"#);

#[cfg(test)]
pub(crate) mod tests {
    use crate::testing::Folder;
    use framework_sdk::serde_json::json;
    use std::io::{Cursor, Write};
    use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

    /// A workbook of one sheet, `QA`, with these rows of XML and these shared strings.
    pub fn workbook(rows: &str, shared: &str, method: CompressionMethod) -> Vec<u8> {
        let main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
        let relations = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
        let parts = [
            (
                "[Content_Types].xml",
                "<Types xmlns=\"http://schemas.openxmlformats.org/package/2006/content-types\"></Types>".to_owned(),
            ),
            (
                "_rels/.rels",
                format!(
                    "<Relationships xmlns=\"http://schemas.openxmlformats.org/package/2006/relationships\">\
                     <Relationship Id=\"rId1\" Type=\"{relations}/officeDocument\" Target=\"xl/workbook.xml\"/>\
                     </Relationships>"
                ),
            ),
            (
                "xl/workbook.xml",
                format!(
                    "<workbook xmlns=\"{main}\" xmlns:r=\"{relations}\"><sheets>\
                     <sheet name=\"QA\" sheetId=\"1\" r:id=\"rId1\"/></sheets></workbook>"
                ),
            ),
            (
                "xl/_rels/workbook.xml.rels",
                format!(
                    "<Relationships xmlns=\"http://schemas.openxmlformats.org/package/2006/relationships\">\
                     <Relationship Id=\"rId1\" Type=\"{relations}/worksheet\" Target=\"worksheets/sheet1.xml\"/>\
                     <Relationship Id=\"rId2\" Type=\"{relations}/sharedStrings\" Target=\"sharedStrings.xml\"/>\
                     </Relationships>"
                ),
            ),
            (
                "xl/sharedStrings.xml",
                match shared.starts_with("<sst") {
                    true => shared.to_owned(),
                    false => format!("<sst xmlns=\"{main}\">{shared}</sst>"),
                },
            ),
            (
                "xl/worksheets/sheet1.xml",
                format!("<worksheet xmlns=\"{main}\"><sheetData>{rows}</sheetData></worksheet>"),
            ),
        ];
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, content) in parts {
            zip.start_file(name, SimpleFileOptions::default().compression_method(method)).unwrap();
            zip.write_all(content.as_bytes()).unwrap();
        }
        zip.finish().unwrap().into_inner()
    }

    /// A row of cells with text in them, from column A on.
    pub fn row(cells: &[&str]) -> String {
        let cell = |text: &&str| match text.strip_prefix('=') {
            Some(raw) => format!("<c {raw}</c>"),
            None => format!("<c t=\"inlineStr\"><is><t>{text}</t></is></c>"),
        };
        format!("<row>{}</row>", cells.iter().map(cell).collect::<String>())
    }

    fn folder(rows: &[&[&str]]) -> Folder {
        let rows: String = rows.iter().map(|cells| row(cells)).collect();
        let shared = "<si><t>shared</t></si><si><r><t xml:space=\"preserve\">in </t></r><r><t>parts</t></r></si>";
        Folder::of("qa.xlsx", workbook(&rows, shared, CompressionMethod::Deflated))
    }

    #[test]
    fn all_kinds_of_cells_become_text() {
        let rows: &[&[&str]] = &[
            &["", ""],
            &["Nr", "Question ", "ANSWER"],
            &["1", "=t=\"s\"><v>0</v>", "=t=\"s\"><v>1</v>"],
            &["2", "=><v>3</v>", "=><v>2.5</v>"],
            &["3", "=t=\"b\"><v>1</v>", "a &amp; b\nc"],
            &["4", " ", ""],
            &[],
            &["5", "春", "天", "more"],
        ];
        let expected = [
            json!({"question": "shared", "answer": "in parts"}),
            json!({"question": "3", "answer": "2.5"}),
            json!({"question": "true", "answer": "a & b\nc"}),
            json!({"question": "春", "answer": "天"}),
        ];
        assert_eq!(folder(rows).read("qa-xlsx", "").unwrap(), expected);
        assert_eq!(folder(rows).read("qa-xlsx", "sheet = \"QA\"").unwrap(), expected);
    }

    #[test]
    fn columns_can_be_named() {
        let rows: &[&[&str]] = &[&["A", "C", "Q"], &["a", "about", "q"], &["a", "", "r"]];
        let options = "question = \"Q\"\nanswer = \"a\"\ncontext = \"C\"";
        let expected = [
            json!({"question": "q", "answer": "a", "input": "about"}),
            json!({"question": "r", "answer": "a", "input": ""}),
        ];
        assert_eq!(folder(rows).read("qa-xlsx", options).unwrap(), expected);
        let error = folder(rows).refused("qa-xlsx", "");
        assert!(
            error.contains("qa.xlsx:1: there is no column `question`; the columns of `QA` are `A`, `C`, `Q`"),
            "{error}"
        );
        let error = folder(rows).refused("qa-xlsx", "sheet = \"Data\"");
        assert!(error.ends_with("there is no sheet `Data`; the sheets are `QA`"), "{error}");
        let error = folder(rows).refused("qa-xlsx", "question = \"a\"\nanswer = \"A\"");
        assert!(error.contains("different columns"), "{error}");
        assert!(folder(&[]).refused("qa-xlsx", "").contains("the sheet `QA` is empty"));
    }

    #[test]
    fn bad_rows_are_errors_or_skipped() {
        let rows: &[&[&str]] = &[&["question", "answer"], &["a", "b"], &["c"], &["=t=\"e\"><v>#N/A</v>", "d"]];
        let error = folder(rows).refused("qa-xlsx", "");
        assert!(error.contains("qa.xlsx:3: the answer is empty; fill it in"), "{error}");
        let error = folder(rows).refused("qa-xlsx", "skip_empty = true");
        assert!(error.contains("qa.xlsx:4: the question is the error #N/A"), "{error}");
        assert_eq!(folder(rows).read("qa-xlsx", "on_error = \"skip\"").unwrap().len(), 1);
    }

    #[test]
    fn empty_cells_say_why_they_are_empty() {
        let header = row(&["question", "answer"]);
        let formula = row(&["a", "=><f>A2</f>"]) + &row(&["=><f>A2</f>", "=><f>B2</f>"]);
        let refused = |rows: String, options: &str| {
            Folder::of("qa.xlsx", workbook(&rows, "", CompressionMethod::Stored)).refused("qa-xlsx", options)
        };
        let error = refused(header.clone() + &formula, "");
        assert!(error.contains("qa.xlsx:2: the answer is a formula whose result is not in the file"), "{error}");
        let computed = header.clone() + &row(&["a", "=t=\"str\"><f>A2</f><v>b</v>"]);
        let folder = Folder::of("qa.xlsx", workbook(&computed, "", CompressionMethod::Stored));
        assert_eq!(folder.read("qa-xlsx", "").unwrap(), [json!({"question": "a", "answer": "b"})]);
        let merged = "</sheetData><mergeCells count=\"1\"><mergeCell ref=\"A2:A3\"/></mergeCells><sheetData>";
        let error = refused(header + &row(&["a", "b"]) + &row(&["", "c"]) + merged, "");
        assert!(
            error.contains("qa.xlsx:3: the question is empty, since its cell is merged with the one in row 2"),
            "{error}"
        );
    }

    #[test]
    fn what_is_no_workbook_is_refused() {
        let refused = |content: &[u8]| Folder::of("qa.xlsx", content).refused("qa-xlsx", "on_error = \"skip\"");
        assert!(refused(b"question,answer").contains("qa.xlsx: it is not an .xlsx workbook"));
        let whole = workbook(&row(&["question", "answer"]), "", CompressionMethod::Deflated);
        assert!(refused(&whole[..whole.len() / 2]).contains("cannot read "));
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        zip.start_file("other.txt", SimpleFileOptions::default()).unwrap();
        let error = refused(&zip.finish().unwrap().into_inner());
        assert!(error.contains("cannot read "), "{error}");
    }

    #[test]
    fn bombs_are_refused() {
        let text = " ".repeat(1 << 20);
        let rows: String = std::iter::repeat_n(row(&["question", &text]), 300).collect();
        let bomb = workbook(&rows, "", CompressionMethod::Deflated);
        assert!(bomb.len() < 1 << 20, "{} bytes", bomb.len());
        let error = Folder::of("qa.xlsx", bomb).refused("qa-xlsx", "");
        assert!(error.contains("unpacks to more than 256 MiB"), "{error}");

        // A long string that many cells share, and a cell at the far end of the sheet.
        let shared = format!("<si><t>{}</t></si>", "x".repeat(1 << 20));
        let cells = "<row><c t=\"s\"><v>0</v></c><c t=\"s\"><v>0</v></c></row>".repeat(200);
        let bomb = workbook(&(row(&["question", "answer"]) + &cells), &shared, CompressionMethod::Deflated);
        let error = Folder::of("qa.xlsx", bomb).refused("qa-xlsx", "");
        assert!(error.contains("more than 256 MiB of text"), "{error}");
        // More strings than any memory holds, so it says; and more elements, though they take few bytes.
        let header = row(&["question", "answer"]);
        for says in ["uniqueCount=\"99999999999\"", "count=\"1\"\n\tuniqueCount = '00099999999999'"] {
            let bomb = workbook(&header, &format!("<sst {says}><si/></sst>"), CompressionMethod::Stored);
            let error = Folder::of("qa.xlsx", bomb).refused("qa-xlsx", "");
            assert!(error.contains("or says it has, more than 16777216 cells"), "{error}");
        }
        let bomb = workbook(&header, &"<si/>".repeat(17 << 20), CompressionMethod::Deflated);
        let error = Folder::of("qa.xlsx", bomb).refused("qa-xlsx", "");
        assert!(error.contains("more than 16777216 cells and strings"), "{error}");
        let fine = workbook(&(header + &row(&["a", "b"])), "<sst uniqueCount=\"7\"></sst>", CompressionMethod::Stored);
        assert_eq!(Folder::of("qa.xlsx", fine).read("qa-xlsx", "").unwrap().len(), 1);

        let far = row(&["question", "answer"]) + "<row r=\"1048576\"><c r=\"XFD1048576\"><v>1</v></c></row>";
        let far = workbook(&far, "", CompressionMethod::Deflated);
        assert!(Folder::of("qa.xlsx", far).read("qa-xlsx", "").unwrap().is_empty());
    }
}
