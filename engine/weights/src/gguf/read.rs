//! Reading GGUF files.

use super::{ALIGNMENT, Entries, MAGIC, Meta, Packing, VERSION, cursor::Cursor};
use crate::{at, file::missing, mmap::Mapped};
use framework_base::{Error, Result};
use std::{
    collections::BTreeMap,
    ops::Range,
    path::{Path, PathBuf},
};

/// A list within a list is deeper than any file has it.
const DEPTH: usize = 2;

/// A tensor as a file declares it.
#[derive(Debug, Clone, PartialEq)]
pub struct GgufInfo {
    /// The shape, the dimension first whose steps are largest.
    pub shape: Vec<usize>,
    /// The format.
    pub packing: Packing,
    pub(super) range: Range<usize>,
}

/// A GGUF file, mapped into memory.
#[derive(Debug)]
pub struct GgufFile {
    path: PathBuf,
    map: Mapped,
    entries: Entries,
    tensors: BTreeMap<String, GgufInfo>,
}

impl GgufFile {
    /// Maps a file and reads everything but the tensors' numbers.
    ///
    /// # Errors
    /// A file that is missing, cut short, not GGUF, or of types that are not known: [`Error::Invalid`] with the file.
    pub fn open(path: &Path) -> Result<Self> {
        let invalid = |message: String| {
            let help = "the file may be damaged or not whole: write or fetch it again";
            Error::invalid(at(path, message).help(help))
        };
        let map = Mapped::open(path).map_err(|e| invalid(format!("cannot be read: {e}")))?;
        let head = Head::read(&map).map_err(|what| invalid(format!("is not a whole GGUF file: {what}")))?;
        Ok(Self { path: path.to_owned(), entries: head.entries, tensors: head.tensors, map })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What the file says beside its tensors.
    pub fn entries(&self) -> &Entries {
        &self.entries
    }

    /// Names of all tensors, in alphabetical order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// Format and shape of a tensor.
    pub fn info(&self, name: &str) -> Option<&GgufInfo> {
        self.tensors.get(name)
    }

    /// A tensor's bytes as they are stored.
    ///
    /// # Errors
    /// No such tensor; the message lists names that look alike.
    pub fn bytes(&self, name: &str) -> Result<&[u8]> {
        let info = self.info(name).ok_or_else(|| missing(&self.path, name, self.names()))?;
        Ok(&self.map[info.range.clone()])
    }

    /// A tensor's numbers.
    ///
    /// # Errors
    /// See [`GgufFile::bytes`].
    pub fn tensor(&self, name: &str) -> Result<Vec<f32>> {
        let bytes = self.bytes(name)?;
        let info = &self.tensors[name];
        let numbers = info.packing.decode(bytes);
        self.map.release(info.range.clone());
        Ok(numbers)
    }

    /// Some of a tensor's numbers; without the others, if they are stored so.
    ///
    /// # Errors
    /// See [`GgufFile::bytes`].
    pub(super) fn part(&self, name: &str, range: Range<usize>) -> Result<Vec<f32>> {
        let bytes = self.bytes(name)?;
        let packing = self.tensors[name].packing;
        Ok(match packing.divides(range.start) && packing.divides(range.end) {
            true => packing.decode(&bytes[packing.bytes(range.start)..packing.bytes(range.end)]),
            false => packing.decode(bytes)[range].to_vec(),
        })
    }
}

/// Everything before the tensors' numbers.
struct Head {
    entries: Entries,
    tensors: BTreeMap<String, GgufInfo>,
}

impl Head {
    fn read(bytes: &[u8]) -> Result<Self, String> {
        let mut cursor = Cursor { bytes, at: 0 };
        if cursor.take(4)? != MAGIC {
            return Err("it does not begin with `GGUF`".into());
        }
        let version = cursor.u32()?;
        if version != VERSION {
            return Err(format!("it is of version {version}; {VERSION} is known"));
        }
        let (tensors, values) = (cursor.count()?, cursor.count()?);
        let mut entries = Entries::default();
        for _ in 0..values {
            let name = cursor.text()?;
            let code = cursor.u32()?;
            let value = cursor.value(code, DEPTH).map_err(|what| format!("the value `{name}`: {what}"))?;
            entries.0.push((name, value));
        }
        let mut found = Vec::new();
        for _ in 0..tensors {
            found.push(cursor.tensor()?);
        }
        let alignment = entries.get("general.alignment").and_then(Meta::number).unwrap_or(ALIGNMENT).max(1);
        let start = cursor.at.next_multiple_of(alignment);
        let mut tensors = BTreeMap::new();
        for (name, mut info) in found {
            let range = info.range.start.checked_add(start).zip(info.range.end.checked_add(start));
            let (from, to) = range.filter(|(_, to)| *to <= bytes.len()).ok_or("its end is missing")?;
            info.range = from..to;
            if tensors.insert(name.clone(), info).is_some() {
                return Err(format!("there are two tensors `{name}`"));
            }
        }
        Ok(Self { entries, tensors })
    }
}
