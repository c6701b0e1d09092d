//! `instruction-csv`: instructions and answers in a table.

use crate::{
    input::{self, Bounded, Encoding, Hint, Place, files},
    rows::{self, Fault, OnError},
};
use csv::ByteRecord;
use framework_sdk::prelude::*;
use std::{
    io::{Chain, Read},
    path::Path,
};

options! {
    /// Instructions with their answers from a CSV file with a header line (RFC 4180).
    ///
    /// Yields records with the fields `instruction`, `input` and `output`. If the table has no `input` column, the
    /// inputs are empty. The file may be compressed with gzip or Zstandard.
    #[schemars(extend("x-reads" = "paths"))]
    pub struct InstructionCsv {
        /// The CSV file, or a folder of `.csv` and `.tsv` files, which are read in the order of their names.
        path: FilePath,
        /// The column that holds the instruction.
        #[serde(default = "instruction")]
        instruction: String,
        /// The column with the instruction's input, such as the text to work on. A file may lack this column only if
        /// its name is the default.
        #[serde(default = "input")]
        input: String,
        /// The column that holds the answer.
        #[serde(default = "output")]
        output: String,
        /// The character between two fields. Default: a tab in files that end in `.tsv`, else a comma.
        #[serde(default)]
        delimiter: Option<char>,
        /// Leave out rows whose instruction or answer is empty instead of refusing them.
        #[serde(default)]
        skip_empty: bool,
        /// Encoding of the text. `auto` recognises UTF-8, UTF-16 with a byte order mark, and the usual encodings of
        /// Chinese, Japanese and Korean.
        #[serde(default = "input::auto")]
        encoding: String,
        /// What to do with a malformed row.
        #[serde(default)]
        on_error: OnError,
    }
}

fn instruction() -> String {
    "instruction".into()
}
fn input() -> String {
    "input".into()
}
fn output() -> String {
    "output".into()
}

/// The most columns of a header.
const MAX_COLUMNS: usize = 16 << 10;

/// Follows the file's content, as a row of its own; if a quote is still open there, it ends up inside the last field.
const END: &[u8] = b"\n\x01\x04\x04\x01";

impl Dataset for InstructionCsv {
    fn validate(&self) -> Result<()> {
        let names = [&self.instruction, &self.input, &self.output];
        if names[0] == names[1] || names[1] == names[2] || names[0] == names[2] {
            return Err(
                PluginError::new("`instruction`, `input` and `output` must name different columns").key("instruction")
            );
        }
        let separates = |c: char| c == '\t' || (c != '"' && matches!(c, ' '..='~'));
        if let Some(wrong) = self.delimiter.filter(|c| !separates(*c)) {
            return Err(PluginError::option(
                "delimiter",
                format!("must be a tab or an ASCII character, not {wrong:?}"),
            ));
        }
        Encoding::named(&self.encoding).map(|_| ())
    }

    fn open(&self, skipped: &Skipped) -> Result<Records> {
        let (options, encoding) = (self.clone(), Encoding::named(&self.encoding)?);
        let open = move |file: std::path::PathBuf| Rows::open(&options, &file, &encoding);
        let rows = rows::of_files(files(&self.path, &["csv", "tsv"])?, open);
        Ok(rows::records(skipped, self.on_error, rows))
    }
}

struct Rows {
    place: Place,
    csv: csv::Reader<Bounded<Chain<input::Decoded, &'static [u8]>>>,
    row: ByteRecord,
    /// Where instruction, input and output stand.
    columns: [Option<usize>; 3],
    /// Fields of a row.
    width: usize,
    skip_empty: bool,
    ended: bool,
}

