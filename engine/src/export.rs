//! What a run has trained, for use elsewhere: a PEFT adapter folder, or a whole Hugging Face model folder.

use crate::{
    build,
    run::RunFolder,
    save::{End, GENERATION, Whole, model_config, stored, untied},
    session::{PluginSources, Session},
    trained::{self, adapter_folder, trained},
};
use framework_base::{Error, Float, Problem, Result, files, files::write_bytes};
use framework_executor::{Device, Network};
use framework_recipe::SaveDtype;
use framework_text::tokenizer::Tokenizer;
use framework_weights as weights;
use framework_weights::{ModelFolder, SHARD, TensorShape, save_adapter};
use std::{borrow::Cow, fs, path::Path};

/// What is exported, and how.
#[derive(Debug, Clone)]
pub struct Options {
    /// Fold the adapter into the base model, and write that.
    pub merge: bool,
    /// The number format; none: as the base model, or what was trained, is stored.
    pub dtype: Option<SaveDtype>,
    /// The bytes of weights that go into one file.
    pub shard: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self { merge: false, dtype: None, shard: SHARD }
    }
}

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exported {
    /// An adapter, for the base model.
    Adapter,
    /// A model, complete.
    Model,
}

/// Writes what a run has trained into a new folder, which appears when it is whole.
///
/// # Errors
/// The folder is there already; the run has not come to its end; the adapter cannot be merged; the number format cannot
/// hold the numbers; a full disk.
pub fn export(run: &Path, to: &Path, options: &Options, sources: &PluginSources) -> Result<Exported> {
    let run = RunFolder::open(run)?;
    let to = free(to)?;
    match (run.model().is_dir(), options.merge) {
        (true, _) => model(&run, &to, options)?,
        (false, true) => merged(&run, &to, options, sources)?,
        (false, false) => {
            adapter(&run, &to, options)?;
            return Ok(Exported::Adapter);
        }
    }
    Ok(Exported::Model)
}

/// Folds an adapter folder into a model folder and writes the whole model into a new folder.
///
/// # Errors
/// As those of [`export`].
pub fn fold(model: &Path, adapter: &Path, to: &Path, options: &Options, sources: &PluginSources) -> Result<()> {
    let to = free(to)?;
    let (model, adapter) = trained::folders(model, Some(adapter))?;
    let registry = sources.open(&[])?;
    let network = build::from_folders(&registry, &model, adapter.as_deref(), Device::cpu())?;
    foldable(&network, "in `--adapter`")?;
    let base = ModelFolder::open(&model)?;
    let format = options.dtype.map_or_else(|| stored(&base), Float::from);
    let tokenizer = Tokenizer::load(trained::with_tokenizer(&model, adapter.as_deref()))?;
    let end = End { stops: tokenizer.eos.clone(), tokenizer };
    let config = untied(base.config().clone(), &network);
    let whole = Whole { config, base: Some(&model), format, shard: options.shard, end: &end };
    whole.write_folded(&to, &network)
}

/// Whether an adapter can be folded into weights.
fn foldable(network: &Network, name: &str) -> Result<()> {
    if network.virtual_tokens().count() == 0 {
        return Ok(());
    }
    let message = format!("the adapter {name} puts virtual tokens before each sequence, which no weight can hold");
    Err(Error::invalid(Problem::new(message).key("--merge").help("export it as it is, without --merge")))
}

/// The absolute path of a folder that is to be made.
fn free(to: &Path) -> Result<std::path::PathBuf> {
    let occupied = fs::read_dir(to).map_or_else(|_| to.exists(), |mut entries| entries.next().is_some());
    if occupied {
        let problem = Problem::new(format!("{} is there already", to.display())).key("--to");
        return Err(Error::invalid(problem.help("give a new folder's name, or remove this one first")));
    }
    let to = std::path::absolute(to).map_err(|e| Error::io("find", to, e))?;
    to.parent().map_or(Ok(()), files::create_dir)?;
    Ok(to)
}

/// The model that a run has trained whole.
fn model(run: &RunFolder, to: &Path, options: &Options) -> Result<()> {
    let source = ModelFolder::open(&run.model())?;
    let shape = |name: &str| TensorShape {
        name: name.to_owned(),
        shape: source.info(name).map_or(vec![], |i| i.shape.clone()),
    };
    let tensors: Vec<_> = source.names().map(shape).collect();
    let format = options.dtype.map_or_else(|| stored(&source), Float::from);
    let tokenizer = Tokenizer::load(source.path())?;
    let config = source.config().clone();
    let end = End { stops: tokenizer.eos.clone(), tokenizer };
    let whole = Whole { config, base: Some(source.path()), format, shard: options.shard, end: &end };
    whole.write_tensors(to, &tensors, |name| Ok(Cow::Owned(source.tensor(name)?)))
}

/// The base model with the adapter folded in.
fn merged(run: &RunFolder, to: &Path, options: &Options, sources: &PluginSources) -> Result<()> {
    let session = Session::open(&run.recipe(), &[], sources)?;
    let network = trained(run, &session, Device::cpu())?;
    foldable(&network, &format!("`{}`", session.recipe.adapter.plugin))?;
    let base = session.recipe.model.weights.as_deref();
    let format = match (options.dtype, base) {
        (Some(dtype), _) => dtype.into(),
        (None, Some(base)) => stored(&ModelFolder::open(base)?),
        (None, None) => session.recipe.train.save_dtype.into(),
    };
    let tokenizer = trained::tokenizer(run, &session)?;
    let config = model_config(&network, &session, &tokenizer)?;
    let end = End::of(&session.recipe.prompt, &tokenizer)?;
    let whole = Whole { config, base, format, shard: options.shard, end: &end };
    whole.write_folded(to, &network)
}

/// The adapter, and the tokenizer if it is the run's own.
fn adapter(run: &RunFolder, to: &Path, options: &Options) -> Result<()> {
    let folder = adapter_folder(run)?;
    let tensors = &folder.tensors;
    let shape = |name: &str| TensorShape {
        name: name.to_owned(),
        shape: tensors.info(name).map_or(vec![], |i| i.shape.clone()),
    };
    let stored =
        tensors.names().next().and_then(|name| weights::format_of(tensors.info(name)?.dtype)).unwrap_or_default();
    let format = options.dtype.map_or(stored, Float::from);
    let shapes: Vec<_> = tensors.names().map(shape).collect();
    files::write_folder(to, |dir| {
        let read = |name: &str| Ok(Cow::Owned(tensors.tensor(name)?));
        save_adapter(dir, &folder.config, folder.base_model(), format, &shapes, read)?;
        // Those of older runs lie in the run's folder, or with the base model.
        match folder.path() {
            own if own.join("tokenizer.json").is_file() => {
                Tokenizer::load(own)?.save(dir)?;
                copy(&own.join(GENERATION), &dir.join(GENERATION))
            }
            _ if run.tokenizer().is_dir() => Tokenizer::load(&run.tokenizer())?.save(dir),
            _ => Ok(()),
        }
    })
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    let bytes = fs::read(from).map_err(|e| Error::io("read", from, e))?;
    write_bytes(to, &bytes)
}
