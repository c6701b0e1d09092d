//! From a recipe to a network: what is built, where it is put, and what it starts with.

pub(crate) mod blueprint;
mod fit;
mod freeze;
pub(crate) mod inherit;
pub(crate) mod init;
pub(crate) mod needs;
mod placement;
mod source;

pub use placement::Placement;
pub(crate) use placement::{Keeping, asked};
pub use source::ModelSource;

use crate::session::Session;
use framework_base::{Error, Float, Problem, Result};
use framework_core::{Kind, ModelSpec, Param, Role, Stored, ffi::AdapterObject, ffi::HostTensor};
use framework_executor::{Network, Parts, Storage, Value, words_of_halves};
use framework_hub as hub;
use framework_hub::Use;
use framework_recipe::Train;
use framework_registry::Registry;
use framework_weights as weights;
use framework_weights::{AdapterFolder, MERGE_ELSEWHERE, ModelFolder, from_file, shape_in_files};
use init::initial;
use needs::Has;
use serde_json::Value as Json;
use std::{collections::BTreeSet, path::Path, sync::Arc};

/// The network of a recipe: base model and, with `adapted`, the adapter at its start.
pub fn network(session: &Session, place: Placement, adapted: bool) -> Result<Arc<Network>> {
    let recipe = &session.recipe;
    download(session)?;
    let source = ModelSource::of(recipe)?;
    let adapter = if adapted { Some(session.adapter()?) } else { None };
    let (registry, plugin, train) = (&session.registry, &recipe.model.plugin, Some(&recipe.train));
    let network = build_for(train, registry, plugin, source, adapter, place, recipe.seed)?;
    if let (true, Some(folder)) = (adapted, &recipe.adapter.init_from) {
        load_adapter(&network, &AdapterFolder::open(folder)?)?;
    }
    Ok(network)
}

/// The network of a recipe with the adapter of a folder, which is still to be loaded.
pub(crate) fn network_with(session: &Session, place: Placement, folder: &AdapterFolder) -> Result<Arc<Network>> {
    let recipe = &session.recipe;
    download(session)?;
    let config = Json::Object(folder.config.clone());
    let entry = inherit::entry(&session.registry, &config, folder.path())?;
    let options = inherit::options(entry, &config, folder.path())?;
    let adapter = entry.adapter(&options).map_err(|e| Error::invalid(Problem::new(e.to_string())))?;
    build(&session.registry, &recipe.model.plugin, ModelSource::of(recipe)?, Some(adapter), place, recipe.seed)
}

/// Weights that the recipe names by an id on the hub.
fn download(session: &Session) -> Result<()> {
    let recipe = &session.recipe;
    let of_model = recipe.model.weights.as_ref().map_or(Ok(()), |folder| hub::complete(folder, Use::Model));
    of_model.map_err(|e| e.about("model.weights"))?;
    let of_adapter = recipe.adapter.init_from.as_ref().map_or(Ok(()), |folder| hub::complete(folder, Use::Adapter));
    of_adapter.map_err(|e| e.about("adapter.init_from"))
}

/// Builds a network and gives every parameter its value.
pub fn build(
    registry: &Registry,
    plugin: &str,
    source: ModelSource,
    adapter: Option<AdapterObject>,
    place: impl Into<Placement>,
    seed: u64,
) -> Result<Arc<Network>> {
    build_for(None, registry, plugin, source, adapter, place, seed)
}

/// [`build`], to be trained with these settings.
fn build_for(
    train: Option<&Train>,
    registry: &Registry,
    plugin: &str,
    source: ModelSource,
    adapter: Option<AdapterObject>,
    place: impl Into<Placement>,
    seed: u64,
) -> Result<Arc<Network>> {
    let place = place.into();
    let entry = registry.find(Kind::Model, plugin);
    let entry = entry.map_err(|unknown| Error::invalid(Problem::new(unknown.to_string()).key("model.plugin")))?;
    let wrong =
        |key: &'static str| move |e: framework_core::PluginError| Error::invalid(Problem::new(e.to_string()).key(key));
    let source = &fit::fitted(entry, source)?;
    let model = entry.model(&source.config().clone().into()).map_err(wrong("model"))?;
    let labels = [model.plugin().to_owned(), adapter.as_ref().map_or(String::new(), |a| a.plugin().to_owned())];
    let device = place.device.clone();
    let mut network = Network::new(Parts { model, adapter, device }).map_err(wrong("adapter"))?;
    let mut still = BTreeSet::new();
    if let Some(train) = train {
        still = freeze::frozen(&train.freeze, network.plan())?;
        network.freeze(&still)?;
        network.set_noise(train.neftune_alpha.unwrap_or(0.0));
    }
    let (spec, plan) = (network.spec(), network.plan());
    Has::at(&place, spec, plan, &still)?.meet(&[(&labels[0], &spec.needs), (&labels[1], &plan.needs)])?;
    let Placement { frozen, precision, double_quant, .. } = place;
    let keeping = Keeping::of(network.plan(), &still, frozen, precision, double_quant)?;
    for param in &network.spec().params {
        let value = match source {
            ModelSource::Folder(folder) => loaded(folder, param, &keeping, &network)?,
            ModelSource::Gguf(model) => {
                let numbers = from_file(param, model.tensor(&param.name)?);
                kept(&network, param, numbers, keeping.storage(param, None))?
            }
            ModelSource::Scratch(_) => {
                let numbers = start(network.spec(), param, seed)?;
                kept(&network, param, numbers, keeping.storage(param, None))?
            }
        };
        network.set(&param.name, value)?;
    }
    if let ModelSource::Folder(folder) = source {
        let extra = folder.unexpected(|name| is_expected(network.spec(), name));
        if !extra.is_empty() {
            tracing::warn!(
                "{} holds tensors that the model does not use: {}",
                folder.path().display(),
                extra.join(", ")
            );
        }
    }
    for param in &network.plan().params {
        put(&network, param, initial(param, seed)?)?;
    }
    let network = Arc::new(network);
    network.start_adapter()?;
    Ok(network)
}

