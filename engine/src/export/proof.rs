//! The proof of an export: what was written is read again and compared with the run.

use super::{
    Exported, Format,
    alike::{same_answer, same_prompts},
    answered::{Difference, Said, difference},
    gguf::{self, Whole},
    given::Given,
    manifest::{Answer, Manifest},
    vocab,
};
use crate::{
    build::{self, ModelSource},
    generation::Finish,
};
use framework_base::{Error, Float, Result};
use framework_executor::{Device, Network};
use framework_text::tokenizer::Tokenizer;
use framework_weights::{
    ModelFolder,
    gguf::{GgufFile, GgufModel, Packing},
};
use std::{path::Path, sync::Arc};

/// What a folder holds, read again.
struct Read {
    network: Arc<Network>,
    /// The tokenizer; none where only llama.cpp has one that splits texts so.
    tokenizer: Option<Tokenizer>,
    stops: Vec<u32>,
}

/// Reads an exported folder and compares it with what was exported.
///
/// # Errors
/// What differs: [`Error::Failed`].
pub(super) fn prove(given: Given, said: &Said, dir: &Path, manifest: &mut Manifest) -> Result<()> {
    let packing = manifest.packing()?;
    let format = if manifest.file.is_some() || gguf_in(dir).is_some() { Format::Gguf } else { Format::Hf };
    manifest.tensors = match (format, manifest.what) {
        (Format::Gguf, _) => same_file(&given, dir, packing)?,
        (Format::Hf, Exported::Model) => same_folder(&given, dir, gguf::float(packing))?,
        (Format::Hf, Exported::Adapter) => 0,
    };
    let read = match format {
        Format::Gguf => of_file(&given, dir)?,
        Format::Hf => of_folder(&given, dir, manifest.what)?,
    };
    manifest.template = same_prompts(&given, read.tokenizer.as_ref())?;
    let lacking = given.stops().into_iter().find(|id| !read.stops.contains(id));
    if let Some(id) = lacking {
        let token = given.tokenizer.token(id).unwrap_or_default();
        return Err(differs(format!("answers of the run end at the token {id} ({token}), at which it does not stop")));
    }
    manifest.stops = read.stops.clone();
    // Its own numbers are compared: the run's are not needed any more.
    drop(given);
    let exported = Said::of(&read.network, said.asked.clone(), &read.stops)?;
    manifest.logits = difference(said, &exported);
    manifest.allowed = tolerance(packing, manifest.what) * manifest.logits.spread.max(1e-3);
    manifest.answer =
        Answer { run: said.answer.clone(), exported: exported.answer.clone(), stopped: said.finish == Finish::Stop };
    let Difference { largest, spread, .. } = manifest.logits;
    if largest > manifest.allowed || largest.is_nan() {
        let most = manifest.allowed;
        return Err(differs(format!(
            "logits are up to {largest:.3} off; {most:.3} passes, as they spread by {spread:.3}"
        )));
    }
    same_answer(said, &exported, largest)
}

/// How far logits may be off, in parts of their standard deviation. Every tensor has been compared bit by bit: rounding to
/// 16 or 8 bits is all that is left.
fn tolerance(packing: Packing, what: Exported) -> f64 {
    match packing {
        // llama.cpp computes every GELU by the hyperbolic tangent, and so does what is read from a GGUF file.
        Packing::Float(Float::F32) => 1e-2,
        // A rounded adapter is a small part of what is computed.
        Packing::Float(Float::F16) => 0.1,
        Packing::Float(Float::BF16) if what == Exported::Adapter => 0.2,
        Packing::Float(Float::BF16) | Packing::Q8 => 0.5,
    }
}

pub(super) fn differs(what: String) -> Error {
    Error::failed(format!("what was written is not what was trained: {what}"))
}

/// The GGUF file of a folder.
fn gguf_in(dir: &Path) -> Option<std::path::PathBuf> {
    let mut files: Vec<_> = std::fs::read_dir(dir).ok()?.flatten().map(|entry| entry.path()).collect();
    files.retain(|path| path.extension().is_some_and(|end| end == "gguf"));
    files.sort();
    files.into_iter().next()
}

