//! One safetensors file.

use super::{at, mmap::Mapped};
use framework_base::{Error, Float, Problem, Result};
use safetensors::{Dtype, SafeTensors};
use std::{
    collections::BTreeMap,
    ops::Range,
    path::{Path, PathBuf},
};

/// Bytes that are held in memory beside the numbers that are made of them.
const PART: usize = 1 << 24;

/// A tensor as a file declares it.
#[derive(Debug, Clone)]
pub struct TensorInfo {
    /// The number format.
    pub dtype: Dtype,
    /// The shape.
    pub shape: Vec<usize>,
    range: Range<usize>,
}

impl TensorInfo {
    /// Whether it is numbers that are read as they are.
    pub fn is_float(&self) -> bool {
        self.dtype == Dtype::F64 || format_of(self.dtype).is_some()
    }
}

/// A safetensors file, mapped into memory.
#[derive(Debug)]
pub struct TensorFile {
    path: PathBuf,
    map: Mapped,
    tensors: BTreeMap<String, TensorInfo>,
}

impl TensorFile {
    /// Maps a file and reads its header.
    ///
    /// # Errors
    /// A file that is missing, cut short or not safetensors: [`Error::Invalid`] with the file.
    pub fn open(path: &Path) -> Result<Self> {
        let invalid = |message: String, help: &str| Error::invalid(at(path, message).help(help));
        let map =
            Mapped::open(path).map_err(|e| invalid(format!("cannot be read: {e}"), "expected a safetensors file"))?;
        let (header, metadata) = SafeTensors::read_metadata(&map).map_err(|e| {
            let help = "the file may be damaged, half downloaded, or a Git LFS pointer: fetch it again";
            invalid(format!("is not a whole safetensors file: {e}"), help)
        })?;
        let start = header + 8; // the header's length comes first
        let entry = |(name, info): (String, &safetensors::tensor::TensorInfo)| {
            let (from, to) = info.data_offsets;
            (name, TensorInfo { dtype: info.dtype, shape: info.shape.clone(), range: start + from..start + to })
        };
        let tensors = metadata.tensors().into_iter().map(entry).collect();
        Ok(Self { path: path.to_owned(), map, tensors })
    }

    /// Gives elements of a tensor, from number `start` on, a name of their own; false if it has not so many.
    pub(super) fn alias(&mut self, name: &str, of: &str, start: usize, shape: &[usize]) -> bool {
        let Some(info) = self.tensors.get(of) else { return false };
        let size = info.range.len() / info.shape.iter().product::<usize>().max(1);
        let from = info.range.start + start * size;
        let range = from..from + shape.iter().product::<usize>() * size;
        let fits = range.end <= info.range.end;
        if fits {
            let info = TensorInfo { dtype: info.dtype, shape: shape.to_vec(), range };
            self.tensors.insert(name.to_owned(), info);
        }
        fits
    }

