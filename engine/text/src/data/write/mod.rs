//! Rows to files: JSON lines, plain or packed, and Parquet.

mod lines;
#[cfg(feature = "formats")]
mod parquet;
#[cfg(feature = "formats")]
mod shape;
#[cfg(feature = "formats")]
mod shred;

use super::Sequence;
use framework_base::{Error, Problem, Result};
use framework_core::Record;
use framework_recipe::Split;
use std::{io::Write, path::Path};

/// Where bytes go.
pub type Bytes<'a> = &'a mut (dyn Write + Send);

/// How rows are written, by the name of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// JSON lines: a row is a line.
    Lines,
    /// JSON lines, packed with gzip.
    Gzip,
    /// JSON lines, packed with Zstandard.
    Zstd,
    /// Parquet.
    Parquet,
}

const ENDINGS: [(&str, Format); 5] = [
    (".jsonl", Format::Lines),
    (".ndjson", Format::Lines),
    (".jsonl.gz", Format::Gzip),
    (".jsonl.zst", Format::Zstd),
    (".parquet", Format::Parquet),
];

impl Format {
    /// What the file's name says.
    pub fn of(path: &Path) -> Result<Self> {
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        let Some((ending, format)) = ENDINGS.iter().find(|(ending, _)| name.ends_with(ending)) else {
            let message = format!("{} does not say how to write it", path.display());
            let help = "Give the file's name one of the endings .jsonl, .jsonl.gz, .jsonl.zst and .parquet.";
            return Err(Error::invalid(Problem::new(message).key("--to").help(help)));
        };
        if cfg!(not(feature = "formats")) && *format != Format::Lines {
            let message =
                format!("{ending} files cannot be written: the engine's feature `formats` is not compiled in");
            return Err(Error::invalid(Problem::new(message).key("--to").help("Write a .jsonl file.")));
        }
        Ok(*format)
    }
}

/// A row on its way to the file.
pub enum Row {
    /// JSON.
    Line(Vec<u8>),
    /// An object.
    Record(Record),
    /// Tokens and what they are for.
    Tokens(Sequence, Split),
}

impl Format {
    /// Does what can be done for several rows side by side.
    pub fn ready(self, row: Row) -> Result<Row> {
        match (self, row) {
            (Format::Parquet, row) | (_, row @ Row::Line(_)) => Ok(row),
            (_, Row::Record(record)) => lines::line(&record).map(Row::Line),
            (_, Row::Tokens(sequence, split)) => lines::line(&lines::Tokens::of(&sequence, split)).map(Row::Line),
        }
    }
}

/// Something that takes rows.
pub trait Rows {
    /// Takes the next row, which [`Format::ready`] has made ready.
    fn put(&mut self, row: Row) -> Result<()>;
    /// Writes what is left.
    fn finish(self: Box<Self>) -> Result<()>;
}

/// Rows to a file that is to be called `path`. What has to wait for the end waits in a file beside it.
pub fn rows<'a>(format: Format, path: &'a Path, bytes: Bytes<'a>) -> Result<Box<dyn Rows + 'a>> {
    Ok(match format {
        Format::Lines => Box::new(lines::Lines::new(path, bytes, |_| Ok(()))),
        #[cfg(feature = "formats")]
        Format::Gzip => {
            let packer = flate2::write::GzEncoder::new(bytes, flate2::Compression::default());
            Box::new(lines::Lines::new(path, packer, |packer| packer.finish().map(drop)))
        }
        #[cfg(feature = "formats")]
        Format::Zstd => {
            let packer = zstd::Encoder::new(bytes, 0).map_err(|e| Error::io("write", path, e))?;
            Box::new(lines::Lines::new(path, packer, |packer| packer.finish().map(drop)))
        }
        #[cfg(feature = "formats")]
        Format::Parquet => Box::new(parquet::Parquet::new(path, bytes)),
        #[cfg(not(feature = "formats"))]
        _ => return Err(Error::failed("not compiled in")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ending_says_how() {
        let of = |name: &str| Format::of(Path::new(name));
        assert_eq!(of("a/b.JSONL").unwrap(), Format::Lines);
        assert_eq!(of("b.c.jsonl.zst").unwrap(), Format::Zstd);
        assert_eq!(of("b.parquet").unwrap(), Format::Parquet);
        for wrong in ["b.json", "b.csv", "b.gz", "parquet", ".."] {
            let e = of(wrong).unwrap_err();
            assert!(e.exit_code() == 2 && e.to_string().contains(".jsonl.zst"), "{e}");
        }
    }
}
