//! Folders for transformers and PEFT.

use super::given::Given;
use crate::{
    run::RunFolder,
    save::{GENERATION, Whole},
    trained::adapter_folder,
};
use framework_base::{Error, Float, Result, files::write_bytes};
use framework_text::tokenizer::Tokenizer;
use framework_weights::{self as weights, TensorShape, save_adapter};
use std::{borrow::Cow, fs, path::Path};

/// The whole model, with its adapter folded in.
pub(super) fn model(given: &Given, dir: &Path, format: Float, shard: u64) -> Result<()> {
    let trained = given.run.as_ref().map(RunFolder::model).filter(|model| model.is_dir());
    let base = trained.as_deref().or(given.base.as_deref());
    let whole = Whole { config: given.config.clone(), base, format, shard, end: &given.end };
    whole.fill_folded(dir, &given.network)
}

/// The adapter as it is, and the tokenizer if it is the run's own.
pub(super) fn adapter(run: &RunFolder, dir: &Path, format: Option<Float>) -> Result<()> {
    let folder = adapter_folder(run)?;
    let tensors = &folder.tensors;
    let shape = |name: &str| TensorShape {
        name: name.to_owned(),
        shape: tensors.info(name).map_or(vec![], |i| i.shape.clone()),
    };
    let stored =
        tensors.names().next().and_then(|name| weights::format_of(tensors.info(name)?.dtype)).unwrap_or_default();
    let shapes: Vec<_> = tensors.names().map(shape).collect();
    let read = |name: &str| Ok(Cow::Owned(tensors.tensor(name)?));
    save_adapter(dir, &folder.config, folder.base_model(), format.unwrap_or(stored), &shapes, read)?;
    // Those of older runs lie in the run's folder, or with the base model.
    match folder.path() {
        own if own.join("tokenizer.json").is_file() => {
            Tokenizer::load(own)?.save(dir)?;
            copy(&own.join(GENERATION), &dir.join(GENERATION))
        }
        _ if run.tokenizer().is_dir() => Tokenizer::load(&run.tokenizer())?.save(dir),
        _ => Ok(()),
    }
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    let bytes = fs::read(from).map_err(|e| Error::io("read", from, e))?;
    write_bytes(to, &bytes)
}
