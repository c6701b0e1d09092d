//! Records from JSON: an array, one object a line, or objects one after the other. One at a time is held.

use super::rows::Fault;
use super::{
    Decoded, Encoding, Lines, MAX_ROW, Place,
    encoding::{Hint, text},
    folder::extension,
    numbers, open, unreadable,
};
use crate::{Record, Result, serde_json};
use std::{borrow::Cow, io::BufRead, path::Path, sync::Arc};

/// Brackets that are followed; the parser itself stops at fewer.
const DEPTH: usize = 512;

/// The most values of an object; a parsed value takes many times the memory of its text.
const VALUES: usize = 1 << 20;

/// The objects of a file, with their places.
pub fn json(
    path: &Path,
    encoding: &Encoding,
) -> Result<impl Iterator<Item = Result<(Place, Record), Fault>> + Send + use<>> {
    let lines = matches!(extension(path).as_deref(), Some("jsonl" | "ndjson" | "json-lines"));
    let scan = Scan { path: path.into(), reader: open(path, encoding)?, line: 1, column: 1, bytes: Vec::new() };
    Ok(Json { state: State::Start { lines, scan } })
}

struct Json {
    state: State,
}

enum State {
    Start { lines: bool, scan: Scan },
    Array { first: bool, scan: Scan },
    Values { scan: Scan },
    Lines(Lines),
    End,
}

impl Iterator for Json {
    type Item = Result<(Place, Record), Fault>;
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (state, item) = match std::mem::replace(&mut self.state, State::End) {
                State::End => return None,
                State::Start { lines, scan } => start(lines, scan),
                State::Array { first, scan } => in_array(first, scan),
                State::Values { scan } => value(scan),
                State::Lines(lines) => line(lines),
            };
            self.state = state;
            if let Some(item) = item {
                if let Err(Fault::File(_)) = item {
                    self.state = State::End;
                }
                return Some(item);
            }
        }
    }
}

type Next = (State, Option<Result<(Place, Record), Fault>>);

/// Finds out what kind of file it is.
fn start(lines: bool, mut scan: Scan) -> Next {
    match scan.peek() {
        Err(e) => (State::End, Some(Err(e))),
        Ok(None) => (State::End, None),
        Ok(Some(b'[')) => {
            scan.take(1);
            (State::Array { first: true, scan }, None)
        }
        // Lines begin at their start: `peek` has passed white space only.
        Ok(Some(_)) if lines => (State::Lines(scan.lines()), None),
        Ok(Some(_)) => (State::Values { scan }, None),
    }
}

fn in_array(first: bool, mut scan: Scan) -> Next {
    let next = match scan.peek() {
        Err(e) => return (State::End, Some(Err(e))),
        Ok(next) => next,
    };
    let place = scan.place();
    match next {
        None => {
            let message = "the file ends inside the array: a `]` is missing; the file may be cut off";
            (State::End, Some(Err(place.broken(message))))
        }
        Some(b']') => {
            scan.take(1);
            let rest = match scan.peek() {
                Ok(None) => None,
                Ok(Some(_)) => Some(Err(scan.place().broken("there is more after the array's `]`"))),
                Err(e) => Some(Err(e)),
            };
            (State::End, rest)
        }
        Some(b',') => {
            scan.take(1);
            match (first, scan.peek()) {
                (_, Err(e)) => (State::End, Some(Err(e))),
                (false, Ok(Some(b']' | b','))) | (true, Ok(_)) => {
                    let message = "expected an object between the array's commas; delete this one";
                    (State::Array { first: false, scan }, Some(Err(place.wrong(message))))
                }
                (false, Ok(_)) => {
                    let item = scan.value(true);
                    (State::Array { first: false, scan }, Some(item))
                }
            }
        }
        Some(_) if first => {
            let item = scan.value(true);
            (State::Array { first: false, scan }, Some(item))
        }
        Some(_) => {
            // What stands here is read as if the comma were there, and is the row that is wrong.
            let item = scan.value(true);
            let wrong = item.and_then(|_| Err(place.wrong("expected `,` or `]` after the object before")));
            (State::Array { first: false, scan }, Some(wrong))
        }
    }
}

