//! Hugging Face model folders.

use super::{TensorFile, TensorInfo, at, file::missing, read_object};
use crate::{Error, Result};
use serde_json::{Map, Value};
use std::{
    collections::BTreeMap,
    path::{Component, Path, PathBuf},
};

/// Buffers that older checkpoints of GPT-2, GPT-NeoX and Llama saved along with their parameters; models compute them.
const BUFFERS: &[&str] = &[
    ".attention.bias",
    ".attention.masked_bias",
    ".attn.bias",
    ".attn.masked_bias",
    ".rotary_emb.inv_freq",
    ".rotary_emb.cos_cached",
    ".rotary_emb.sin_cached",
];

/// A folder with `config.json` and one or several safetensors files.
#[derive(Debug)]
pub struct ModelFolder {
    folder: PathBuf,
    config: Map<String, Value>,
    files: Vec<TensorFile>,
    /// Which file each tensor is in.
    places: BTreeMap<String, usize>,
}

impl ModelFolder {
    /// Opens a folder: reads `config.json` and the headers of `model.safetensors`, or of the files that
    /// `model.safetensors.index.json` lists. No tensor is read yet.
    ///
    /// # Errors
    /// Missing or damaged files, weights in another format, an index that points outside the folder or at a tensor
    /// that is not there: [`Error::Invalid`] with the file.
    pub fn open(folder: &Path) -> Result<Self> {
        let config = config(folder)?;
        let (single, index) = (folder.join("model.safetensors"), folder.join("model.safetensors.index.json"));
        let (files, places) = if single.exists() {
            let file = TensorFile::open(&single)?;
            let places = file.names().map(|name| (name.to_owned(), 0)).collect();
            (vec![file], places)
        } else if index.exists() {
            sharded(folder, &index)?
        } else {
            return Err(no_weights(folder));
        };
        Ok(Self { folder: folder.to_owned(), config, files, places })
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.folder
    }

    /// `config.json`.
    pub fn config(&self) -> &Map<String, Value> {
        &self.config
    }

    /// The safetensors files.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.files.iter().map(TensorFile::path)
    }

    /// Names of all tensors, in alphabetical order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.places.keys().map(String::as_str)
    }

    /// Format and shape of a tensor; None if it is not there, as a vocabulary projection that is tied to the
    /// embeddings.
    pub fn info(&self, name: &str) -> Option<&TensorInfo> {
        self.files[*self.places.get(name)?].info(name)
    }

    /// A tensor's bytes as they are stored. See [`TensorFile::bytes`].
    pub fn bytes(&self, name: &str) -> Result<&[u8]> {
        self.file(name)?.bytes(name)
    }

    /// The elements of a tensor of 16-bit numbers as they are stored. See [`TensorFile::halves`].
    pub fn halves(&self, name: &str) -> Result<Vec<u16>> {
        self.file(name)?.halves(name)
    }

    /// A tensor as f32, row by row. See [`TensorFile::tensor`].
    pub fn tensor(&self, name: &str) -> Result<Vec<f32>> {
        self.file(name)?.tensor(name)
    }

    /// A tensor as f32, which must have this shape. See [`TensorFile::tensor_shaped`].
    pub fn tensor_shaped(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        self.file(name)?.tensor_shaped(name, shape)
    }

    /// Whether a tensor is there with this shape.
    pub fn check(&self, name: &str, shape: &[usize]) -> Result<()> {
        self.file(name)?.check(name, shape)
    }

    /// Tensors that the model does not have, known left-over buffers aside.
    pub fn unexpected(&self, expected: impl Fn(&str) -> bool) -> Vec<&str> {
        let buffer = |name: &str| BUFFERS.iter().any(|end| name.ends_with(end));
        self.names().filter(|name| !expected(name) && !buffer(name)).collect()
    }

    fn file(&self, name: &str) -> Result<&TensorFile> {
        match self.places.get(name) {
            Some(place) => Ok(&self.files[*place]),
            None => Err(missing(&self.folder, name, self.names())),
        }
    }
}

/// A model folder's `config.json`.
pub fn config(folder: &Path) -> Result<Map<String, Value>> {
    let expected = "expected is a Hugging Face model folder: `config.json` and `model.safetensors`";
    read_object(&folder.join("config.json"), expected)
}

fn sharded(folder: &Path, index: &Path) -> Result<(Vec<TensorFile>, BTreeMap<String, usize>)> {
    let table = read_object(index, "")?;
    let Some(Value::Object(map)) = table.get("weight_map") else {
        return Err(Error::invalid(at(index, "has no table `weight_map` from tensor names to file names")));
    };
    let (mut files, mut numbers, mut places) = (Vec::<TensorFile>::new(), BTreeMap::new(), BTreeMap::new());
    for (tensor, name) in map {
        let name = name.as_str().filter(|name| is_file_name(name)).ok_or_else(|| {
            let message =
                format!("tensor `{tensor}` is said to be in {name}; expected is the name of a file beside it");
            Error::invalid(at(index, message).help("do not use weights from a source that you do not trust"))
        })?;
        let number = match numbers.get(name) {
            Some(number) => *number,
            None => {
                files.push(TensorFile::open(&folder.join(name))?);
                numbers.insert(name, files.len() - 1);
                files.len() - 1
            }
        };
        if files[number].info(tensor).is_none() {
            return Err(Error::invalid(at(
                index,
                format!("tensor `{tensor}` is not in {name}, where it is said to be"),
            )));
        }
        places.insert(tensor.clone(), number);
    }
    Ok((files, places))
}

/// Whether joining the name to a folder stays in the folder.
fn is_file_name(name: &str) -> bool {
    let mut parts = Path::new(name).components();
    matches!((parts.next(), parts.next()), (Some(Component::Normal(_)), None)) && !name.contains(['\\', '/', ':'])
}

fn no_weights(folder: &Path) -> Error {
    let problem = at(folder, "no `model.safetensors` and no `model.safetensors.index.json` is here");
    let old = ["pytorch_model.bin", "pytorch_model.bin.index.json", "tf_model.h5", "flax_model.msgpack"];
    Error::invalid(match old.into_iter().find(|name| folder.join(name).exists()) {
        Some(name) => problem.help(format!(
            "found {name}; convert it to safetensors: `AutoModelForCausalLM.from_pretrained(FOLDER).save_pretrained(FOLDER)`"
        )),
        None => problem.help("expected is a Hugging Face model folder with its weights as safetensors"),
    })
}

#[cfg(test)]
#[path = "hf_tests.rs"]
pub(super) mod tests;