/// Compares a file with what it was to hold, bit by bit; returns the number of tensors.
fn same_file(given: &Given, dir: &Path, packing: Packing) -> Result<usize> {
    let path = gguf_in(dir).ok_or_else(|| differs("there is no GGUF file".into()))?;
    let (file, whole) = (GgufFile::open(&path)?, Whole::of(given, packing)?);
    for (i, tensor) in whole.tensors().iter().enumerate() {
        let expected = tensor.packing.encode(&whole.numbers(given, i)?);
        let shape = file.info(&tensor.name).map_or(&[][..], |info| &info.shape);
        if shape != tensor.shape || expected.as_deref() != Some(file.bytes(&tensor.name)?) {
            return Err(differs(format!("tensor `{}` has other numbers", tensor.name)));
        }
    }
    Ok(whole.tensors().len())
}

/// Compares what a file says beside its tensors.
fn same_entries(given: &Given, file: &GgufFile, packing: Packing) -> Result<()> {
    let whole = Whole::of(given, packing)?;
    let other = whole.entries().0.iter().find(|(key, value)| file.entries().get(key) != Some(value));
    match other {
        Some((key, _)) => Err(differs(format!("`{key}` is missing or has another value"))),
        None => Ok(()),
    }
}

/// Compares a Hugging Face folder with what it was to hold, bit by bit.
fn same_folder(given: &Given, dir: &Path, format: Float) -> Result<usize> {
    let folder = ModelFolder::open(dir)?;
    let params = &given.network.spec().params;
    for param in params {
        let expected = format.encode(&gguf::merged(given, &param.name)?);
        if expected.as_deref() != Some(folder.bytes(&param.name)?) {
            return Err(differs(format!("tensor `{}` has other numbers", param.name)));
        }
    }
    Ok(params.len())
}

fn of_file(given: &Given, dir: &Path) -> Result<Read> {
    let path = gguf_in(dir).ok_or_else(|| differs("there is no GGUF file".into()))?;
    let model = GgufModel::open(&path)?;
    let kind = model.config().get("model_type").and_then(|kind| kind.as_str()).unwrap_or_default().to_owned();
    let vocab = vocab::found(model.file().entries())?;
    let packing = model.file().entries().get("general.file_type").and_then(|code| code.number());
    let all = [Float::F32, Float::F16, Float::BF16].map(Packing::Float).into_iter().chain([Packing::Q8]);
    let packing = all.into_iter().find(|one| Some(one.file_type() as usize) == packing);
    let packing = packing.ok_or_else(|| differs("`general.file_type` is missing or has another value".into()))?;
    same_entries(given, model.file(), packing)?;
    let (plugin, source) = (given.plugin(&kind)?, ModelSource::Gguf(Box::new(model)));
    let network = build::build(&given.session.registry, &plugin, source, None, Device::cpu(), 0)?;
    Ok(Read { network, stops: vocab.stops(), tokenizer: vocab.tokenizer()? })
}

fn of_folder(given: &Given, dir: &Path, what: Exported) -> Result<Read> {
    let registry = &given.session.registry;
    let (network, tokenizer) = match (what, &given.run, &given.base) {
        (Exported::Adapter, Some(run), _) => {
            let own = dir.join("tokenizer.json").is_file().then(|| Tokenizer::load(dir)).transpose()?;
            let tokenizer = match own {
                Some(own) => own,
                None => crate::trained::tokenizer(run, &given.session)?,
            };
            (crate::trained::trained_by(&given.session, dir, Device::cpu())?, tokenizer)
        }
        _ => (build::from_folders(registry, dir, None, Device::cpu())?, Tokenizer::load(dir)?),
    };
    Ok(Read { network, stops: tokenizer.eos.clone(), tokenizer: Some(tokenizer) })
}