/// A parameter of a folder, kept as is decided for it.
fn loaded(folder: &ModelFolder, param: &Param, keeping: &Keeping, network: &Network) -> Result<Value> {
    let format = folder.info(&param.name).and_then(|info| weights::format_of(info.dtype));
    let storage = keeping.storage(param, format);
    match format.filter(|format| *format != Float::F32 && storage == Storage::of(*format)) {
        // As it is in the file.
        Some(format) => {
            folder.check(&param.name, &shape_in_files(param))?;
            let words = match param.stored {
                Stored::OutIn => folder.words(&param.name)?,
                _ => words_of_halves(&from_file(param, folder.halves(&param.name)?)),
            };
            Ok(Value::from_halves(words, format, &param.shape, network.device())?)
        }
        // Of other formats, and of tensors that are missing, the reader knows what to say.
        None => kept(network, param, read(folder, param)?, storage),
    }
}

fn kept(network: &Network, param: &Param, numbers: Vec<f32>, storage: Storage) -> Result<Value> {
    let value = Value::stored(numbers, &param.shape, storage, network.device());
    value.map_err(|e| {
        let problem = Problem::new(format!("`{}`: {}", param.name, e.message)).key("backend.frozen");
        Error::invalid(Problem { help: e.help.as_deref().map(str::to_owned), ..problem })
    })
}

fn read(folder: &ModelFolder, param: &Param) -> Result<Vec<f32>> {
    Ok(from_file(param, folder.tensor_shaped(&param.name, &shape_in_files(param))?))
}

/// Whether a tensor of a folder is a parameter, or something that the architecture says is left over. The first part of
/// its name may be missing.
fn is_expected(spec: &ModelSpec, name: &str) -> bool {
    let extra = |extra: &String| extra == name || extra.split_once('.').is_some_and(|(_, short)| short == name);
    spec.get(name).is_some() || spec.extra.iter().any(extra)
}

/// How a parameter of a model starts from scratch.
pub(crate) fn start(spec: &ModelSpec, param: &Param, seed: u64) -> Result<Vec<f32>> {
    match spec.values.get(&param.name).filter(|values| !values.is_empty()) {
        Some(values) => Ok(values.iter().map(|value| *value as f32).cycle().take(param.len()).collect()),
        None => Ok(initial(param, seed)?),
    }
}

/// Sets a parameter to these numbers, row by row.
pub(crate) fn put(network: &Network, param: &Param, data: Vec<f32>) -> Result<()> {
    Ok(network.set(&param.name, Value::from_f32(data, &param.shape, network.device())?)?)
}

/// The key under which PEFT saves a trained parameter: an adapter's own goes by its name; a base parameter is
/// prefixed, and said to be of the `base_layer` where the adapter wraps its module.
pub fn peft_key(network: &Network, name: &str) -> String {
    let plan = network.plan();
    if plan.params.iter().any(|p| p.name == name) {
        return name.to_owned();
    }
    let (module, leaf) = name.rsplit_once('.').unwrap_or(("", name));
    let wrapped = if plan.sites.iter().any(|site| site == module) { ".base_layer" } else { "" };
    format!("base_model.model.{}{wrapped}.{leaf}", network.spec().peft_name(module))
}

