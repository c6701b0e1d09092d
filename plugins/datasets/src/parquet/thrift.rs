//! Thrift's compact protocol, as far as it takes to pass over it and see what it claims.

use std::io::{self, Read};

/// Structs in structs that are followed.
const DEPTH: usize = 32;

/// Reads so many bytes and not one more.
pub struct Thrift<R> {
    reader: io::Take<R>,
}

/// A field's or an element's type.
pub type Kind = u8;

pub const STRUCT: Kind = 12;

type Result<T> = std::result::Result<T, String>;

impl<R: Read> Thrift<R> {
    /// Reads at most `length` bytes.
    pub fn new(reader: R, length: u64) -> Self {
        Self { reader: reader.take(length) }
    }

    /// What has not been read.
    pub fn left(&self) -> u64 {
        self.reader.limit()
    }

    fn byte(&mut self) -> Result<u8> {
        let mut byte = [0];
        self.reader.read_exact(&mut byte).map_err(|_| "its metadata are cut off or damaged".to_owned())?;
        Ok(byte[0])
    }

    fn unsigned(&mut self) -> Result<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err("its metadata have a number that is too long".into())
    }

    /// A number of 16, 32 or 64 bits.
    pub fn number(&mut self) -> Result<i64> {
        let value = self.unsigned()?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    fn bytes(&mut self, count: u64) -> Result<()> {
        match io::copy(&mut (&mut self.reader).take(count), &mut io::sink()) {
            Ok(passed) if passed == count => Ok(()),
            Ok(_) => Err(format!("its metadata say that {count} bytes follow, which is more than there are")),
            Err(e) => Err(e.to_string()),
        }
    }

    /// Reads a struct's fields; `field` must read or skip each of them.
    pub fn fields(&mut self, mut field: impl FnMut(&mut Self, i64, Kind) -> Result<()>) -> Result<()> {
        let mut id = 0;
        loop {
            let head = self.byte()?;
            let (step, kind) = (i64::from(head >> 4), head & 0xf);
            if kind == 0 {
                return Ok(());
            }
            id = if step == 0 { self.number()? } else { id + step };
            field(self, id, kind)?;
        }
    }

    /// A list's length and the type of its elements.
    pub fn list(&mut self) -> Result<(u64, Kind)> {
        let head = self.byte()?;
        let count = if head >> 4 == 15 { self.unsigned()? } else { u64::from(head >> 4) };
        // Every element takes a byte at least.
        if count > self.left() {
            return Err(format!("its metadata have a list that says it has {count} elements, more than there are"));
        }
        Ok((count, head & 0xf))
    }

    /// Passes over a value.
    pub fn skip(&mut self, kind: Kind) -> Result<()> {
        self.pass(kind, false, 0)
    }

    fn pass(&mut self, kind: Kind, element: bool, depth: usize) -> Result<()> {
        if depth > DEPTH {
            return Err(format!("its metadata are nested more than {DEPTH} deep"));
        }
        match kind {
            1 | 2 if !element => Ok(()), // a field's truth value is in its type
            1..=3 => self.bytes(1),
            4..=6 => self.unsigned().map(drop),
            7 => self.bytes(8),
            8 => self.unsigned().and_then(|count| self.bytes(count)),
            9 | 10 => {
                let (count, kind) = self.list()?;
                (0..count).try_for_each(|_| self.pass(kind, true, depth + 1))
            }
            11 => {
                let count = self.unsigned()?;
                let kinds = if count > 0 { self.byte()? } else { 0 };
                (0..count).try_for_each(|_| {
                    self.pass(kinds >> 4, true, depth + 1)?;
                    self.pass(kinds & 0xf, true, depth + 1)
                })
            }
            STRUCT => self.fields(|this, _, kind| this.pass(kind, false, depth + 1)),
            _ => Err(format!("its metadata have a value of the unknown type {kind}")),
        }
    }
}
