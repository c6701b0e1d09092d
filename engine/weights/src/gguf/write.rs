//! Writing GGUF files.

use super::{ALIGNMENT, Entries, MAGIC, Packing, VERSION, meta::put_text};
use framework_base::{Error, Result, files::atomically};
use std::{borrow::Cow, io, path::Path};

/// A tensor that is to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GgufTensor {
    /// Its name.
    pub name: String,
    /// Its shape, the dimension first whose steps are largest; files have it the other way round.
    pub shape: Vec<usize>,
    /// Its format.
    pub packing: Packing,
}

impl GgufTensor {
    pub(super) fn elements(&self) -> usize {
        self.shape.iter().product()
    }

    fn bytes(&self) -> usize {
        self.packing.bytes(self.elements())
    }
}

/// Writes a file, one tensor at a time: `read` gives the numbers of the tensor with a number when its turn comes.
///
/// # Errors
/// What `read` fails with; numbers that do not fill the shape or that the format cannot hold; a full disk.
pub fn write_gguf<'a>(
    path: &Path,
    entries: &Entries,
    tensors: &[GgufTensor],
    mut read: impl FnMut(usize) -> Result<Cow<'a, [f32]>>,
) -> Result<()> {
    let head = head(entries, tensors);
    atomically(path, |file| {
        let failed = |e: io::Error| Error::io("write", path, e);
        file.write_all(&head).map_err(failed)?;
        for (i, tensor) in tensors.iter().enumerate() {
            let (numbers, name) = (read(i)?, &tensor.name);
            if numbers.len() != tensor.elements() {
                let message =
                    format!("tensor `{name}` of the shape {:?} was given {} numbers", tensor.shape, numbers.len());
                return Err(Error::failed(message));
            }
            let mut bytes = tensor.packing.encode(&numbers).ok_or_else(|| {
                let format = tensor.packing.name();
                let message =
                    format!("tensor `{name}` has numbers beyond the range of {format}; bf16 and f32 hold them");
                Error::failed(format!("cannot write {}: {message}", path.display()))
            })?;
            bytes.resize(bytes.len().next_multiple_of(ALIGNMENT), 0);
            file.write_all(&bytes).map_err(failed)?;
        }
        Ok(())
    })
}

/// Everything before the tensors' numbers.
fn head(entries: &Entries, tensors: &[GgufTensor]) -> Vec<u8> {
    let mut out = MAGIC.to_vec();
    out.extend(VERSION.to_le_bytes());
    out.extend((tensors.len() as u64).to_le_bytes());
    out.extend((entries.0.len() as u64).to_le_bytes());
    for (name, value) in &entries.0 {
        put_text(name, &mut out);
        out.extend(value.code().to_le_bytes());
        value.put(&mut out);
    }
    let mut offset = 0;
    for tensor in tensors {
        put_text(&tensor.name, &mut out);
        out.extend((tensor.shape.len() as u32).to_le_bytes());
        tensor.shape.iter().rev().for_each(|size| out.extend((*size as u64).to_le_bytes()));
        out.extend(tensor.packing.code().to_le_bytes());
        out.extend((offset as u64).to_le_bytes());
        offset += tensor.bytes().next_multiple_of(ALIGNMENT);
    }
    out.resize(out.len().next_multiple_of(ALIGNMENT), 0);
    out
}
