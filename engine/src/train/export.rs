//! What a run leaves behind: the adapter in PEFT's format, or the whole model as a Hugging Face folder.

use crate::{
    assemble::{numbers, peft_key, shapes},
    error::{Error, Result},
    executor::Network,
    files,
    run::RunFolder,
    tokenizer::Tokenizer,
    weights::{Float, ModelFolder, TensorShape, save_adapter, save_model},
};
use serde_json::{Map, Value};
use std::{
    borrow::Cow,
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// Writes the run's `adapter/` or `model/` and returns which. `base` is the base model's folder, `kind` its
/// `model_type`.
pub(super) fn export(
    run: &RunFolder,
    network: &Network,
    base: Option<&Path>,
    kind: &str,
    format: Float,
    tokenizer: &Tokenizer,
) -> Result<PathBuf> {
    let plan = network.plan();
    let Some(peft) = &plan.peft_config else {
        let config = model_config(network, base, kind)?;
        let read = |name: &str| Ok(Cow::Owned(numbers(network, name)?));
        let path = run.model();
        files::write_folder(&path, |dir| {
            save_model(dir, &config, format, &shapes(&network.spec().params), read)?;
            tokenizer.save(dir)
        })?;
        return Ok(path);
    };
    let config = peft.as_object().ok_or_else(|| Error::failed("the adapter's PEFT configuration is not an object"))?;
    let base = base.map(|b| b.display().to_string());
    let keys: BTreeMap<String, &str> =
        network.trained().iter().map(|p| (peft_key(network, &p.name), p.name.as_str())).collect();
    let tensors: Vec<_> = network
        .trained()
        .iter()
        .map(|p| TensorShape { name: peft_key(network, &p.name), shape: p.shape.clone() })
        .collect();
    let read = |key: &str| Ok(Cow::Owned(numbers(network, keys[key])?));
    let path = run.adapter();
    files::write_folder(&path, |dir| save_adapter(dir, config, base.as_deref(), format, &tensors, read))?;
    Ok(path)
}

/// The `config.json` of a trained model: the base model's own, or the architecture's options.
fn model_config(network: &Network, base: Option<&Path>, kind: &str) -> Result<Map<String, Value>> {
    if let Some(base) = base {
        return Ok(ModelFolder::open(base)?.config().clone());
    }
    let mut config = network.config()?.as_object().cloned().unwrap_or_default();
    config.retain(|_, value| !value.is_null());
    config.insert("model_type".into(), kind.into());
    Ok(config)
}
