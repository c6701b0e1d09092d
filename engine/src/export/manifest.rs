//! `export.json`: what was exported, and what its proof found.

use super::{Difference, Exported};
use framework_base::{Error, Float, Result, files};
use framework_weights::{at, gguf::Packing};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fs, path::Path};

/// The file's name.
pub(super) const NAME: &str = "export.json";

/// What was exported, and what its proof found.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Manifest {
    /// The version of the framework that wrote it.
    pub framework: String,
    /// `hf` or `gguf`.
    pub format: String,
    /// An adapter or a whole model.
    pub what: Exported,
    /// The number format of the weights.
    pub dtype: String,
    /// The run that trained it.
    pub run: Option<String>,
    /// The base model.
    pub model: Option<String>,
    /// The adapter that was folded in, if it was no run's.
    pub adapter: Option<String>,
    /// The GGUF file.
    pub file: Option<String>,
    /// Bytes and SHA-256 of each file.
    pub files: BTreeMap<String, FileFact>,
    /// How many tensors were read again and were what they should be, bit by bit.
    pub tensors: usize,
    /// The logits of what was written against those of the run.
    pub logits: Difference,
    /// The largest difference that passes: in f32 after any token, otherwise after most.
    pub allowed: f64,
    /// An answer of each.
    pub answer: Answer,
    /// Whether prompts are written as the run writes them.
    pub template: String,
    /// Tokens at which answers end.
    pub stops: Vec<u32>,
    /// What quantization while training has changed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub quantization: Option<Quantized>,
    /// What differs from the run for good reason.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub notes: Vec<String>,
}

impl Default for Manifest {
    fn default() -> Self {
        Self {
            framework: env!("CARGO_PKG_VERSION").to_owned(),
            format: "hf".to_owned(),
            what: Exported::Model,
            dtype: String::new(),
            run: None,
            model: None,
            adapter: None,
            file: None,
            files: BTreeMap::new(),
            tensors: 0,
            logits: Difference::default(),
            allowed: 0.0,
            answer: Answer::default(),
            template: String::new(),
            stops: Vec::new(),
            quantization: None,
            notes: Vec::new(),
        }
    }
}

/// A file of the folder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FileFact {
    /// Its size.
    pub bytes: u64,
    /// Its hash.
    pub sha256: String,
}

/// The greedy answer to one prompt.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// Tokens of the run's.
    pub run: Vec<u32>,
    /// Tokens of what was written.
    pub exported: Vec<u32>,
    /// Whether the run's comes to an end token.
    pub stopped: bool,
}

/// What keeping the base model in few bits while training has changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Quantized {
    /// The number format that frozen weights had.
    pub frozen: String,
    /// The logits of the run as it was trained against those of the merged model in 32 bits.
    pub logits: Difference,
}

impl Manifest {
    /// Reads that of an exported folder.
    pub(super) fn read(folder: &Path) -> Result<Self> {
        let file = folder.join(NAME);
        let bytes = fs::read(&file).map_err(|e| Error::io("read", &file, e))?;
        serde_json::from_slice(&bytes)
            .map_err(|e| Error::invalid(at(&file, format!("is not what an export writes: {e}"))))
    }

    pub(super) fn write(&self, folder: &Path) -> Result<()> {
        let mut bytes = serde_json::to_vec_pretty(self).map_err(|e| Error::failed(e.to_string()))?;
        bytes.push(b'\n');
        files::write_bytes(&folder.join(NAME), &bytes)
    }

    /// Lists the files of the folder.
    pub(super) fn list(&mut self, folder: &Path) -> Result<()> {
        let failed = |e: std::io::Error| Error::io("read", folder, e);
        for entry in fs::read_dir(folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            if entry.path().is_file() {
                let fact =
                    FileFact { bytes: entry.metadata().map_err(failed)?.len(), sha256: files::sha256(&entry.path())? };
                self.files.insert(entry.file_name().to_string_lossy().into_owned(), fact);
            }
        }
        Ok(())
    }

    /// The number format of the weights.
    pub(super) fn packing(&self) -> Result<Packing> {
        let all = [Float::F32, Float::F16, Float::BF16].map(Packing::Float).into_iter().chain([Packing::Q8]);
        let mut fits = all.filter(|packing| packing.name().eq_ignore_ascii_case(&self.dtype));
        fits.next().ok_or_else(|| Error::failed(format!("{NAME}: `{}` is no number format", self.dtype)))
    }
}
