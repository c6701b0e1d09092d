//! Model folders as an architecture reads them: what the files call otherwise, keep together, or contradict.
//!
//! Follows transformers (`modeling_utils.py`, `tie_weights` and the renaming of prefixes in `from_pretrained`):
//!
//! - A vocabulary projection that the configuration ties to the embeddings, and that the files have all the same,
//!   counts if it differs; the model is untied then. If it alone is there, it is the embeddings, too.
//! - Names may lack the first part, as those of models that were saved without their head, or have more in front, as
//!   those of models that were saved within another module (`model.lm_head.weight`, `module.` of data parallelism).
//! - Parameters may be under the names, or in the tensors, that the architecture declares as alternatives, such as all
//!   experts in one.

use super::ModelSource;
use framework_base::{Error, Problem, Result};
use framework_core::{
    ErrorKind, ModelSpec, Param, PluginError, Role,
    config::{self, Verdict},
};
use framework_registry::Entry;
use framework_weights::{ModelFolder, TensorShape, at, shape_in_files};
use serde_json::{Map, Value};
use std::path::Path;

/// The key of `config.json` that ties the vocabulary projection to the embeddings.
const TIED: &str = "tie_word_embeddings";

/// A source whose folder has what the architecture declares, under the names that it declares.
///
/// # Errors
/// Quantized weights: [`Error::Invalid`] with the method. What is missing after all is an error where it is read.
pub fn fitted(entry: &Entry, source: ModelSource) -> Result<ModelSource> {
    let mut folder = match source {
        ModelSource::Folder(folder) => folder,
        ModelSource::Gguf(mut model) => {
            let wrong = |e: PluginError| refused(entry, model.file().path(), model.config(), &e);
            let made = entry.model(&Value::Object(model.config().clone())).and_then(|made| made.spec());
            let spec = made.map_err(wrong)?;
            let shape = |p: &Param| TensorShape { name: p.name.clone(), shape: shape_in_files(p) };
            model.expect(&spec.params.iter().map(shape).collect::<Vec<_>>())?;
            return Ok(ModelSource::Gguf(model));
        }
        scratch => return Ok(scratch),
    };
    let spec = declared(entry, &folder)?;
    not_quantized(&folder, &spec)?;
    for param in &spec.params {
        adopt(&mut folder, &spec, param);
    }
    untie(entry, &mut folder, &spec)?;
    Ok(ModelSource::Folder(folder))
}

fn declared(entry: &Entry, folder: &ModelFolder) -> Result<ModelSpec> {
    let wrong = |e: PluginError| refused(entry, &folder.path().join("config.json"), folder.config(), &e);
    entry.model(&Value::Object(folder.config().clone())).and_then(|model| model.spec()).map_err(wrong)
}

/// What an architecture refuses of a `config.json`.
pub fn refused(entry: &Entry, file: &Path, config: &Map<String, Value>, e: &PluginError) -> Error {
    let problem = Problem { message: format!("{}: {e}", file.display()), ..Problem::of(e) }.key("model");
    if e.key.is_none() || e.kind != ErrorKind::UnknownKey {
        return Error::invalid(problem);
    }
    // The error's key is the first of those that it names; the remedy has to be for all of them.
    let keys: Vec<_> = config::unknown(&entry.about.schema, config)
        .into_iter()
        .filter(|(key, verdict)| *verdict == Verdict::Refuse && e.message.contains(&format!("`{key}`")))
        .map(|(key, _)| format!("{key:?}"))
        .collect();
    let (it, keys) = (if keys.len() == 1 { "it" } else { "them" }, keys.join(", "));
    Error::invalid(problem.help(format!(
        "use a plugin that knows {it}; if that does not matter, leave {it} out with `model.ignore_keys = [{keys}]`, or \
         with `--set 'model.ignore_keys=[{keys}]'`"
    )))
}

/// Says which keys of the configuration are not used, though they do not change what the model computes.
pub fn warn_of_unused(entry: &Entry, source: &ModelSource) {
    let ModelSource::Folder(folder) = source else { return };
    let unknown = config::unknown(&entry.about.schema, folder.config());
    let unused: Vec<_> =
        unknown.iter().filter(|(_, verdict)| *verdict == Verdict::Warn).map(|(key, _)| key.as_str()).collect();
    if !unused.is_empty() {
        let file = folder.path().join("config.json");
        tracing::warn!("{}: these keys are not used: {}", file.display(), unused.join(", "));
    }
}