/// Reads a PEFT adapter's weights into the adapter that a network has.
pub fn load_adapter(network: &Network, folder: &AdapterFolder) -> Result<()> {
    let mut keys = BTreeSet::new();
    for param in network.adapted() {
        let key = peft_key(network, &param.name);
        put(network, param, from_file(param, folder.tensors.tensor_shaped(&key, &shape_in_files(param))?))?;
        keys.insert(key);
    }
    for param in replaced(network, folder) {
        if !network.plan().frozen.is_empty() && network.plan().sites.iter().any(|site| site == param.module()) {
            let message = format!(
                "{} holds what is left of `{}`, which its adapter takes apart",
                folder.path().display(),
                param.module()
            );
            let help = "Save it with PEFT's `save_pretrained(FOLDER, save_embedding_layers=False)`.";
            return Err(Error::invalid(Problem::new(message).key("adapter.init_from").help(help)));
        }
        let key = peft_key(network, &param.name);
        put(network, param, from_file(param, folder.tensors.tensor_shaped(&key, &shape_in_files(param))?))?;
        keys.insert(key);
    }
    let copy = tied_copy(network);
    let unknown = |name: &&str| !keys.contains(*name) && *name != copy;
    let extra: Vec<_> = folder.tensors.names().filter(unknown).take(4).collect();
    if extra.is_empty() {
        return Ok(());
    }
    let path = folder.path().display();
    let message = format!("the adapter in {path} trains more than this recipe's: {}", extra.join(", "));
    let help = "Give the same targets and layers as in its adapter_config.json.";
    Err(Error::invalid(Problem::new(message).key("adapter.targets").help(help)))
}

/// Embeddings and vocabulary projection that an adapter's file has beside what is trained: PEFT saves them where they
/// have been changed, and puts them in the place of the base model's.
pub fn replaced<'a>(network: &'a Network, folder: &AdapterFolder) -> Vec<&'a Param> {
    let of_vocabulary = |p: &&Param| matches!(p.role, Role::Embedding | Role::Output);
    let there = |p: &&Param| folder.tensors.info(&peft_key(network, &p.name)).is_some();
    let params = network.spec().params.iter().filter(of_vocabulary);
    let own = network.plan().trained_names();
    params.filter(|p| !own.contains(&p.name)).filter(there).collect()
}

/// The name under which PEFT saves embeddings for the second time where the vocabulary projection is tied to them.
fn tied_copy(network: &Network) -> &'static str {
    let tied = network.spec().get(&network.spec().output).is_some_and(|p| p.role == Role::Embedding);
    if tied { "base_model.model.lm_head.weight" } else { "" }
}

/// A model folder with, maybe, a PEFT adapter folder on it, for evaluation and generation.
pub fn from_folders(
    registry: &Registry,
    model: &Path,
    adapter: Option<&Path>,
    place: impl Into<Placement>,
) -> Result<Arc<Network>> {
    from_folders_without(registry, model, adapter, place, &[])
}

/// [`from_folders`], without some keys of `config.json`.
pub(crate) fn from_folders_without(
    registry: &Registry,
    model: &Path,
    adapter: Option<&Path>,
    place: impl Into<Placement>,
    ignored: &[String],
) -> Result<Arc<Network>> {
    let source = ModelSource::Folder(Box::new(ModelFolder::open(model)?)).without(ignored);
    let kind = source.config().get("model_type").and_then(Json::as_str).unwrap_or_default();
    let entry = registry.by_alias(Kind::Model, kind).map_err(|unknown| {
        let message = format!("{}: config.json has the model_type `{kind}`; {unknown}", model.display());
        Error::invalid(Problem::new(message))
    })?;
    fit::warn_of_unused(entry, &source);
    let name = entry.about.name.clone();
    let Some(folder) = adapter else { return build(registry, &name, source, None, place, 0) };
    let folder = AdapterFolder::open(folder)?;
    let config = Json::Object(folder.config.clone());
    let entry = inherit::entry(registry, &config, folder.path())?;
    let options = inherit::options(entry, &config, folder.path())?;
    let invalid = |message: String| Error::invalid(Problem::new(message));
    let adapter = entry.adapter(&options).map_err(|e| invalid(e.to_string()))?;
    let network = build(registry, &name, source, Some(adapter), place, 0).map_err(|e| only_peft(e, &folder))?;
    for lost in &network.plan().unmatched {
        tracing::warn!("{}: {lost}", folder.path().display());
    }
    load_adapter(&network, &folder)?;
    Ok(network)
}

/// What an adapter's plugin refuses of a folder, with a way on.
fn only_peft(e: Error, folder: &AdapterFolder) -> Error {
    let Error::Invalid(mut problems) = e else { return e };
    for problem in problems.iter_mut().filter(|p| p.key.as_deref() == Some("adapter") && p.help.is_none()) {
        problem.key = None;
        problem.message = format!("{}: {}", folder.path().display(), problem.message);
        problem.help = Some(MERGE_ELSEWHERE.into());
    }
    Error::Invalid(problems)
}

/// Shapes of parameters, for files.
pub fn shapes<'a>(params: impl IntoIterator<Item = &'a Param>) -> Vec<framework_weights::TensorShape> {
    params
        .into_iter()
        .map(|p| framework_weights::TensorShape { name: p.name.clone(), shape: p.shape.clone() })
        .collect()
}

/// A parameter's numbers, for files.
pub fn numbers(network: &Network, name: &str) -> Result<Vec<f32>> {
    let value = network.param(name).ok_or_else(|| Error::failed(format!("parameter `{name}` was lost")))?;
    debug_assert!(!value.shape().is_empty());
    Ok(value.to_f32()?)
}
