//! Writing safetensors files.

use framework_base::Float;
use framework_base::{Error, Result, files::atomically};
use safetensors::Dtype;
use serde_json::{Map, Value, json};
use std::{borrow::Cow, io, path::Path};

/// A tensor that is to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorShape {
    /// Its name.
    pub name: String,
    /// Its shape.
    pub shape: Vec<usize>,
}

/// Writes a safetensors file, one tensor at a time: `read` gives each tensor's numbers, row by row, when its turn
/// comes. The same tensors give the same bytes: they are in the order of their names, and the header holds nothing but
/// `{"format": "pt"}`, which transformers asks for.
///
/// # Errors
/// What `read` fails with; numbers that do not fill the shape or that the format cannot hold; a full disk.
pub fn write_tensors<'a>(
    path: &Path,
    format: Float,
    tensors: &[TensorShape],
    mut read: impl FnMut(&str) -> Result<Cow<'a, [f32]>>,
) -> Result<()> {
    let dtype = match format {
        Float::F32 => Dtype::F32,
        Float::F16 => Dtype::F16,
        Float::BF16 => Dtype::BF16,
    };
    let mixed: Vec<_> = tensors.iter().map(|tensor| (tensor.clone(), dtype)).collect();
    write_mixed(path, &mixed, |name| {
        let bytes = format.encode(&read(name)?).ok_or_else(|| {
            let message = format!("tensor `{name}` has numbers beyond the range of {}", format.torch_name());
            Error::failed(format!("cannot write {}: {message}; bf16 and f32 hold them", path.display()))
        })?;
        Ok(Cow::Owned(bytes))
    })
}

/// The same for tensors of several formats: `read` gives each tensor's elements, little-endian, row by row.
///
/// # Errors
/// What `read` fails with; elements that do not fill the shape; a full disk.
pub fn write_mixed<'a>(
    path: &Path,
    tensors: &[(TensorShape, Dtype)],
    mut read: impl FnMut(&str) -> Result<Cow<'a, [u8]>>,
) -> Result<()> {
    let mut tensors: Vec<_> = tensors.iter().collect();
    tensors.sort_by(|a, b| a.0.name.cmp(&b.0.name));
    let header = header(&tensors);
    atomically(path, |file| {
        let failed = |e: io::Error| Error::io("write", path, e);
        file.write_all(&(header.len() as u64).to_le_bytes()).map_err(failed)?;
        file.write_all(&header).map_err(failed)?;
        for (TensorShape { name, shape }, dtype) in tensors {
            let bytes = read(name)?;
            if bytes.len() != size(shape, *dtype) {
                let given = bytes.len() * 8 / dtype.bitsize();
                let message = format!("tensor `{name}` of the shape {shape:?} was given {given} numbers");
                return Err(Error::failed(message));
            }
            file.write_all(&bytes).map_err(failed)?;
        }
        Ok(())
    })
}

fn size(shape: &[usize], dtype: Dtype) -> usize {
    shape.iter().product::<usize>() * dtype.bitsize() / 8
}

/// The header of the safetensors format: JSON, filled up with spaces so that the numbers are aligned.
fn header(tensors: &[&(TensorShape, Dtype)]) -> Vec<u8> {
    let mut table = Map::from_iter([("__metadata__".to_owned(), json!({ "format": "pt" }))]);
    let mut start = 0;
    for (TensorShape { name, shape }, dtype) in tensors {
        let end = start + size(shape, *dtype);
        let entry = json!({ "dtype": dtype.to_string(), "shape": shape, "data_offsets": [start, end] });
        table.insert(name.clone(), entry);
        start = end;
    }
    let mut header = Value::Object(table).to_string().into_bytes();
    header.resize(header.len().next_multiple_of(8), b' ');
    header
}

#[cfg(test)]
mod tests {
    use super::*;
    use framework_base::files::sha256;
    use safetensors::SafeTensors;

    fn shape(name: &str, shape: &[usize]) -> TensorShape {
        TensorShape { name: name.into(), shape: shape.into() }
    }

    #[test]
    fn the_safetensors_library_reads_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.safetensors");
        let tensors = [shape("b", &[2, 2]), shape("a.weight", &[3]), shape("none", &[0, 4])];
        let read = |name: &str| {
            Ok(Cow::Owned(match name {
                "b" => vec![1.0, 2.0, 3.0, 4.0],
                "a.weight" => vec![-1.0, 0.5, 0.25],
                _ => vec![],
            }))
        };
        write_tensors(&path, Float::BF16, &tensors, read).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        assert_eq!(file.tensor("b").unwrap().shape(), [2, 2]);
        assert_eq!(file.tensor("a.weight").unwrap().dtype(), safetensors::Dtype::BF16);
        assert_eq!(file.tensor("a.weight").unwrap().data(), [0xbf80u16, 0x3f00, 0x3e80].map(u16::to_le_bytes).concat());
        let (header, metadata) = SafeTensors::read_metadata(&bytes).unwrap();
        assert_eq!((header % 8, &metadata.metadata().as_ref().unwrap()["format"]), (0, &"pt".to_owned()));

        let other = dir.path().join("y.safetensors");
        let reversed: Vec<_> = tensors.into_iter().rev().collect();
        write_tensors(&other, Float::BF16, &reversed, read).unwrap();
        assert_eq!(sha256(&path).unwrap(), sha256(&other).unwrap());
    }

    #[test]
    fn formats_can_be_mixed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.safetensors");
        let tensors = [(shape("b", &[3]), Dtype::U8), (shape("a", &[2]), Dtype::F32)];
        let read = |name: &str| Ok(Cow::Owned(if name == "b" { vec![7, 8, 9] } else { vec![0; 8] }));
        write_mixed(&path, &tensors, read).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        assert_eq!(
            (file.tensor("b").unwrap().dtype(), file.tensor("b").unwrap().data()),
            (Dtype::U8, &[7u8, 8, 9][..])
        );
        let short = write_mixed(&path, &tensors, |_| Ok(Cow::Owned(vec![0; 4]))).unwrap_err().to_string();
        assert!(short.contains("`a`") && short.contains("1 numbers"), "{short}");
    }

    #[test]
    fn a_failure_leaves_the_old_file_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.safetensors");
        std::fs::write(&path, "old").unwrap();
        let tensors = [shape("a", &[1]), shape("b", &[1])];
        let fails = |name: &str| if name == "a" { Ok(Cow::Owned(vec![0.0])) } else { Err(Error::failed("no b")) };
        assert_eq!(write_tensors(&path, Float::F32, &tensors, fails).unwrap_err().to_string(), "no b");
        let e = write_tensors(&path, Float::F16, &tensors, |_| Ok(Cow::Owned(vec![1e6]))).unwrap_err().to_string();
        assert!(e.contains("`a`") && e.contains("float16"), "{e}");
        let e = write_tensors(&path, Float::F32, &tensors, |_| Ok(Cow::Owned(vec![]))).unwrap_err().to_string();
        assert!(e.contains("0 numbers"), "{e}");
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