impl Rows {
    /// Reads the header.
    fn open(options: &InstructionCsv, path: &Path, encoding: &Encoding) -> Result<Self> {
        let tabs = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("tsv"));
        let delimiter = options.delimiter.unwrap_or(if tabs { '\t' } else { ',' });
        let mut csv = csv::ReaderBuilder::new()
            .delimiter(delimiter as u8)
            .terminator(csv::Terminator::Any(b'\n'))
            .flexible(true)
            .has_headers(false)
            .from_reader(Bounded::new(input::open(path, encoding)?.chain(END)));
        let mut row = ByteRecord::new();
        csv.read_byte_record(&mut row).map_err(|e| input::unreadable(path, e))?;
        if row.as_slice() == &END[1..] || row.as_slice().trim_ascii().is_empty() {
            return Err(PluginError::at(path, 1, "the file is empty; expected a header line"));
        }
        if row.len() > MAX_COLUMNS {
            let message = format!("the header has {} columns; the most that is read is {MAX_COLUMNS}", row.len());
            return Err(PluginError::at(path, 1, message));
        }
        let place = Place { path: path.into(), line: 1, column: 0 };
        if row.as_slice().trim_ascii_end().contains(&b'\r') {
            let message = "the header has a carriage return in it: the file's lines end in CR alone, as old Macs wrote \
                           them; save it with LF or CR LF";
            return Err(place.wrong(message).into_error());
        }
        let hint = csv.get_ref().get_ref().get_ref().0.hint();
        let names =
            row.iter().map(|name| input::text(name.trim_ascii(), &place, hint, "the header").map(str::to_owned));
        let names = names.collect::<Result<Vec<_>, Fault>>().map_err(Fault::into_error)?;
        let exact = |name: &String| names.iter().position(|n| n == name);
        let find =
            |name: &String| exact(name).or_else(|| names.iter().position(|n| n.to_lowercase() == name.to_lowercase()));
        let need = |option: &str, name: &String| {
            let found = names.iter().take(20).map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", ");
            find(name).ok_or_else(|| {
                let hint = format!("say which one to read with `{option}`, or set `delimiter` if they are not split");
                let message = format!("there is no column `{name}`; the columns are {found}: {hint}");
                place.wrong(message).into_error().key(option).known(names.iter().cloned())
            })
        };
        let optional = options.input == input();
        let columns = [
            Some(need("instruction", &options.instruction)?),
            if optional { find(&options.input) } else { Some(need("input", &options.input)?) },
            Some(need("output", &options.output)?),
        ];
        let (width, skip_empty) = (names.len(), options.skip_empty);
        Ok(Self { place, csv, row, columns, width, skip_empty, ended: false })
    }

    /// The present row as a record.
    fn record(&self) -> Result<Record, Fault> {
        let open = self.row.iter().next_back().is_some_and(|field| field.ends_with(END));
        // Counted back from the row's end, because blank lines before a row count as part of it.
        let breaks = self.row.as_slice().iter().filter(|&&b| b == b'\n').count() as u64;
        let line = (self.csv.position().line() - u64::from(!open)).saturating_sub(breaks);
        let place = Place { line, ..self.place.clone() };
        if open {
            return Err(place.wrong("a quote that opens in this row is never closed"));
        }
        if self.row.len() != self.width {
            let (found, width) = (self.row.len(), self.width);
            let hint = "put fields that contain the delimiter, quotes or line breaks in double quotes";
            return Err(place.wrong(format!("the row has {found} fields, but the header has {width}; {hint}")));
        }
        let hint: Hint = self.csv.get_ref().get_ref().get_ref().0.hint();
        let mut record = Record::new();
        for (name, column) in ["instruction", "input", "output"].into_iter().zip(self.columns) {
            let mut field = column.map_or(&b""[..], |column| &self.row[column]);
            if column == Some(self.width - 1) {
                while let Some(line) = field.strip_suffix(b"\r") {
                    field = line; // of a line that ends in CR LF, or in CR CR LF
                }
            }
            let text = std::str::from_utf8(field).or_else(|_| {
                let column = self.row.iter().take(column.unwrap_or(0)).map(|f| f.len() as u64 + 1).sum::<u64>() + 1;
                input::text(field, &Place { column, ..place.clone() }, hint, &format!("the {name}"))
            })?;
            if name != "input" && text.trim().is_empty() {
                let hint = "fill it in, delete the row, or set `skip_empty = true` to leave such rows out";
                return Err(match self.skip_empty {
                    true => place.unwanted(format!("the {name} is empty")),
                    false => place.wrong(format!("the {name} is empty; {hint}")),
                });
            }
            record.insert(name.to_owned(), text.into());
        }
        Ok(record)
    }
}

