//! Parquet's pages, with a limit to the values that one row holds.

use ::parquet::{
    basic::{Encoding, Type as Physical},
    bloom_filter::Sbbf,
    column::page::{Page, PageMetadata, PageReader},
    errors::{ParquetError, Result},
    file::{
        metadata::{ParquetMetaData, RowGroupMetaData},
        reader::{FileReader, RowGroupReader, SerializedFileReader},
    },
    record::reader::RowIter,
    schema::types::Type,
};
use std::fs::File;

/// The most values in the lists of one row, all of its columns together.
const VALUES: u64 = 1 << 20;
/// Pages of this encoding are unpacked once more, each value by itself.
const PREFIXED: usize = 8 << 20;
/// The most texts of a page whose lengths come before them.
const LENGTHS: u64 = 4 << 20;
/// Rows that are held at a time.
const ROWS: usize = 16;
/// The same where there are lists.
const LISTS: usize = 4;

/// The rows of a file, or what `chosen` keeps of them.
pub fn rows(reader: SerializedFileReader<File>, chosen: Option<Type>) -> Result<RowIter<'static>> {
    let columns = reader.metadata().file_metadata().schema_descr().columns();
    let lists = columns.iter().filter(|column| column.max_rep_level() > 0).count() as u64;
    let rows = RowIter::from_file_into(Box::new(Tables { reader, values: VALUES / lists.max(1) })).project(chosen)?;
    Ok(rows.with_batch_size(if lists > 0 { LISTS } else { ROWS }))
}

struct Tables {
    reader: SerializedFileReader<File>,
    values: u64,
}

impl FileReader for Tables {
    fn metadata(&self) -> &ParquetMetaData {
        self.reader.metadata()
    }
    fn num_row_groups(&self) -> usize {
        self.reader.num_row_groups()
    }
    fn get_row_group(&self, i: usize) -> Result<Box<dyn RowGroupReader + '_>> {
        Ok(Box::new(Group { group: self.reader.get_row_group(i)?, values: self.values }))
    }
    fn get_row_iter(&self, projection: Option<Type>) -> Result<RowIter<'_>> {
        RowIter::from_file(projection, self)
    }
}

struct Group<'a> {
    group: Box<dyn RowGroupReader + 'a>,
    values: u64,
}

impl RowGroupReader for Group<'_> {
    fn metadata(&self) -> &RowGroupMetaData {
        self.group.metadata()
    }
    fn num_columns(&self) -> usize {
        self.group.num_columns()
    }
    fn get_column_page_reader(&self, i: usize) -> Result<Box<dyn PageReader>> {
        let column = self.group.metadata().column(i);
        Ok(Box::new(Pages {
            pages: self.group.get_column_page_reader(i)?,
            name: column.column_path().string(),
            physical: column.column_type(),
            level: column.column_descr().max_rep_level(),
            definition: column.column_descr().max_def_level(),
            row: 0,
            values: self.values,
        }))
    }
    fn get_column_bloom_filter(&self, i: usize) -> Option<&Sbbf> {
        self.group.get_column_bloom_filter(i)
    }
    fn get_row_iter(&self, projection: Option<Type>) -> Result<RowIter<'_>> {
        RowIter::from_row_group(projection, self)
    }
}

struct Pages {
    pages: Box<dyn PageReader>,
    name: String,
    physical: Physical,
    /// The highest repetition level; 0 if the column is in no list.
    level: i16,
    /// The highest definition level.
    definition: i16,
    /// Values of the row that the pages so far end with.
    row: u64,
    values: u64,
}

impl Pages {
    fn checked(&mut self, page: Page) -> Result<Page> {
        let refused = |why: String| Err(ParquetError::General(format!("the column `{}`: {why}", self.name)));
        let (buffer, count) = (page.buffer().len(), page.num_values());
        match &page {
            Page::DictionaryPage { .. } => {
                let width = if self.physical == Physical::BYTE_ARRAY { 4 } else { 1 };
                if u64::from(count) * width > buffer as u64 {
                    return refused(format!("a dictionary says it has {count} values, in {buffer} bytes"));
                }
                return Ok(page);
            }
            _ if page.encoding() == Encoding::DELTA_BYTE_ARRAY && buffer > PREFIXED => {
                return refused(format!("a page of prefixes has {buffer} bytes; the most is {} MiB", PREFIXED >> 20));
            }
            _ => {}
        }
        let Some((repetitions, values)) = self.split(&page) else {
            return refused("a page is cut off, or in an encoding that is not read any more".into());
        };
        let sound = match page.encoding() {
            Encoding::DELTA_LENGTH_BYTE_ARRAY => delta(values).is_some(),
            Encoding::DELTA_BYTE_ARRAY => delta(values).and_then(delta).is_some(),
            _ => true,
        };
        if !sound {
            return refused(format!("the lengths in a page are damaged, or more than {LENGTHS}"));
        }
        if self.level > 0 {
            self.row = longest(repetitions, self.level, u64::from(count), self.row, self.values).map_err(|limit| {
                let why = format!("a list in a row has more than {limit} values, the most that is read");
                ParquetError::General(format!("the column `{}`: {why}", self.name))
            })?;
        }
        Ok(page)
    }

