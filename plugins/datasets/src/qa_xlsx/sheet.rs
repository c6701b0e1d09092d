//! Columns of a sheet.

use super::cells::{self, Text, text};
use crate::{
    input::{Place, unreadable},
    rows::sound,
};
use calamine::{Reader, Xlsx, XlsxError};
use framework_sdk::Result;
use std::{
    fs::File,
    io::{self, BufReader, Read},
    path::Path,
};

/// The most bytes that a workbook may unpack to, and that the columns that are read may take.
const MAX: u64 = 256 << 20;
/// The most elements of a workbook: the library keeps strings that nothing refers to.
const ELEMENTS: u64 = 16 << 20;
/// What a cell takes beside its text.
const CELL: u64 = 64;

/// A row: its number, counted from 1, and the cells of the wanted columns.
pub struct Row {
    pub number: u64,
    pub cells: Vec<Text>,
}

/// The rows below the header, with the columns that `wanted` names, each after the option that names it.
pub fn read(path: &Path, sheet: Option<&str>, wanted: &[(&str, String)]) -> Result<Vec<Row>> {
    let cannot = |e: String| unreadable(path, e);
    let open = || File::open(path).map_err(|e| cannot(e.to_string()));
    measure(open()?).map_err(cannot)?;
    let open = open()?;
    let rows = sound(|| {
        let mut book: Xlsx<_> = Xlsx::new(BufReader::new(open)).map_err(|e| e.to_string())?;
        let names = book.sheet_names();
        let quoted = || names.iter().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", ");
        let name = match sheet {
            Some(name) if names.iter().any(|n| n == name) => name,
            Some(name) => return Err(format!("there is no sheet `{name}`; the sheets are {}", quoted())),
            None => names.first().ok_or("the workbook has no sheets")?,
        };
        let others = names.iter().filter(|n| n.as_str() != name).cloned().collect();
        let columns =
            Columns { path, sheet: name, others, wanted, found: Vec::new(), top: 0, rows: Vec::new(), text: 0 };
        columns.read(&mut book)
    });
    rows.map_err(cannot)?
}

/// Refuses what unpacks to too much, whatever it says about itself.
fn measure(file: File) -> Result<(), String> {
    let not = |e| format!("it is not an .xlsx workbook: {e}");
    let mut zip = zip::ZipArchive::new(BufReader::new(file)).map_err(not)?;
    let (mut left, mut elements) = (MAX, Elements::default());
    for i in 0..zip.len() {
        let part = zip.by_index(i).map_err(|e| e.to_string())?;
        let name = part.name().map_err(|e| e.to_string())?.into_owned();
        let size = io::copy(&mut part.take(left + 1), &mut elements);
        let size = size.map_err(|e| format!("its part {name} is damaged: {e}"))?;
        if elements.count.max(elements.strings) > ELEMENTS {
            return Err(format!(
                "the workbook has, or says it has, more than {ELEMENTS} cells and strings; export the sheet as CSV"
            ));
        }
        let bomb = || format!("the workbook unpacks to more than {} MiB; export the sheet as CSV", MAX >> 20);
        left = left.checked_sub(size).ok_or_else(bomb)?;
    }
    Ok(())
}

/// Counts the elements of the XML that is written to it, and finds what it says of its number of strings.
#[derive(Default)]
struct Elements {
    count: u64,
    /// The highest `uniqueCount`: the library makes room for as many.
    strings: u64,
    matched: usize,
    value: u64,
}

const STRINGS: &[u8] = b" uniqueCount";

impl io::Write for Elements {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for &b in bytes {
            self.count += u64::from(b == b'<');
            let blank = b.is_ascii_whitespace();
            if self.matched < STRINGS.len() {
                let next = b == STRINGS[self.matched] && !blank;
                self.matched = if next { self.matched + 1 } else { usize::from(blank) };
            } else if b.is_ascii_digit() {
                self.value = self.value.saturating_mul(10).saturating_add(u64::from(b - b'0'));
                self.strings = self.strings.max(self.value);
            } else if !blank && !matches!(b, b'=' | b'"' | b'\'' | b'+') || self.value > 0 {
                (self.matched, self.value) = (usize::from(blank), 0);
            }
        }
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Columns<'a> {
    path: &'a Path,
    sheet: &'a str,
    /// The workbook's other sheets.
    others: Vec<String>,
    wanted: &'a [(&'a str, String)],
    /// Where the wanted columns are, once the header has been read.
    found: Vec<u32>,
    /// The header's row.
    top: u64,
    rows: Vec<Row>,
    text: u64,
}

