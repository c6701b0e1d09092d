//! `instruction-csv`: instructions and answers in a table.

use crate::files;
use csv::ByteRecord;
use framework_sdk::prelude::*;
use std::{
    fs::File,
    io::{BufReader, Chain, Read},
    path::PathBuf,
};

options! {
    /// Instructions with their answers from a CSV file with a header line (RFC 4180).
    ///
    /// Yields records with the fields `instruction`, `input` and `output`. The file is UTF-8. A table without the
    /// `input` column has empty inputs.
    pub struct InstructionCsv {
        /// The CSV file.
        path: FilePath,
        /// The column that holds the instruction.
        #[serde(default = "instruction")]
        instruction: String,
        /// The column that holds what the instruction is about; only the default may be missing from the file.
        #[serde(default = "input")]
        input: String,
        /// The column that holds the answer.
        #[serde(default = "output")]
        output: String,
        /// The character between two fields.
        #[serde(default = "delimiter")]
        delimiter: char,
        /// Leave out rows whose instruction or answer is empty instead of refusing them.
        #[serde(default)]
        skip_empty: bool,
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
fn delimiter() -> char {
    ','
}

/// Follows the file's content, as a row of its own; if a quote is still open there, it ends up inside the last field.
const END: &[u8] = b"\n\x01\x04\x04\x01";

impl Dataset for InstructionCsv {
    fn validate(&self) -> Result<()> {
        let names = [&self.instruction, &self.input, &self.output];
        if names[0] == names[1] || names[1] == names[2] || names[0] == names[2] {
            return Err(PluginError::new("`instruction`, `input` and `output` must name different columns"));
        }
        let separates = self.delimiter == '\t' || (self.delimiter != '"' && matches!(self.delimiter, ' '..='~'));
        if !separates {
            let message = format!("`delimiter` must be a tab or an ASCII character, not {:?}", self.delimiter);
            return Err(PluginError::new(message));
        }
        Ok(())
    }

    fn open(&self) -> Result<Records> {
        let path = self.path.to_path_buf();
        let mut csv = csv::ReaderBuilder::new()
            .delimiter(self.delimiter as u8)
            .terminator(csv::Terminator::Any(b'\n'))
            .flexible(true)
            .has_headers(false)
            .from_reader(files::open(&path)?.chain(END));
        let mut row = ByteRecord::new();
        csv.read_byte_record(&mut row).map_err(|e| files::unreadable(&path, e))?;
        if row.as_slice() == &END[1..] || row.as_slice().trim_ascii().is_empty() {
            return Err(PluginError::at(&path, 1, "the file is empty; expected a header line"));
        }
        let names = row.iter().map(|name| files::utf8(name.trim_ascii(), &path, 1, "the header"));
        let names = names.collect::<Result<Vec<_>>>()?;
        let find = |name: &String| names.iter().position(|n| n == name);
        let need = |option: &str, name: &String| {
            let found = names.iter().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", ");
            find(name).ok_or_else(|| {
                let hint = format!("say which one to read with `{option}`, or set `delimiter` if they are not split");
                PluginError::at(&path, 1, format!("there is no column `{name}`; the columns are {found}: {hint}"))
            })
        };
        let optional = self.input == input();
        let columns = [
            Some(need("instruction", &self.instruction)?),
            if optional { find(&self.input) } else { Some(need("input", &self.input)?) },
            Some(need("output", &self.output)?),
        ];
        Ok(Box::new(Rows { path, csv, row, columns, width: names.len(), skip_empty: self.skip_empty }))
    }
}

struct Rows {
    path: PathBuf,
    csv: csv::Reader<Chain<BufReader<File>, &'static [u8]>>,
    row: ByteRecord,
    /// Where instruction, input and output stand.
    columns: [Option<usize>; 3],
    /// Fields of a row.
    width: usize,
    skip_empty: bool,
}

impl Rows {
    /// The present row as a record; none if it is to be left out.
    fn record(&self) -> Result<Option<Record>> {
        let open = self.row.iter().next_back().is_some_and(|field| field.ends_with(END));
        // Counted back from the row's end, because blank lines before a row count as part of it.
        let breaks = self.row.as_slice().iter().filter(|&&b| b == b'\n').count() as u64;
        let line = self.csv.position().line() - breaks - u64::from(!open);
        let wrong = |message: String| Err(PluginError::at(&self.path, line, message));
        if open {
            return wrong("a quote that opens in this row is never closed".into());
        }
        if self.row.len() != self.width {
            let (found, width) = (self.row.len(), self.width);
            let hint = "put fields that contain the delimiter, quotes or line breaks in double quotes";
            return wrong(format!("the row has {found} fields, but the header has {width}; {hint}"));
        }
        let mut record = Record::new();
        for (name, column) in ["instruction", "input", "output"].into_iter().zip(self.columns) {
            let mut field = column.map_or(&b""[..], |column| &self.row[column]);
            if column == Some(self.width - 1) {
                field = field.strip_suffix(b"\r").unwrap_or(field); // of a line that ends in CR LF
            }
            let text = files::utf8(field, &self.path, line, &format!("the {name}"))?;
            if name != "input" && text.trim().is_empty() {
                let hint = "fill it in, delete the row, or set `skip_empty = true` to leave such rows out";
                return if self.skip_empty { Ok(None) } else { wrong(format!("the {name} is empty; {hint}")) };
            }
            record.insert(name.to_owned(), text.into());
        }
        Ok(Some(record))
    }
}

impl Iterator for Rows {
    type Item = Result<Record>;
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.csv.read_byte_record(&mut self.row) {
                Err(e) => return Some(Err(files::unreadable(&self.path, e))),
                Ok(false) => return None,
                Ok(true) if self.row.as_slice() == &END[1..] => return None,
                Ok(true) if self.row.as_slice() == b"\r" => continue, // a blank line
                Ok(true) => {}
            }
            if let Some(item) = self.record().transpose() {
                return Some(item);
            }
        }
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
        let error = read(content, options).unwrap_err().message;
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
    fn bad_rows_are_errors_with_their_line() {
        refused(b"", "", "1: the file is empty");
        refused(b"\r\n", "", "1: the file is empty");
        refused(b"instruction,output\n\"a\nb\",c\n\nd\n", "", "5: the row has 1 fields, but the header has 2; ");
        refused(b"instruction,output\r\na,c\r\n\r\nd\r\n", "", "4: the row has 1 fields, ");
        refused(b"instruction,output\na,b\nc,\xff\n", "", "3: the output is not valid UTF-8");
        refused(b"instruction,output\na,b\nc,\"d\ne,f\n", "", "3: a quote that opens in this row is never closed");
        refused(b"instruction,output\na, \n", "", "2: the output is empty; fill it in");
    }

    #[test]
    fn empty_rows_can_be_left_out() {
        assert_eq!(read(b"instruction,output\n,a\nb,\nc,d\n", "skip_empty = true").unwrap(), [["c", "", "d"]]);
    }

    #[test]
    fn contradicting_options_are_refused() {
        let error = |options: &str| read(b"", options).unwrap_err().message;
        assert!(error("output = \"input\"").contains("different columns"));
        assert!(error("delimiter = \"é\"").contains("ASCII"));
    }
}
