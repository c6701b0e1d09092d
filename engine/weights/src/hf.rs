//! Hugging Face model folders.

use super::{TensorFile, TensorInfo, at, file::missing, read_object};
use framework_base::{Error, Result};
use serde_json::{Map, Value};
use std::{
    collections::{BTreeMap, BTreeSet},
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
    /// Tensors that are read under other names.
    used: BTreeSet<String>,
    /// Tensors that the index lists and their file does not have.
    promised: BTreeMap<String, String>,
    /// What the weights are quantized with, as the configuration has it.
    quantized: Option<String>,
}

impl ModelFolder {
    /// Opens a folder: reads `config.json` and the headers of `model.safetensors`, or of the files that
    /// `model.safetensors.index.json` lists. No tensor is read yet.
    ///
    /// # Errors
    /// Missing or damaged files, weights in another format, an index that points outside the folder or at a tensor
    /// that is not there: [`Error::Invalid`] with the file.
    pub fn open(folder: &Path) -> Result<Self> {
        expect_weights(folder)?;
        let mut config = raw_config(folder)?;
        let quantized = config.shift_remove(QUANTIZED).filter(|q| !q.is_null()).map(|q| method(&q));
        let mut promised = BTreeMap::new();
        let (single, index) = (folder.join("model.safetensors"), folder.join("model.safetensors.index.json"));
        let (files, places) = if single.exists() {
            let file = TensorFile::open(&single)?;
            let places = file.names().map(|name| (name.to_owned(), 0)).collect();
            (vec![file], places)
        } else {
            sharded(folder, &index, &mut promised)?
        };
        let used = BTreeSet::new();
        Ok(Self { folder: folder.to_owned(), config, files, places, used, promised, quantized })
    }

    /// Changes a key of the configuration; takes it out without a value.
    pub fn set(&mut self, key: &str, value: Option<Value>) {
        match value {
            Some(value) => self.config.insert(key.to_owned(), value),
            None => self.config.shift_remove(key),
        };
    }

    /// What the weights are said to be quantized with.
    pub fn quantized(&self) -> Option<&str> {
        self.quantized.as_deref()
    }

    /// Gives a tensor, or the part of it that begins at element number `start`, another name.
    pub fn alias(&mut self, name: &str, of: &str, start: usize, shape: &[usize]) {
        let Some(place) = self.places.get(of).copied() else { return };
        self.used.insert(of.to_owned());
        if name != of && !self.places.contains_key(name) && self.files[place].alias(name, of, start, shape) {
            self.places.insert(name.to_owned(), place);
        }
    }

