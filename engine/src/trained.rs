//! What was trained, found again: in a run's folder, or in folders that the command line names.

use crate::{
    build::{self, ModelSource, Placement, blueprint},
    pipeline,
    run::RunFolder,
    session::Session,
};
use framework_base::{Error, Problem, Result};
use framework_executor::Network;
use framework_hub as hub;
use framework_hub::Use;
use framework_text::tokenizer::Tokenizer;
use framework_weights::{AdapterFolder, ModelFolder};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

/// The tokenizer of a run: the one that was trained with it, or the recipe's.
pub fn tokenizer(run: &RunFolder, session: &Session) -> Result<Tokenizer> {
    match run.tokenizer() {
        trained if trained.is_dir() => Tokenizer::load(&trained),
        _ => pipeline::tokenizer(session),
    }
}

/// The network that a run has trained.
pub fn trained(run: &RunFolder, session: &Session, place: impl Into<Placement>) -> Result<Arc<Network>> {
    if run.model().is_dir() {
        let source = ModelSource::Folder(Box::new(ModelFolder::open(&run.model())?));
        let source = source.without(&session.recipe.model.ignore_keys);
        return build::build(&session.registry, &session.recipe.model.plugin, source, None, place, 0);
    }
    trained_by(session, adapter_folder(run)?.path(), place)
}

/// The network of a run with an adapter folder that is its own, or was made from it.
pub(crate) fn trained_by(session: &Session, adapter: &Path, place: impl Into<Placement>) -> Result<Arc<Network>> {
    let adapter = AdapterFolder::open(adapter)?;
    let network = match session.adapter()?.plan(&blueprint::spec(session)?)?.saved.is_empty() {
        true => build::network(session, place.into(), true)?,
        // PEFT's file holds what the parameters give, and says how it is to be read.
        false => build::network_with(session, place.into(), &adapter)?,
    };
    build::load_adapter(&network, &adapter)?;
    Ok(network)
}

/// Where a model and an adapter are that the command line names by folders or by ids on the hub.
pub(crate) fn folders(model: &Path, adapter: Option<&Path>) -> Result<(PathBuf, Option<PathBuf>)> {
    let model = hub::folder(model, Use::Model).map_err(|e| e.about("--model")).and_then(model_folder);
    let adapter = adapter.map(|adapter| hub::folder(adapter, Use::Adapter).map_err(|e| e.about("--adapter")));
    Error::both(model, adapter.transpose())
}

/// A folder that can be a model's; of others, what they are.
fn model_folder(folder: PathBuf) -> Result<PathBuf> {
    let (shown, holds) = (folder.display(), |file: &str| folder.join(file).is_file());
    let (message, help) = match () {
        () if holds("config.json") => return Ok(folder),
        () if !folder.exists() => (
            format!("there is no folder {shown}"),
            "Give a Hugging Face model folder, or an id on the hub: owner/name.".to_owned(),
        ),
        () if holds("adapter_config.json") => (
            format!("{shown} holds an adapter, not a model"),
            format!("Give the model that it was trained on: --model DIR --adapter {shown}."),
        ),
        () if holds("recipe.toml") => (
            format!("{shown} is a run's folder, not a model's"),
            "Leave --model out: its name alone is enough.".to_owned(),
        ),
        // What lies in it instead, the reader of model folders says.
        () => return Ok(folder),
    };
    Err(Error::invalid(Problem::new(message).key("--model").help(help)))
}

/// The folder whose tokenizer and chat template count: the adapter's, if it has them.
pub(crate) fn with_tokenizer<'a>(model: &'a Path, adapter: Option<&'a Path>) -> &'a Path {
    adapter.filter(|adapter| adapter.join("tokenizer.json").is_file()).unwrap_or(model)
}

/// A run's adapter, if it has come to its end.
pub(crate) fn adapter_folder(run: &RunFolder) -> Result<AdapterFolder> {
    if run.adapter().is_dir() {
        return AdapterFolder::open(&run.adapter());
    }
    let message = format!("the run in {} has not come to its end: it has no adapter yet", run.root().display());
    Err(Error::invalid(Problem::new(message).help("Go on with `framework train RECIPE --resume`.")))
}
