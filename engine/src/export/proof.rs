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
    session::Session,
    trained,
};
use framework_base::{Error, Float, Result};
use framework_core::Kind;
use framework_executor::{Device, Network};
use framework_text::tokenizer::Tokenizer;
use framework_weights::{
    ModelFolder,
    gguf::{GgufFile, GgufModel, Packing},
};
use std::{path::Path, sync::Arc};

/// What a folder says of tokens, read again.
struct Words {
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
        Format::Gguf => words_of_file(&given, dir, packing)?,
        Format::Hf => words_of_folder(&given, dir, manifest.what)?,
    };
    manifest.template = same_prompts(&given, read.tokenizer.as_ref())?;
    let lacking = given.stops().into_iter().find(|id| !read.stops.contains(id));
    if let Some(id) = lacking {
        let token = given.tokenizer.token(id).unwrap_or_default();
        return Err(differs(format!("answers of the run end at the token {id} ({token}), at which it does not stop")));
    }
    manifest.stops = read.stops.clone();
    // Not two models in memory: the run's numbers are compared already.
    let Given { session, network, .. } = given;
    drop(network);
    let network = match (format, manifest.what) {
        (Format::Gguf, _) => network_of_file(&session, dir)?,
        (Format::Hf, Exported::Model) => build::from_folders(&session.registry, dir, None, Device::cpu())?,
        (Format::Hf, Exported::Adapter) => trained::trained_by(&session, dir, Device::cpu())?,
    };
    let exported = Said::of(&network, said.asked.clone(), &read.stops)?;
    manifest.logits = difference(said, &exported);
    manifest.allowed = tolerance(packing, manifest.what) * manifest.logits.spread.max(1e-3);
    manifest.answer =
        Answer { run: said.answer.clone(), exported: exported.answer.clone(), stopped: said.finish == Finish::Stop };
    let Difference { largest, typical, spread, .. } = manifest.logits;
    // Rounding may turn the choice of an expert, after which a token's logits are others altogether.
    let off = if packing == Packing::Float(Float::F32) { largest } else { typical };
    if off > manifest.allowed || off.is_nan() {
        let most = manifest.allowed;
        return Err(differs(format!(
            "logits differ by up to {off:.3}; at most {most:.3} is allowed, with a standard deviation of {spread:.3}"
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

fn words_of_file(given: &Given, dir: &Path, packing: Packing) -> Result<Words> {
    let file = GgufFile::open(&gguf_in(dir).ok_or_else(|| differs("there is no GGUF file".into()))?)?;
    same_entries(given, &file, packing)?;
    let vocab = vocab::found(file.entries())?;
    Ok(Words { stops: vocab.stops(), tokenizer: vocab.tokenizer()? })
}

fn words_of_folder(given: &Given, dir: &Path, what: Exported) -> Result<Words> {
    let tokenizer = match (&given.run, what) {
        // Older runs have no tokenizer beside their adapter.
        (Some(run), Exported::Adapter) if !dir.join("tokenizer.json").is_file() => {
            trained::tokenizer(run, &given.session)?
        }
        _ => Tokenizer::load(dir)?,
    };
    Ok(Words { stops: tokenizer.eos.clone(), tokenizer: Some(tokenizer) })
}

/// The model of a file, as its own words describe it.
fn network_of_file(session: &Session, dir: &Path) -> Result<Arc<Network>> {
    let model = GgufModel::open(&gguf_in(dir).ok_or_else(|| differs("there is no GGUF file".into()))?)?;
    let kind = model.config().get("model_type").and_then(|kind| kind.as_str()).unwrap_or_default();
    let entry = session.registry.by_alias(Kind::Model, kind).map_err(|unknown| Error::failed(unknown.to_string()))?;
    let plugin = entry.about.name.clone();
    build::build(&session.registry, &plugin, ModelSource::Gguf(Box::new(model)), None, Device::cpu(), 0)
}
