//! Mapping a file into memory.

use std::{
    fs::File,
    io,
    ops::{Deref, Range},
    path::Path,
};

/// A file's bytes, read from disk as they are touched.
#[derive(Debug)]
pub struct Mapped(memmap2::Mmap);

impl Mapped {
    /// Maps a file.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        // SAFETY: the map is read-only and only ever seen as bytes, for which every value is valid. What remains is a
        // file that someone else shortens or rewrites meanwhile: we write files by renaming, which leaves a mapped
        // one as it was, and nobody is expected to overwrite weights in use.
        #[allow(unsafe_code)]
        let map = unsafe { memmap2::Mmap::map(&file)? };
        Ok(Self(map))
    }

    /// Gives the memory of bytes back that have been read and are not needed for now. They can be read again.
    pub fn release(&self, range: Range<usize>) {
        #[cfg(unix)]
        {
            // SAFETY: the map is of a file and is never written to, so that pages which are given back are read from
            // the file again when they are touched, with the same content.
            #[allow(unsafe_code)]
            let given =
                unsafe { self.0.unchecked_advise_range(memmap2::UncheckedAdvice::DontNeed, range.start, range.len()) };
            // Memory that is not given back is in nobody's way.
            let _ = given;
        }
        #[cfg(not(unix))]
        let _ = range;
    }
}

impl Deref for Mapped {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.0
    }
}