impl Iterator for Rows {
    type Item = Result<Record, Fault>;
    fn next(&mut self) -> Option<Self::Item> {
        while !self.ended {
            self.csv.get_mut().next_row();
            match self.csv.read_byte_record(&mut self.row) {
                Err(e) => {
                    self.ended = true;
                    let line = self.csv.position().line();
                    return Some(Err(Fault::File(PluginError::at(&self.place.path, line, e))));
                }
                Ok(false) => return None,
                Ok(true) if self.row.as_slice() == &END[1..] => return None,
                // A blank line
                Ok(true) if self.row.len() == 1 && self.row.as_slice().iter().all(|b| *b == b'\r') => continue,
                Ok(true) => {}
            }
            return Some(self.record());
        }
        None
    }
}

register!(dataset "instruction-csv" => InstructionCsv, example = r#"
path = "training_data.csv"
"#);

#[cfg(test)]
mod tests {
    use super::*;
    use framework_sdk::test;

    fn read(content: &[u8], options: &str) -> Result<Vec<[String; 3]>> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data.csv");
        std::fs::write(&path, content).unwrap();
        let records = test::dataset("instruction-csv", &format!("path = {path:?}\n{options}"))?;
        let field = |r: &Record, name: &str| r[name].as_str().unwrap().to_owned();
        Ok(records.iter().map(|r| ["instruction", "input", "output"].map(|name| field(r, name))).collect())
    }

    #[track_caller]
    fn refused(content: &[u8], options: &str, expected: &str) {
        let error = read(content, options).unwrap_err().to_string();
        let (_, said) = error.split_once("data.csv:").unwrap_or_else(|| panic!("names no line: {error}"));
        assert!(said.starts_with(expected), "{said}");
    }

    #[test]
    fn reads_quoted_fields_with_or_without_inputs() {
        let file = "\u{feff}instruction, output ,input\r\n\"Say \"\"hi\"\",\nplease\",hi,\r\n\r\nAdd,3,1 2";
        let expected = [["Say \"hi\",\nplease", "", "hi"], ["Add", "1 2", "3"]];
        assert_eq!(read(file.as_bytes(), "").unwrap(), expected);
        assert_eq!(read(b"output,instruction\na,b\n", "").unwrap(), [["b", "", "a"]]);
        assert_eq!(read(b"instruction,output\n", "").unwrap(), [[""; 3]; 0]);
    }

    #[test]
    fn columns_and_delimiter_can_be_named() {
        let options = "instruction = \"q\"\ninput = \"c\"\noutput = \"a\"\ndelimiter = \";\"";
        assert_eq!(read(b"a;c;q\n1;2;3,\n", options).unwrap(), [["3,", "2", "1"]]);
        refused(b"q;a\n1;2\n", options, "1: there is no column `c`; the columns are `q`, `a`: ");
        refused(
            b"q,output\n1,2\n",
            "",
            "1: there is no column `instruction`; the columns are `q`, `output`: say which",
        );
    }

    #[test]
    fn names_of_columns_ignore_case_and_tsv_has_tabs() {
        let expected = [["a", "", "b"]];
        assert_eq!(read(b"Instruction,OUTPUT\na,b\n", "").unwrap(), expected);
        assert_eq!(read(b"Output,output,Instruction\nx,b,a\n", "").unwrap(), expected, "exact names go first");
        assert_eq!(read(b"instruction\toutput\na\tb\n", "delimiter = \"\\t\"").unwrap(), expected);
        let folder = crate::testing::Folder::of("data.tsv", "instruction\toutput\na, c\tb\n");
        let records = folder.read("instruction-csv", "").unwrap();
        assert_eq!((&records[0]["instruction"], &records[0]["output"]), (&"a, c".into(), &"b".into()));
        assert_eq!(read(b"instruction;output\na;b\n", "delimiter = \";\"").unwrap(), expected);
    }

    /// Lines that were turned from LF into CR LF twice; and those of old Macs.
    #[test]
    fn carriage_returns_end_lines() {
        let expected = [["a", "", "b"], ["c", "", "d"]];
        assert_eq!(read(b"instruction,output\r\r\na,b\r\r\n\r\r\nc,d\r\r\n", "").unwrap(), expected);
        refused(
            b"instruction,output\ra,b\r",
            "",
            "1: the header has a carriage return in it: the file's lines end in CR",
        );
    }

    #[test]
    fn bad_rows_are_errors_with_their_line() {
        refused(b"", "", "1: the file is empty");
        refused(b"\r\n", "", "1: the file is empty");
        refused(b"instruction,output\n\"a\nb\",c\n\nd\n", "", "5: the row has 1 fields, but the header has 2; ");
        refused(b"instruction,output\r\na,c\r\n\r\nd\r\n", "", "4: the row has 1 fields, ");
        refused(b"instruction,output\na,b\nc,d\xff\n", "", "3:4: the output is not valid UTF-8");
        refused(b"instruction,output\na,b\nc,\"d\ne,f\n", "", "3: a quote that opens in this row is never closed");
        refused(b"instruction,output\na, \n", "", "2: the output is empty; fill it in");
    }

    #[test]
    fn empty_rows_can_be_left_out() {
        assert_eq!(read(b"instruction,output\n,a\nb,\nc,d\n", "skip_empty = true").unwrap(), [["c", "", "d"]]);
    }

    #[test]
    fn malformed_rows_can_be_skipped() {
        let file = b"instruction,output\na,b\nc\n,d\ne,f\xff\ng,\"h\ni\"\nj,\"k\n";
        let expected = [["a", "", "b"], ["g", "", "h\ni"]];
        assert_eq!(read(file, "on_error = \"skip\"").unwrap(), expected);
    }

    #[test]
    fn packed_and_in_older_encodings() {
        let file = encoding_rs::GBK.encode("instruction,output\n春天的花园,花都开了\n").0.into_owned();
        let expected = [["春天的花园", "", "花都开了"]];
        assert_eq!(read(&file, "").unwrap(), expected);
        assert_eq!(read(&crate::testing::gz(&file), "").unwrap(), expected);
        assert_eq!(read(&crate::testing::zst(&file), "encoding = \"gbk\"").unwrap(), expected);
    }

    #[test]
    fn a_quote_left_open_is_not_read_into_memory_for_ever() {
        let mut file = b"instruction,output\na,b\nc,\"".to_vec();
        file.resize(40 << 20, b'x');
        refused(&crate::testing::gz(&file), "", "3: the row is longer than 16 MiB");
    }

    #[test]
    fn headers_of_any_width_are_told_in_short() {
        refused(&b"a,".repeat(1 << 20), "", "1: the header has 1048577 columns; the most that is read is 16384");
        refused(
            b"a,".repeat(1000).trim_ascii_end(),
            "",
            "1: there is no column `instruction`; the columns are `a`, `a`",
        );
        assert!(read(&b"a,".repeat(1000), "").unwrap_err().to_string().len() < 500);
        assert!(read(&b"a".repeat(1 << 20), "").unwrap_err().to_string().len() < 2500);
    }

    #[test]
    fn contradicting_options_are_refused() {
        let error = |options: &str| read(b"", options).unwrap_err().to_string();
        assert!(error("output = \"input\"").contains("different columns"));
        assert!(error("delimiter = \"é\"").contains("ASCII"));
    }
}