/// Finds the tensor of a parameter under another name, or within another tensor.
fn adopt(folder: &mut ModelFolder, spec: &ModelSpec, param: &Param) {
    if folder.info(&param.name).is_some() {
        return;
    }
    let shaped =
        |folder: &ModelFolder, name: &str, shape: &[usize]| folder.info(name).is_some_and(|i| i.shape == shape);
    let (short, shape) = (param.name.split_once('.').map_or("", |(_, rest)| rest), shape_in_files(param));
    if shaped(folder, short, &shape) {
        return folder.alias(&param.name, short, 0, &shape);
    }
    let named = spec.alternatives.iter().filter(|other| other.param == param.name);
    if let Some(other) = named.clone().find(|other| shaped(folder, &other.tensor, &other.shape)) {
        return folder.alias(&param.name, &other.tensor, other.start, &shape);
    }
    if let Some(name) = within(folder, &param.name).filter(|name| shaped(folder, name, &shape)) {
        folder.alias(&param.name, &name, 0, &shape);
    }
}

/// The only tensor whose name is the parameter's with more in front.
fn within(folder: &ModelFolder, name: &str) -> Option<String> {
    let longer = |other: &&str| other.strip_suffix(name).is_some_and(|front| front.ends_with('.'));
    let mut found = folder.names().filter(longer);
    let first = found.next()?;
    found.next().is_none().then(|| first.to_owned())
}

/// Settles whether the vocabulary projection is that of the embeddings.
fn untie(entry: &Entry, folder: &mut ModelFolder, spec: &ModelSpec) -> Result<()> {
    let Some(embedding) = spec.get(&spec.output).filter(|param| param.role == Role::Embedding) else { return Ok(()) };
    let before = folder.config().get(TIED).cloned();
    folder.set(TIED, Some(false.into()));
    // An architecture that is always tied does not know the key, or stays tied.
    let untied = declared(entry, folder).ok();
    let head = untied.as_ref().and_then(|spec| spec.get(&spec.output)).filter(|head| head.role == Role::Output);
    if let (Some(spec), Some(head)) = (&untied, head) {
        // Files may hold the projection, too, under another name.
        adopt(folder, spec, head);
    }
    let differs = match head.filter(|head| folder.info(&head.name).is_some()) {
        None => false,
        Some(head) if folder.info(&embedding.name).is_none() => {
            folder.alias(&embedding.name, &head.name, 0, &embedding.shape);
            false
        }
        Some(head) if folder.same(&head.name, &embedding.name)? => {
            folder.alias(&embedding.name, &head.name, 0, &embedding.shape);
            false
        }
        Some(head) => {
            tracing::info!(
                "{}: `{}` differs from the embeddings that config.json ties it to; it is used as it is stored",
                folder.path().display(),
                head.name
            );
            true
        }
    };
    if !differs {
        folder.set(TIED, before);
    }
    Ok(())
}

/// Refuses weights that a quantization method has packed; float weights beside a left-over setting are read.
fn not_quantized(folder: &ModelFolder, spec: &ModelSpec) -> Result<()> {
    let Some(method) = folder.quantized() else { return Ok(()) };
    let packed = |param: &&Param| folder.info(&param.name).is_some_and(|info| !info.is_float());
    let parts = folder.names().any(|name| {
        [".qweight", ".absmax", ".weight_scale", ".weight_scale_inv", ".qzeros"].iter().any(|end| name.ends_with(end))
    });
    if !parts && !spec.params.iter().any(|param| packed(&param)) {
        return Ok(());
    }
    let message = format!("the weights are quantized with {method}, which is not read yet");
    Err(Error::invalid(at(folder.path(), message).help(
        "use the model as it was before it was quantized, or write one with transformers: \
         `AutoModelForCausalLM.from_pretrained(FOLDER).dequantize().save_pretrained(OTHER)`",
    )))
}
