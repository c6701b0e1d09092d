//! Model folders as an architecture reads them: what the files call otherwise, keep together, or contradict.
//!
//! Follows transformers (`modeling_utils.py`, `tie_weights` and the renaming of prefixes in `from_pretrained`):
//!
//! - A vocabulary projection that the configuration ties to the embeddings, and that the files have all the same, counts
//!   if it differs; the model is untied then. If it alone is there, it is the embeddings, too.
//! - Names may lack the first part, as those of models that were saved without their head.
//! - Experts may be in one tensor, as transformers 5 holds them.

use crate::{
    assemble::Source,
    error::{Error, Problem, Result},
    weights::{ModelFolder, at},
};
use framework_core::{ModelSpec, Param, PluginError, Role};
use framework_registry::Entry;
use serde_json::Value;

/// The key of `config.json` that ties the vocabulary projection to the embeddings.
const TIED: &str = "tie_word_embeddings";

/// A source whose folder has what the architecture declares, under the names that it declares.
///
/// # Errors
/// Quantized weights: [`Error::Invalid`] with the method. What is missing after all is an error where it is read.
pub fn fitted(entry: &Entry, source: Source) -> Result<Source> {
    let Source::Folder(mut folder) = source else { return Ok(source) };
    let spec = declared(entry, &folder)?;
    not_quantized(&folder, &spec)?;
    for param in &spec.params {
        adopt(&mut folder, param);
    }
    untie(entry, &mut folder, &spec)?;
    Ok(Source::Folder(folder))
}

fn declared(entry: &Entry, folder: &ModelFolder) -> Result<ModelSpec> {
    let wrong = |e: PluginError| {
        let file = folder.path().join("config.json");
        Error::invalid(Problem::new(format!("{}: {e}", file.display())).key("model"))
    };
    entry.model(&Value::Object(folder.config().clone())).and_then(|model| model.spec()).map_err(wrong)
}

/// Finds the tensor of a parameter under another name.
fn adopt(folder: &mut ModelFolder, param: &Param) {
    if folder.info(&param.name).is_some() {
        return;
    }
    let short = param.name.split_once('.').map_or("", |(_, rest)| rest).to_owned();
    if folder.info(&short).is_some_and(|info| info.shape == param.shape) {
        folder.alias(&param.name, &short, 0, &param.shape);
    } else if let Some((whole, start)) = fused(folder, param) {
        folder.alias(&param.name, &whole, start, &param.shape);
    }
}

/// The tensor that holds all experts' weights of a kind, and where in it this one's begin: `gate_up_proj` has
/// `[experts, 2 · inner, hidden]`, `down_proj` `[experts, hidden, inner]`. The router's name differs with them.
fn fused(folder: &ModelFolder, param: &Param) -> Option<(String, usize)> {
    let modern = |name: &str| name.replace(".block_sparse_moe.", ".mlp.");
    let Some((before, rest)) = param.name.split_once(".experts.") else {
        let name = modern(&param.name);
        return folder.info(&name).filter(|info| info.shape == param.shape).map(|_| (name, 0));
    };
    let (number, kind) = rest.split_once('.')?;
    let number: usize = number.parse().ok()?;
    let (rows, columns) = (*param.shape.first()?, *param.shape.get(1)?);
    let (name, whole, start) = match kind.strip_suffix(".weight")? {
        "w1" | "gate_proj" => ("gate_up_proj", [2 * rows, columns], 0),
        "w3" | "up_proj" => ("gate_up_proj", [2 * rows, columns], rows * columns),
        "w2" | "down_proj" => ("down_proj", [rows, columns], 0),
        _ => return None,
    };
    let names = [before.to_owned(), modern(&format!("{before}."))];
    let names = names.map(|before| format!("{}.experts.{name}", before.trim_end_matches('.')));
    let fits = |name: &&String| folder.info(name).is_some_and(|info| info.shape.get(1..) == Some(&whole));
    let found = names.iter().find(fits)?;
    Some((found.clone(), number * whole[0] * whole[1] + start))
}

/// Settles whether the vocabulary projection is that of the embeddings.
fn untie(entry: &Entry, folder: &mut ModelFolder, spec: &ModelSpec) -> Result<()> {
    let Some(embedding) = spec.get(&spec.output).filter(|param| param.role == Role::Embedding) else { return Ok(()) };
    let before = folder.config().get(TIED).cloned();
    folder.set(TIED, Some(false.into()));
    // An architecture that is always tied does not know the key, or stays tied.
    let untied = declared(entry, folder).ok();
    let head = untied.as_ref().and_then(|spec| spec.get(&spec.output)).filter(|head| head.role == Role::Output);
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
