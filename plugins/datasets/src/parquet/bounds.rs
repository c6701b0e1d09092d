//! What a Parquet file asks for, checked before the library that reads it believes it.
//!
//! A footer's and a page's numbers may say anything. What is held at a time is bounded: the pages of a row group's
//! columns that are read together, and the values of a row.

use super::thrift::{STRUCT, Thrift};
use ::parquet::{
    basic::Compression,
    file::metadata::{ColumnChunkMetaData, RowGroupMetaData},
};
use std::{
    fs::File,
    io::{self, BufReader, Read, Seek, SeekFrom},
};

/// The most bytes of a footer.
const FOOTER: u64 = 16 << 20;
/// Groups in groups.
const DEPTH: usize = 64;
/// The most bytes that are held of a row group: of each column a page and its dictionary, unpacked.
const HELD: u64 = 512 << 20;
/// The most bytes of a page, unpacked.
const PAGE: u64 = 256 << 20;
/// A dictionary becomes many times as large when it is read.
const DICTIONARY: u64 = 32 << 20;
/// No byte of gzip becomes more bytes than this.
const GZIP_RATIO: u64 = 1032;

type Result<T> = std::result::Result<T, String>;

fn seek(file: &File, to: u64) -> Result<BufReader<File>> {
    let mut file = file.try_clone().map_err(|e| e.to_string())?;
    file.seek(SeekFrom::Start(to)).map_err(|e| e.to_string())?;
    Ok(BufReader::new(file))
}

/// Checks that lists in the footer are as long as they say, and that the schema is not too deep.
pub fn footer(file: &File) -> Result<()> {
    let length = file.metadata().map_err(|e| e.to_string())?.len();
    let Some(end) = length.checked_sub(8) else { return Ok(()) }; // what is wrong is said by the library
    let mut size = [0; 4];
    seek(file, end)?.read_exact(&mut size).map_err(|e| e.to_string())?;
    let size = u64::from(u32::from_le_bytes(size));
    let Some(start) = end.checked_sub(size) else { return Ok(()) };
    if size > FOOTER {
        return Err(format!("its footer has {size} bytes; the most that is read is {} MiB", FOOTER >> 20));
    }
    Thrift::new(seek(file, start)?, size).fields(|footer, id, kind| match (id, kind) {
        (2, 9) => schema(footer),
        _ => footer.skip(kind),
    })
}

fn schema<R: Read>(footer: &mut Thrift<R>) -> Result<()> {
    let (count, kind) = footer.list()?;
    if kind != STRUCT {
        return Err("its schema is damaged".into());
    }
    // Of each group that is open, how many of its fields are still to come.
    let mut open: Vec<u64> = Vec::new();
    for _ in 0..count {
        let mut children = 0;
        footer.fields(|element, id, kind| match (id, kind) {
            (5, 5) => element.number().map(|number| children = number),
            _ => element.skip(kind),
        })?;
        let children = u64::try_from(children).ok().filter(|children| *children < count);
        let children = children.ok_or("a group of its schema says it has more fields than there are")?;
        if let Some(last) = open.last_mut() {
            *last -= 1;
        }
        open.extend((children > 0).then_some(children));
        while open.last() == Some(&0) {
            open.pop();
        }
        if open.len() > DEPTH {
            return Err(format!("its schema is nested more than {DEPTH} deep"));
        }
    }
    Ok(())
}

/// Checks the pages of a row group's columns, those that `wanted` says.
pub fn pages(file: &File, group: &RowGroupMetaData, wanted: impl Fn(&ColumnChunkMetaData) -> bool) -> Result<()> {
    let mut held = 0;
    for column in group.columns().iter().filter(|column| wanted(column)) {
        let broken = |e| format!("the column `{}`: {e}", column.column_path().string());
        held += column_pages(file, column).map_err(broken)?;
        if held > HELD {
            let limit = HELD >> 20;
            return Err(format!(
                "pages that are read together have more than {limit} MiB; write it with smaller pages, or choose fewer \
                 `columns`"
            ));
        }
    }
    Ok(())
}

/// The most bytes that are held of a column.
fn column_pages(file: &File, column: &ColumnChunkMetaData) -> Result<u64> {
    let (mut at, mut left) = column.byte_range();
    let length = file.metadata().map_err(|e| e.to_string())?.len();
    if at.checked_add(left).is_none_or(|end| end > length) {
        return Err(format!("it says it has {left} bytes from byte {at} on, which is beyond the file's end"));
    }
    let (mut largest, mut dictionary) = (0, 0);
    while left > 0 {
        let mut header = Thrift::new(seek(file, at)?, left);
        let [mut kind, mut unpacked, mut packed] = [-1; 3];
        header.fields(|header, id, of| match (id, of) {
            (1, 5) => header.number().map(|number| kind = number),
            (2, 5) => header.number().map(|number| unpacked = number),
            (3, 5) => header.number().map(|number| packed = number),
            _ => header.skip(of),
        })?;
        let start = at + left - header.left();
        left = header.left();
        let (Ok(unpacked), Ok(packed)) = (u64::try_from(unpacked), u64::try_from(packed)) else {
            return Err(format!("the page at byte {at} says that its size is negative"));
        };
        if packed > left {
            return Err(format!("the page at byte {at} says it has {packed} bytes, but {left} are left"));
        }
        let limit = if kind == 2 { DICTIONARY } else { PAGE };
        let real = || match column.compression() {
            Compression::GZIP(_) if packed.saturating_mul(GZIP_RATIO) > limit => {
                gzip(seek(file, start)?.take(packed), limit)
            }
            _ => Ok(0),
        };
        let size = unpacked.max(packed).max(if unpacked > limit { 0 } else { real()? });
        if size > limit {
            let what = if kind == 2 { "dictionary" } else { "page" };
            let limit = limit >> 20;
            return Err(format!("the {what} at byte {at} unpacks to more than {limit} MiB, the most that is read"));
        }
        let held = if kind == 2 { &mut dictionary } else { &mut largest };
        *held = size.max(*held);
        (at, left) = (start + packed, left - packed);
    }
    Ok(largest + dictionary)
}

/// How many bytes a page really has; a little more than `limit` if there are more.
fn gzip(packed: impl Read, limit: u64) -> Result<u64> {
    let unpacked = flate2::read::MultiGzDecoder::new(packed);
    io::copy(&mut unpacked.take(limit + 1), &mut io::sink()).map_err(|e| e.to_string())
}