fn value(mut scan: Scan) -> Next {
    match scan.peek() {
        Err(e) => (State::End, Some(Err(e))),
        Ok(None) => (State::End, None),
        Ok(Some(_)) => {
            let item = scan.value(false);
            // One object on one line: so are the others, and a broken one ends with its line.
            let on_one_line = matches!(&item, Ok((place, _)) if place.line == scan.line);
            match on_one_line && scan.at_line_end() {
                true => (State::Lines(scan.lines()), Some(item)),
                false => (State::Values { scan }, Some(item)),
            }
        }
    }
}

fn line(mut lines: Lines) -> Next {
    loop {
        let item = match lines.next_line() {
            None => return (State::End, None),
            Some(Err(e)) => Err(e),
            Some(Ok(line)) => {
                let indent = line.bytes.iter().position(|b| !b.is_ascii_whitespace());
                let Some(indent) = indent else { continue };
                let place = Place { column: indent as u64 + 1, ..line.place };
                parse(&place, &line.bytes[indent..], line.hint).map(|record| (place, record))
            }
        };
        return (State::Lines(lines), Some(item));
    }
}

/// Reads a file value by value.
struct Scan {
    path: Arc<Path>,
    reader: Decoded,
    line: u64,
    column: u64,
    bytes: Vec<u8>,
}

impl Scan {
    fn place(&self) -> Place {
        Place { path: self.path.clone(), line: self.line, column: self.column }
    }

    /// The lines that follow what has been read.
    fn lines(self) -> Lines {
        Lines::new(self.path, self.reader, self.line - 1)
    }

    fn fill(&mut self) -> Result<&[u8], Fault> {
        let (path, line) = (&self.path, self.line);
        self.reader.fill_buf().map_err(|e| Fault::File(unreadable(path, format!("in line {line}: {e}"))))
    }

    /// Passes so many of the bytes that are at hand.
    fn take(&mut self, count: usize) {
        let Ok(bytes) = self.reader.fill_buf() else { return };
        let passed = &bytes[..count];
        let last = passed.iter().rposition(|b| *b == b'\n');
        if let Some(last) = last {
            self.line += passed.iter().filter(|b| **b == b'\n').count() as u64;
            self.column = 1 + super::characters(&passed[last + 1..]);
        } else {
            self.column += super::characters(passed);
        }
        self.reader.consume(count);
    }

    /// The next byte that is not white space; none at the end.
    fn peek(&mut self) -> Result<Option<u8>, Fault> {
        loop {
            let bytes = self.fill()?;
            let Some(first) = bytes.first().copied() else { return Ok(None) };
            match bytes.iter().position(|b| !b.is_ascii_whitespace()) {
                Some(0) => return Ok(Some(first)),
                Some(blank) => self.take(blank),
                None => {
                    let all = bytes.len();
                    self.take(all);
                }
            }
        }
    }

    /// Whether nothing but white space is left of the line, which is passed with its end.
    fn at_line_end(&mut self) -> bool {
        loop {
            let Ok(bytes) = self.fill() else { return false };
            match bytes.first() {
                None | Some(b'\n') => {
                    let end = bytes.len().min(1);
                    self.take(end);
                    return true;
                }
                Some(b' ' | b'\t' | b'\r') => self.take(1),
                Some(_) => return false,
            }
        }
    }

    /// The value that begins here, followed by bracket to its end.
    fn value(&mut self, in_array: bool) -> Result<(Place, Record), Fault> {
        let place = self.place();
        self.bytes.clear();
        let mut extent = Extent { in_array, ..Extent::default() };
        loop {
            let held = self.bytes.len();
            let unreadable = |e| unreadable(&self.path, format!("in line {}: {e}", self.line));
            let chunk = self.reader.fill_buf().map_err(unreadable)?;
            if chunk.is_empty() {
                if held > 0 && extent.closers.is_empty() && !extent.in_string {
                    break; // a number or a word, which the end of the file ends
                }
                let message = "the value that begins here is never closed; the file may be cut off";
                return Err(place.broken(message));
            }
            let end = extent.find(chunk, held == 0);
            let length = end.unwrap_or(chunk.len());
            self.bytes.extend_from_slice(&chunk[..length]);
            self.take(length);
            if end.is_some() {
                break;
            }
            if extent.closers.len() > DEPTH {
                return Err(place.broken(format!("the value that begins here is nested more than {DEPTH} deep")));
            }
            if self.bytes.len() > MAX_ROW {
                let limit = MAX_ROW >> 20;
                return Err(place.broken(format!("the value that begins here is longer than {limit} MiB")));
            }
        }
        parse(&place, &self.bytes, self.reader.hint()).map(|record| (place, record))
    }
}