    /// The same file with other names for its tensors.
    pub(super) fn renamed(mut self, rename: impl Fn(&str) -> String) -> Self {
        self.tensors = self.tensors.into_iter().map(|(name, info)| (rename(&name), info)).collect();
        self
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Names of all tensors, in alphabetical order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// Format and shape of a tensor.
    pub fn info(&self, name: &str) -> Option<&TensorInfo> {
        self.tensors.get(name)
    }

    /// A tensor's bytes as they are stored: row by row, little-endian.
    ///
    /// # Errors
    /// No such tensor; the message lists names that look alike.
    pub fn bytes(&self, name: &str) -> Result<&[u8]> {
        let info = self.info(name).ok_or_else(|| missing(&self.path, name, self.names()))?;
        Ok(&self.map[info.range.clone()])
    }

    /// A tensor as f32, row by row.
    ///
    /// # Errors
    /// No such tensor, or one that is stored as anything but f64, f32, f16 or bf16.
    pub fn tensor(&self, name: &str) -> Result<Vec<f32>> {
        let bytes = self.bytes(name)?;
        let TensorInfo { dtype, ref range, .. } = self.tensors[name];
        if dtype == Dtype::F64 {
            let rounded = |bytes: &[u8; 8]| f64::from_le_bytes(*bytes) as f32;
            return Ok(bytes.as_chunks::<8>().0.iter().map(rounded).collect());
        }
        let format = format_of(dtype).ok_or_else(|| {
            let problem =
                at(&self.path, format!("tensor `{name}` is stored as {dtype}; expected F64, F32, F16 or BF16"));
            Error::invalid(problem.help("convert it, or use weights that are not quantized"))
        })?;
        let mut numbers = vec![0.0; bytes.len() / format.size()];
        let parts = numbers.chunks_mut(PART / format.size()).zip(bytes.chunks(PART));
        for (i, (numbers, bytes)) in parts.enumerate() {
            format.decode_into(bytes, numbers);
            let start = range.start + i * PART;
            self.map.release(start..start + bytes.len());
        }
        Ok(numbers)
    }

    /// The elements of a tensor of 16-bit numbers as they are stored. See [`TensorFile::bytes`].
    pub fn halves(&self, name: &str) -> Result<Vec<u16>> {
        let all = self.bytes(name)?;
        let (start, mut halves) = (self.tensors[name].range.start, Vec::with_capacity(all.len() / 2));
        for bytes in all.chunks(PART) {
            let done = start + 2 * halves.len();
            halves.extend(bytes.chunks_exact(2).map(|half| u16::from_le_bytes([half[0], half[1]])));
            self.map.release(done..done + bytes.len());
        }
        Ok(halves)
    }

    /// The elements of a tensor of 16-bit numbers, two in a word, the first of them in its lower half; the last word of an
    /// odd number of them is filled up with zeros. See [`TensorFile::bytes`].
    pub fn words(&self, name: &str) -> Result<Vec<i32>> {
        let all = self.bytes(name)?;
        let (start, mut words) = (self.tensors[name].range.start, Vec::with_capacity(all.len().div_ceil(4)));
        for (part, bytes) in all.chunks(PART).enumerate() {
            let (whole, rest) = bytes.as_chunks::<4>();
            words.extend(whole.iter().map(|word| i32::from_le_bytes(*word)));
            if let [low, high] = *rest {
                words.push(i32::from(u16::from_le_bytes([low, high])));
            }
            let done = start + part * PART;
            self.map.release(done..done + bytes.len());
        }
        Ok(words)
    }

    /// [`TensorFile::tensor`], which must have this shape.
    pub fn tensor_shaped(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        self.check(name, shape)?;
        self.tensor(name)
    }

    /// Whether a tensor is there with this shape.
    pub fn check(&self, name: &str, shape: &[usize]) -> Result<()> {
        match self.info(name) {
            Some(found) if found.shape != shape => {
                let message = format!("tensor `{name}` has the shape {:?}; expected {shape:?}", found.shape);
                let help = "the configuration and the weights do not belong together";
                Err(Error::invalid(at(&self.path, message).help(help)))
            }
            Some(_) => Ok(()),
            None => Err(missing(&self.path, name, self.names())),
        }
    }
}

/// A tensor that is not there, with the names that come nearest.
pub(super) fn missing<'a>(file: &Path, name: &str, names: impl Iterator<Item = &'a str>) -> Error {
    let mut near: Vec<_> = names.map(|other| (strsim::normalized_levenshtein(name, other), other)).collect();
    near.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    let near: Vec<_> = near.iter().take_while(|n| n.0 > 0.6).take(3).map(|(_, other)| format!("`{other}`")).collect();
    let problem: Problem = at(file, format!("there is no tensor `{name}`"));
    Error::invalid(match near.is_empty() {
        true => problem.help("the weights may be another architecture's than the recipe's `model.plugin`"),
        false => problem.help(format!("there are {}", near.join(", "))),
    })
}

/// The number format of a stored tensor, if the framework computes with it as it is.
pub fn format_of(dtype: Dtype) -> Option<Float> {
    match dtype {
        Dtype::F32 => Some(Float::F32),
        Dtype::F16 => Some(Float::F16),
        Dtype::BF16 => Some(Float::BF16),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hf::tests::store;

    #[test]
    fn reads_what_the_safetensors_library_writes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.safetensors");
        store(&path, &[("x", Dtype::F32, &[2, 1], &[1.5f32, -2.0].map(f32::to_le_bytes).concat())]);
        let file = TensorFile::open(&path).unwrap();
        assert_eq!(file.names().collect::<Vec<_>>(), ["x"]);
        assert_eq!(file.info("x").unwrap().shape, [2, 1]);
        assert_eq!(file.tensor_shaped("x", &[2, 1]).unwrap(), [1.5, -2.0]);
    }

    #[test]
    fn large_tensors_are_read_whole_and_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.safetensors");
        let numbers: Vec<f32> = (0..PART / 2 + 4321).map(|i| (i % 251) as f32).collect();
        let bytes = Float::BF16.encode(&numbers).unwrap();
        store(&path, &[("small", Dtype::F32, &[1], &1f32.to_le_bytes()), ("x", Dtype::BF16, &[numbers.len()], &bytes)]);
        let file = TensorFile::open(&path).unwrap();
        for _ in 0..2 {
            assert!(file.tensor("x").unwrap() == numbers);
            assert_eq!(file.tensor("small").unwrap(), [1.0]);
            assert!(file.bytes("x").unwrap() == bytes);
        }
    }

    #[test]
    fn errors_name_file_tensor_and_what_was_expected() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.safetensors");
        store(&path, &[("layers.0.weight", Dtype::F32, &[1], &[0; 4]), ("mask", Dtype::U8, &[1], &[0])]);
        let file = TensorFile::open(&path).unwrap();
        let said = |e: Result<Vec<f32>>| e.unwrap_err().to_string();
        let e = said(file.tensor("layers.1.weight"));
        assert!(
            e.contains("a.safetensors") && e.contains("`layers.1.weight`") && e.contains("`layers.0.weight`"),
            "{e}"
        );
        let e = said(file.tensor_shaped("layers.0.weight", &[2, 2]));
        assert!(e.contains("[1]") && e.contains("[2, 2]"), "{e}");
        let e = said(file.tensor("mask"));
        assert!(e.contains("`mask`") && e.contains("U8"), "{e}");

        std::fs::write(&path, b"version https://git-lfs.github.com/spec/v1").unwrap();
        let e = TensorFile::open(&path).unwrap_err();
        assert!(e.exit_code() == 2 && e.to_string().contains("LFS"), "{e}");
    }
}
