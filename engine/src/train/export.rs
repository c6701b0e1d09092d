//! What a run leaves behind: the adapter in PEFT's format, or the whole model as a Hugging Face folder.

use super::Prepared;
use crate::{
    build::{numbers, peft_key, replaced},
    run::RunFolder,
    save::{End, Whole, model_config},
};
use framework_base::{Error, Result, files};
use framework_core::Param;
use framework_hub as hub;
use framework_weights::{AdapterFolder, SHARD, TensorShape, for_file, save_adapter, shape_in_files};
use std::{borrow::Cow, collections::BTreeMap, path::PathBuf};

/// Writes the run's `adapter/` or `model/` and returns which.
pub(super) fn export(run: &RunFolder, prepared: &Prepared) -> Result<PathBuf> {
    let Prepared { session, network, tokenizer, .. } = prepared;
    let (base, format) = (session.recipe.model.weights.as_deref(), prepared.format());
    let plan = network.plan();
    let end = End::of(&session.recipe.prompt, tokenizer)?;
    let folder = base;
    let Some(peft) = &plan.peft_config else {
        let config = model_config(network, session, tokenizer)?;
        let whole = Whole { config, base, format, shard: SHARD, end: &end };
        let path = run.model();
        whole.write(&path, &network.spec().params, |name| Ok(Cow::Owned(numbers(network, name)?)))?;
        return Ok(path);
    };
    let config = peft.as_object().ok_or_else(|| Error::failed("the adapter's PEFT configuration is not an object"))?;
    let mut config = config.clone();
    let id = base.and_then(hub::id_of);
    let base = match &id {
        Some(id) => Some(id.name.clone()),
        None => base.map(|b| b.display().to_string()),
    };
    if let Some(id) = id {
        config.insert("revision".into(), id.revision.into());
    }
    let mut saved = network.adapted();
    if let Some(start) = &session.recipe.adapter.init_from {
        saved.extend(replaced(network, &AdapterFolder::open(start)?));
    }
    if !plan.saved.is_empty() {
        let values: BTreeMap<_, _> = plan.saved.iter().map(|(name, _)| name.as_str()).zip(network.saved()?).collect();
        let shape = |(name, shape): &(String, Vec<usize>)| TensorShape { name: name.clone(), shape: shape.clone() };
        let tensors: Vec<_> = plan.saved.iter().map(shape).collect();
        let read = |name: &str| match values.get(name) {
            Some(value) => Ok(Cow::Owned(value.to_f32()?)),
            None => Err(Error::failed(format!("the adapter did not give `{name}`"))),
        };
        files::write_folder(&run.adapter(), |dir| {
            save_adapter(dir, &config, base.as_deref(), format, &tensors, read)?;
            end.write(folder, dir)
        })?;
        return Ok(run.adapter());
    }
    let keys: BTreeMap<String, &Param> = saved.iter().map(|p| (peft_key(network, &p.name), *p)).collect();
    let shape = |p: &&Param| TensorShape { name: peft_key(network, &p.name), shape: shape_in_files(p) };
    let tensors: Vec<_> = saved.iter().map(shape).collect();
    let read = |key: &str| Ok(Cow::Owned(for_file(keys[key], numbers(network, &keys[key].name)?)));
    let path = run.adapter();
    files::write_folder(&path, |dir| {
        save_adapter(dir, &config, base.as_deref(), format, &tensors, read)?;
        end.write(folder, dir)
    })?;
    Ok(path)
}