    /// Whether two tensors hold the same numbers in the same format.
    pub fn same(&self, a: &str, b: &str) -> Result<bool> {
        let form = |name: &str| self.info(name).map(|info| (info.dtype, info.shape.clone()));
        Ok(form(a) == form(b) && self.bytes(a)? == self.bytes(b)?)
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

    /// The elements of a tensor of 16-bit numbers, two in a word. See [`TensorFile::words`].
    pub fn words(&self, name: &str) -> Result<Vec<i32>> {
        self.file(name)?.words(name)
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
        self.names().filter(|name| !expected(name) && !buffer(name) && !self.used.contains(*name)).collect()
    }

    fn file(&self, name: &str) -> Result<&TensorFile> {
        match self.places.get(name) {
            Some(place) => Ok(&self.files[*place]),
            None => match self.promised.get(name) {
                Some(file) => {
                    let message = format!("the index lists tensor `{name}` in {file}, which does not have it");
                    Err(Error::invalid(at(&self.folder, message).help(AGAIN)))
                }
                None => Err(missing(&self.folder, name, self.names())),
            },
        }
    }
}

/// The key of `config.json` about quantized weights.
const QUANTIZED: &str = "quantization_config";
const AGAIN: &str = "the download is incomplete or damaged: fetch the files again, e.g. with `hf download ID --local-dir \
                     FOLDER`, or name the model by its id on the hub";

/// What a `quantization_config` says that the weights are quantized with.
fn method(config: &Value) -> String {
    let named = config["quant_method"].as_str().map(str::to_owned);
    let bits = |key: &str| config[key] == true;
    named.unwrap_or_else(|| {
        if bits("load_in_4bit") || bits("load_in_8bit") { "bitsandbytes" } else { "an unnamed method" }.into()
    })
}

/// A model folder's `config.json`, without what it says of quantized weights: the files tell whether they are.
pub fn config(folder: &Path) -> Result<Map<String, Value>> {
    let mut config = raw_config(folder)?;
    config.shift_remove(QUANTIZED);
    Ok(config)
}

fn raw_config(folder: &Path) -> Result<Map<String, Value>> {
    let expected = "expected a Hugging Face model folder: `config.json` and `model.safetensors`";
    read_object(&folder.join("config.json"), expected)
}

fn sharded(
    folder: &Path,
    index: &Path,
    promised: &mut BTreeMap<String, String>,
) -> Result<(Vec<TensorFile>, BTreeMap<String, usize>)> {
    let table = read_object(index, "")?;
    let Some(Value::Object(map)) = table.get("weight_map") else {
        return Err(Error::invalid(at(index, "has no table `weight_map` from tensor names to file names")));
    };
    let listed: BTreeSet<&str> = map.values().filter_map(Value::as_str).filter(|name| is_file_name(name)).collect();
    let absent: Vec<_> = listed.iter().copied().filter(|name| !folder.join(name).exists()).collect();
    if !absent.is_empty() {
        let (count, all, names) = (absent.len(), listed.len(), absent.join(", "));
        let message = format!("{count} of the {all} files that it lists are not in the folder: {names}");
        return Err(Error::invalid(at(index, message).help(AGAIN)));
    }
    let (mut files, mut numbers, mut places) = (Vec::<TensorFile>::new(), BTreeMap::new(), BTreeMap::new());
    for (tensor, name) in map {
        let name = name.as_str().filter(|name| is_file_name(name)).ok_or_else(|| {
            let message = format!("tensor `{tensor}` is said to be in {name}; expected the name of a file beside it");
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
        // Only what the model needs has to be there: some indices list tensors that no file has.
        if files[number].info(tensor).is_none() {
            promised.insert(tensor.clone(), name.to_owned());
            continue;
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

/// What lies in a folder instead of weights that are read, and what to do with it.
/// An error that says what lies there instead, unless a folder has weights.
pub fn expect_weights(folder: &Path) -> Result<()> {
    let there = |name: &str| folder.join(name).exists();
    match there("model.safetensors") || there("model.safetensors.index.json") {
        true => Ok(()),
        false => Err(no_weights(folder)),
    }
}

fn no_weights(folder: &Path) -> Error {
    let problem = at(folder, "no `model.safetensors` and no `model.safetensors.index.json` is here");
    let names = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<_> = names.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    let found = |fits: &dyn Fn(&str) -> bool| names.iter().find(|name| fits(name)).cloned();
    let convert = "`AutoModelForCausalLM.from_pretrained(FOLDER).save_pretrained(FOLDER)`";
    let shard = |name: &str| name.starts_with("model-0") && name.ends_with(".safetensors");
    let help = if let Some(name) = found(&shard) {
        format!("found {name}, but not `model.safetensors.index.json`, which lists the parts: fetch it as well")
    } else if let Some(name) = found(&|name| name.to_lowercase().ends_with(".gguf")) {
        format!("found {name}: GGUF is not read; use the Hugging Face folder that it was made from")
    } else if let Some(name) = found(&|name| name.starts_with("consolidated")) {
        format!("found {name}, the publisher's own layout: use the model's Hugging Face version")
    } else if let Some(name) =
        found(&|name| [".bin", ".pt", ".pth", ".h5", ".msgpack"].iter().any(|e| name.ends_with(e)))
    {
        format!("found {name}; convert it to safetensors: {convert}")
    } else if found(&|name| name == "adapter_config.json").is_some() {
        "this is an adapter's folder: give its base model, and the adapter with `--adapter` or `adapter.init_from`"
            .into()
    } else {
        "a Hugging Face model folder with its weights as safetensors is needed".into()
    };
    Error::invalid(problem.help(help))
}

#[cfg(test)]
#[path = "hf_tests.rs"]
pub(super) mod tests;