    /// A data page's repetition levels, and what follows all of its levels.
    fn split<'a>(&self, page: &'a Page) -> Option<(&'a [u8], &'a [u8])> {
        match page {
            Page::DataPageV2 { buf, rep_levels_byte_len, def_levels_byte_len, .. } => {
                let (repetitions, rest) = buf.split_at_checked(*rep_levels_byte_len as usize)?;
                Some((repetitions, rest.get(*def_levels_byte_len as usize..)?))
            }
            Page::DataPage { buf, rep_level_encoding, def_level_encoding, .. } => {
                let mut rest = &buf[..];
                let mut levels = |highest: i16, encoding: Encoding| -> Option<&'a [u8]> {
                    if highest == 0 {
                        return Some(&[]);
                    }
                    let (length, more) = rest.split_first_chunk().filter(|_| encoding == Encoding::RLE)?;
                    let (levels, more) = more.split_at_checked(u32::from_le_bytes(*length) as usize)?;
                    rest = more;
                    Some(levels)
                };
                let repetitions = levels(self.level, *rep_level_encoding)?;
                levels(self.definition, *def_level_encoding)?;
                Some((repetitions, rest))
            }
            Page::DictionaryPage { .. } => None,
        }
    }
}

/// What follows numbers that are packed as differences; none if they are damaged or too many.
fn delta(mut bytes: &[u8]) -> Option<&[u8]> {
    let [block, parts, count, _first] = [(); 4].map(|()| unsigned(&mut bytes));
    let (parts, count) = (usize::try_from(parts?).ok()?, count.filter(|count| *count <= LENGTHS)?);
    let size = block?.checked_div(parts as u64).filter(|size| *size > 0)?;
    let mut left = count.saturating_sub(1);
    while left > 0 {
        unsigned(&mut bytes)?;
        let (widths, rest) = bytes.split_at_checked(parts)?;
        bytes = rest;
        for width in widths {
            if left == 0 {
                break;
            }
            let length = size.checked_mul(u64::from(*width))? / 8;
            bytes = bytes.get(usize::try_from(length).ok()?..)?;
            left -= size.min(left);
        }
    }
    Some(bytes)
}

/// Follows repetition levels, runs of them and packed ones. A level of 0 begins a row. Gives the values of the last
/// row, or the `limit` if a row has more.
fn longest(mut levels: &[u8], highest: i16, count: u64, mut row: u64, limit: u64) -> std::result::Result<u64, u64> {
    let width = 16 - highest.leading_zeros();
    let mut left = count;
    while left > 0 {
        let Some(head) = unsigned(&mut levels) else { break };
        if head & 1 == 0 {
            let bytes = width.div_ceil(8) as usize;
            let Some((value, rest)) = levels.split_at_checked(bytes) else { break };
            levels = rest;
            let run = (head >> 1).min(left);
            left -= run;
            let begins = value.iter().all(|b| *b == 0);
            row = if begins { u64::from(run > 0) } else { row.saturating_add(run) };
        } else {
            let values = (head >> 1).saturating_mul(8).min(left);
            for i in 0..values {
                let bit = |at: u64| levels.get((at / 8) as usize).is_some_and(|b| b >> (at % 8) & 1 == 1);
                if i * u64::from(width) / 8 >= levels.len() as u64 {
                    return Ok(row); // cut off, as the library will say
                }
                let begins = !(0..u64::from(width)).any(|n| bit(i * u64::from(width) + n));
                row = if begins { 1 } else { row + 1 };
                if row > limit {
                    return Err(limit);
                }
            }
            left -= values;
            let bytes = (head >> 1).saturating_mul(u64::from(width));
            levels = usize::try_from(bytes).ok().and_then(|bytes| levels.get(bytes..)).unwrap_or_default();
        }
        if row > limit {
            return Err(limit);
        }
    }
    Ok(row)
}

fn unsigned(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..63).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if *byte < 0x80 {
            return Some(value);
        }
    }
    None
}

impl Iterator for Pages {
    type Item = Result<Page>;
    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

impl PageReader for Pages {
    fn get_next_page(&mut self) -> Result<Option<Page>> {
        let page = self.pages.get_next_page()?;
        page.map(|page| self.checked(page)).transpose()
    }
    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>> {
        self.pages.peek_next_page()
    }
    fn skip_next_page(&mut self) -> Result<()> {
        self.pages.skip_next_page()
    }
    fn at_record_boundary(&mut self) -> Result<bool> {
        self.pages.at_record_boundary()
    }
}