/// A row's number, and its cells by their columns.
type Cells = (u32, Vec<(u32, Text)>);

impl Columns<'_> {
    /// Cell by cell: a sheet may claim to be larger than any memory.
    fn read(mut self, book: &mut Xlsx<BufReader<File>>) -> Result<Result<Vec<Row>>, String> {
        let mut cells = book.worksheet_cells_reader(self.sheet).map_err(|e| e.to_string())?;
        let mut row: Cells = (0, Vec::new());
        loop {
            let cell = match cells.next_cell() {
                Ok(cell) => cell,
                Err(XlsxError::XmlEof("sheetData")) => return Err(format!("the sheet `{}` is cut off", self.sheet)),
                Err(e) => return Err(format!("the sheet `{}` is damaged: {e}", self.sheet)),
            };
            let position = cell.as_ref().map(calamine::Cell::get_position);
            if position.is_none_or(|(number, _)| number != row.0) {
                let (number, cells) = std::mem::take(&mut row);
                if let Err(e) = self.add(u64::from(number) + 1, cells) {
                    return Ok(Err(e));
                }
            }
            let (Some((number, column)), Some(cell)) = (position, cell) else { break };
            row.0 = number;
            if self.found.is_empty() || self.found.contains(&column) {
                let text = text(cell.get_value());
                self.text += text.as_ref().map_or(0, String::len) as u64 + CELL;
                if self.text > MAX {
                    return Err(format!("the sheet has more than {} MiB of text; export it as CSV", MAX >> 20));
                }
                row.1.push((column, text));
            }
        }
        if self.found.is_empty() {
            return Err(format!("the sheet `{}` is empty; expected a row with the columns' names", self.sheet));
        }
        drop(cells);
        cells::formulas(book, self.sheet, &self.found, self.top, &mut self.rows)?;
        cells::merged(book, self.sheet, &self.found, &mut self.rows)?;
        Ok(Ok(self.rows))
    }

    fn add(&mut self, number: u64, cells: Vec<(u32, Text)>) -> Result<()> {
        let blank = |cell: &Text| matches!(cell, Ok(text) if text.trim().is_empty());
        if cells.iter().all(|(_, cell)| blank(cell)) {
            return Ok(());
        }
        if self.found.is_empty() {
            return self.header(number, &cells);
        }
        let mut row = Row { number, cells: vec![Ok(String::new()); self.found.len()] };
        for (column, cell) in cells {
            if let Some(at) = self.found.iter().position(|found| *found == column) {
                row.cells[at] = cell;
            }
        }
        self.rows.push(row);
        Ok(())
    }

    fn header(&mut self, number: u64, cells: &[(u32, Text)]) -> Result<()> {
        let names: Vec<_> =
            cells.iter().filter_map(|(column, cell)| Some((*column, cell.as_ref().ok()?.trim()))).collect();
        for (option, wanted) in self.wanted {
            let same = |exact: bool| {
                let fits =
                    |name: &str| if exact { name == wanted } else { name.to_lowercase() == wanted.to_lowercase() };
                names.iter().find(|(_, name)| fits(name)).map(|(column, _)| *column)
            };
            let Some(column) = same(true).or_else(|| same(false)) else {
                let found: Vec<_> = names.iter().take(20).map(|(_, name)| format!("`{name}`")).collect();
                let (sheet, found) = (self.sheet, found.join(", "));
                let others: Vec<_> = self.others.iter().map(|name| format!("`{name}`")).collect();
                let others = match others.is_empty() {
                    true => String::new(),
                    false => format!(", or another sheet with `sheet`: {}", others.join(", ")),
                };
                let message = format!(
                    "there is no column `{wanted}`; the columns of `{sheet}` are {found}: name the right one with \
                     `{option}`{others}"
                );
                let place = Place { path: self.path.into(), line: number, column: 0 };
                let known = names.iter().map(|(_, name)| (*name).to_owned());
                return Err(place.wrong(message).into_error().key(option.to_owned()).known(known));
            };
            self.found.push(column);
        }
        self.top = number;
        Ok(())
    }
}