/// Follows brackets and strings to the end of a value, well-formed or not.
#[derive(Default)]
struct Extent {
    in_array: bool,
    closers: Vec<u8>,
    in_string: bool,
    escaped: bool,
}

impl Extent {
    /// Where the value ends in the next bytes; `first` if it begins with them.
    fn find(&mut self, bytes: &[u8], first: bool) -> Option<usize> {
        for (i, &b) in bytes.iter().enumerate() {
            let inside = i > 0 || !first;
            if self.in_string {
                match b {
                    _ if self.escaped => self.escaped = false,
                    b'\\' => self.escaped = true,
                    // A line break is not allowed in a string: somebody forgot the quote.
                    b'"' | b'\n' => self.in_string = false,
                    _ => continue,
                }
                if !self.in_string && self.closers.is_empty() {
                    return Some(i + 1);
                }
                continue;
            }
            match b {
                b'"' => self.in_string = true,
                b'{' | b'[' if self.closers.is_empty() && inside => return Some(i),
                b'{' => self.closers.push(b'}'),
                b'[' => self.closers.push(b']'),
                b'}' | b']' => {
                    match self.closers.iter().rposition(|closer| *closer == b) {
                        Some(open) => self.closers.truncate(open),
                        // The array's own end, before the value's.
                        None if self.in_array && b == b']' => return Some(i),
                        None => {}
                    }
                    if self.closers.is_empty() {
                        return Some(i + 1);
                    }
                }
                b',' if self.closers.is_empty() && (self.in_array || !inside) => return Some(i + usize::from(!inside)),
                b' ' | b'\t' | b'\r' | b'\n' if self.closers.is_empty() => return Some(i),
                _ => {}
            }
            if self.closers.len() > DEPTH {
                return None;
            }
        }
        None
    }
}

/// An object from its text.
fn parse(place: &Place, bytes: &[u8], hint: Hint) -> Result<Record, Fault> {
    let found = match bytes.first() {
        Some(b'{') => None,
        Some(b'[') => Some("an array"),
        Some(b'"') => Some("a string"),
        Some(b't' | b'f' | b'n' | b'-' | b'0'..=b'9') => Some("a single value"),
        _ => Some("something that is not JSON"),
    };
    if let Some(found) = found {
        return Err(place.wrong(format!("expected an object in {{ }}, found {found}")));
    }
    if bytes.len() > VALUES && values(bytes) > VALUES {
        return Err(place.wrong(format!("the object has more than {VALUES} values, the most that is read")));
    }
    let exact = numbers::exact(bytes);
    serde_json::from_slice(&exact).map_err(|e| {
        // Places are those of the text as it is.
        let e = match &exact {
            Cow::Owned(_) => serde_json::from_slice::<Record>(bytes).err().unwrap_or(e),
            Cow::Borrowed(_) => e,
        };
        if let Err(invalid) = text(bytes, place, hint, "the object") {
            return invalid;
        }
        let start: usize = bytes.split_inclusive(|b| *b == b'\n').take(e.line() - 1).map(<[u8]>::len).sum();
        let at = (start + e.column().saturating_sub(1)).min(bytes.len());
        let said = e.to_string();
        let said = said.rsplit_once(" at line ").map_or(said.as_str(), |(said, _)| said);
        let hint = match numbers::no_number(&bytes[at..]) {
            Some(word) => format!("; `{word}` is no value of JSON: write `null`, or text in quotes"),
            None if said == "number out of range" => {
                "; numbers go up to 1.8e308: write larger ones as text, in quotes".to_owned()
            }
            None => String::new(),
        };
        place.after(&bytes[..at]).wrong(format!("not JSON: {said}{hint}"))
    })
}

/// How many values an object has at most: each but the first of an object or a list has a comma before it.
fn values(bytes: &[u8]) -> usize {
    let (mut values, mut in_string, mut escaped) = (0, false, false);
    for b in bytes {
        match b {
            _ if escaped => escaped = false,
            b'\\' => escaped = in_string,
            b'"' => in_string = !in_string,
            b',' | b'{' | b'[' if !in_string => values += 1,
            _ => {}
        }
    }
    values
}
