//! Poems in plain text.

use super::{Poem, Unit};
use crate::{
    input::{Encoding, Line, Lines, MAX_ROW, unreadable},
    rows::Fault,
};
use framework_sdk::Result;
use std::path::Path;

/// What a line takes in memory beside its text.
const LINE: usize = 48;

/// The poems of a file.
pub fn poems(
    path: &Path,
    encoding: &Encoding,
    unit: Unit,
) -> Result<impl Iterator<Item = Result<Poem, Fault>> + Send + use<>> {
    let mut lines = Lines::open(path, encoding)?;
    let path = path.to_owned();
    Ok(std::iter::from_fn(move || {
        let (mut poem, mut wrong, mut bytes) = (Vec::new(), None, 0);
        while let Some(line) = lines.next_line() {
            match line.and_then(Line::text).map(str::trim) {
                Ok("") if poem.is_empty() && wrong.is_none() => {}
                Ok("") => break,
                Ok(line) => {
                    bytes += line.len() + LINE;
                    poem.push(line.to_owned());
                }
                Err(e @ Fault::File(_)) => return Some(Err(e)),
                // A line spoils the whole poem that it stands in.
                Err(e) => {
                    wrong.get_or_insert(e);
                }
            }
            if unit == Unit::Line && (wrong.is_some() || !poem.is_empty()) {
                break;
            }
            if bytes > MAX_ROW {
                let message = format!("a poem is longer than {} MiB; are there no blank lines?", MAX_ROW >> 20);
                return Some(Err(Fault::File(unreadable(&path, message))));
            }
        }
        match wrong {
            Some(e) => Some(Err(e)),
            None => (!poem.is_empty()).then(|| Ok(headed(poem))),
        }
    }))
}

/// Takes the heading off: `《title》author`.
fn headed(mut lines: Vec<String>) -> Poem {
    let heading = lines.first().and_then(|line| line.strip_prefix('《')?.split_once('》'));
    let Some((title, author)) = heading.map(|(title, author)| (title.to_owned(), author.trim().to_owned())) else {
        return Poem { lines, ..Poem::default() };
    };
    lines.remove(0);
    Poem { title: Some(title.into()), author: Some(author).filter(|a| !a.is_empty()).map(Into::into), lines }
}
