//! The whole model as a GGUF file.

use super::{
    given::Given,
    vocab::{self, GgmlVocab},
};
use framework_base::{Error, Float, Result};
use framework_core::Stored;
use framework_weights::{
    TensorShape, for_file,
    gguf::{Converted, Entries, GgufTensor, Packing, convert, write_gguf},
    shape_in_files,
};
use std::{borrow::Cow, path::Path, sync::Arc};

/// What a GGUF file is going to hold.
pub(super) struct Whole {
    model: Converted,
    vocab: GgmlVocab,
    entries: Entries,
    tensors: Vec<GgufTensor>,
    packing: Packing,
}

impl Whole {
    /// # Errors
    /// GGUF has no room for the model or its tokenizer.
    pub fn of(given: &Given, packing: Packing) -> Result<Self> {
        let spec = given.network.spec();
        let shape = |p: &framework_core::Param| TensorShape { name: p.name.clone(), shape: shape_in_files(p) };
        let shapes: Vec<_> = spec.params.iter().map(shape).collect();
        let options = given.network.config()?.as_object().cloned().unwrap_or_default();
        let model = convert(&given.kind()?, &options, &shapes)?;
        let vocab = given.end.tokenizer.ggml(spec.vocab_size, &given.stops()).map_err(Error::invalid)?;
        let mut entries = Entries::default();
        let arch = model.entries.0.first().and_then(|(key, _)| key.split('.').next()).unwrap_or_default();
        entries.put("general.architecture", arch);
        entries.put("general.type", "model");
        entries.put("general.name", given.name.as_str());
        entries.put("general.file_type", packing.file_type());
        entries.put("general.quantization_version", 2u32);
        entries.0.extend(model.entries.0.iter().cloned());
        vocab::put(&vocab, &mut entries);
        let tensor = |place: &framework_weights::gguf::Place| GgufTensor {
            name: place.name.clone(),
            shape: place.shape.clone(),
            packing: place.packing(packing),
        };
        let tensors = model.places.iter().map(tensor).collect();
        Ok(Self { model, vocab, entries, tensors, packing })
    }

    /// In what llama.cpp computes something else.
    pub fn note(&self) -> Option<String> {
        self.model.differs.as_ref().map(|(_, note)| note.clone())
    }

    /// Up to how many tokens it does not.
    pub fn within(&self) -> Option<usize> {
        self.model.differs.as_ref().map(|(tokens, _)| *tokens)
    }

    /// The tokenizer.
    pub fn vocab(&self) -> &GgmlVocab {
        &self.vocab
    }

    /// What the file says beside its tensors.
    pub fn entries(&self) -> &Entries {
        &self.entries
    }

    /// The tensors.
    pub fn tensors(&self) -> &[GgufTensor] {
        &self.tensors
    }

    /// Writes the file and returns its name.
    pub fn write(&self, dir: &Path, given: &Given) -> Result<String> {
        let file = format!("{}-{}.gguf", given.name.replace(['/', '\\', ' '], "-"), self.packing.name());
        write_gguf(&dir.join(&file), &self.entries, &self.tensors, |i| self.numbers(given, i))?;
        Ok(file)
    }

    /// The numbers of a tensor of the file, in 32 bits.
    pub fn numbers(&self, given: &Given, i: usize) -> Result<Cow<'static, [f32]>> {
        self.model.places[i].numbers(|name| merged(given, name).map(Cow::Owned))
    }
}

/// A parameter with the adapter folded in, as files have it.
pub(super) fn merged(given: &Given, name: &str) -> Result<Vec<f32>> {
    let lost = || Error::failed(format!("parameter `{name}` was lost"));
    let param = given.network.spec().params.iter().find(|param| param.name == name).ok_or_else(lost)?;
    let numbers = Arc::clone(&given.network).merged(name)?.ok_or_else(lost)?.to_f32()?;
    Ok(if param.stored == Stored::OutIn { numbers } else { for_file(param, numbers) })
}

/// The format in which a folder is written whose numbers have another here.
pub(super) fn float(packing: Packing) -> Float {
    if let Packing::Float(float) = packing { float } else { Float::F32 }
}
