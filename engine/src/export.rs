//! What a run has trained, for use elsewhere: a PEFT adapter folder, or a whole Hugging Face model folder.

use crate::{
    assemble,
    infer::{self, trained},
    run::RunFolder,
    session::{PluginSources, Session},
    train::model_type,
};
use framework_base::Float;
use framework_base::files::write_bytes;
use framework_base::{Error, Problem, Result, files};
use framework_core::{Kind, Param, Stored};
use framework_executor::{Device, Network};
use framework_recipe::{Prompt, SaveDtype};
use framework_text::{
    data::{self, Template},
    tokenizer::Tokenizer,
};
use framework_weights as weights;
use framework_weights::{
    AdapterFolder, ModelFolder, SHARD, TensorShape, for_file, save_adapter, save_model, shape_in_files,
};
use serde_json::{Map, Value, json};
use std::{borrow::Cow, fs, path::Path, sync::Arc};

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
    let (model, adapter) = infer::folders(model, Some(adapter))?;
    let registry = sources.open(&[])?;
    let network = assemble::from_folders(&registry, &model, adapter.as_deref(), Device::cpu())?;
    foldable(&network, "in `--adapter`")?;
    let base = ModelFolder::open(&model)?;
    let format = options.dtype.map_or_else(|| stored(&base), Float::from);
    let tokenizer = Tokenizer::load(infer::with_tokenizer(&model, adapter.as_deref()))?;
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
    let tokenizer = infer::tokenizer(run, &session)?;
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

/// The number format of most of a folder's numbers.
fn stored(folder: &ModelFolder) -> Float {
    let mut bytes = [Float::F32, Float::BF16, Float::F16].map(|format| (0, format));
    for info in folder.names().filter_map(|name| folder.info(name)) {
        let format = weights::format_of(info.dtype);
        bytes
            .iter_mut()
            .filter(|(_, f)| Some(*f) == format)
            .for_each(|(n, _)| *n += info.shape.iter().product::<usize>());
    }
    bytes.into_iter().rev().max_by_key(|(n, _)| *n).map_or(Float::F32, |(_, format)| format)
}

/// A whole model folder that is to be written.
pub(crate) struct Whole<'a> {
    /// `config.json`.
    pub config: Map<String, Value>,
    /// The folder of the model that it was made of, for `generation_config.json`.
    pub base: Option<&'a Path>,
    /// The number format.
    pub format: Float,
    /// The bytes of weights that go into one file.
    pub shard: u64,
    /// How prompts are written and answers end.
    pub end: &'a End,
}

const GENERATION: &str = "generation_config.json";

/// What a folder says of prompts and of where answers end: the tokenizer with the chat template that was trained, and
/// all tokens that training ends answers with.
pub(crate) struct End {
    tokenizer: Tokenizer,
    stops: Vec<u32>,
}

impl End {
    /// What training by these prompts comes to.
    pub fn of(prompt: &Prompt, tokenizer: &Tokenizer) -> Result<Self> {
        let stops = Template::of(prompt, tokenizer)?.stops().to_vec();
        let tokenizer = match data::chat_template(prompt, tokenizer) {
            Some(source) if tokenizer.chat_template.as_ref() != Some(&source) => tokenizer.with_chat_template(&source),
            Some(_) => tokenizer.clone(),
            None => {
                tracing::info!(
                    "the recipe's template reads a record's fields; chat templates of other programs read messages: the \
                     tokenizer's files are saved without it"
                );
                tokenizer.clone()
            }
        };
        Ok(Self { tokenizer, stops })
    }

    /// Writes the tokenizer's files and `generation_config.json`: the base model's own, with all end tokens.
    pub fn write(&self, base: Option<&Path>, dir: &Path) -> Result<()> {
        self.tokenizer.save(dir)?;
        let of_base = base.map(|base| base.join(GENERATION)).filter(|file| file.exists());
        let table = match &of_base {
            Some(file) => fs::read(file).map_err(|e| Error::io("read", file, e))?,
            None => Vec::new(),
        };
        let mut table: Map<String, Value> = serde_json::from_slice(&table).unwrap_or_default();
        let t = &self.tokenizer;
        if table.is_empty() {
            table.extend(t.bos.map(|bos| ("bos_token_id".to_owned(), json!(bos))));
            table.insert("pad_token_id".to_owned(), json!(t.pad));
        }
        let mut stops = self.stops.clone();
        let there = table.get("eos_token_id").map(|v| v.as_array().cloned().unwrap_or_else(|| vec![v.clone()]));
        let there = there.into_iter().flatten().filter_map(|id| u32::try_from(id.as_u64()?).ok());
        there.for_each(|id| {
            if !stops.contains(&id) {
                stops.push(id)
            }
        });
        table.insert("eos_token_id".to_owned(), if let [one] = stops[..] { json!(one) } else { json!(stops) });
        write_bytes(&dir.join(GENERATION), format!("{:#}\n", Value::Object(table)).as_bytes())
    }
}

impl Whole<'_> {
    /// Writes the folder; `read` gives a parameter's numbers.
    pub fn write<'a>(
        &self,
        to: &Path,
        params: &[Param],
        mut read: impl FnMut(&str) -> Result<Cow<'a, [f32]>>,
    ) -> Result<()> {
        let shape = |p: &Param| TensorShape { name: p.name.clone(), shape: shape_in_files(p) };
        let shapes: Vec<_> = params.iter().map(shape).collect();
        self.write_tensors(to, &shapes, |name| {
            let turned = params.iter().find(|p| p.name == name && p.stored != Stored::OutIn);
            match turned {
                Some(param) => Ok(Cow::Owned(for_file(param, read(name)?.into_owned()))),
                None => read(name),
            }
        })
    }

    /// Writes a model with its adapter folded in.
    fn write_folded(&self, to: &Path, network: &Arc<Network>) -> Result<()> {
        self.write(to, &network.spec().params, |name| {
            let value = network.merged(name)?.ok_or_else(|| Error::failed(format!("parameter `{name}` was lost")))?;
            Ok(Cow::Owned(value.to_f32()?))
        })
    }

    fn write_tensors<'a>(
        &self,
        to: &Path,
        tensors: &[TensorShape],
        read: impl FnMut(&str) -> Result<Cow<'a, [f32]>>,
    ) -> Result<()> {
        files::write_folder(to, |dir| {
            save_model(dir, &self.config, self.format, tensors, self.shard, read)?;
            self.end.write(self.base, dir)
        })
    }
}

/// A configuration that ties no vocabulary projection that the network has apart from its embeddings.
fn untied(mut config: Map<String, Value>, network: &Network) -> Map<String, Value> {
    let spec = network.spec();
    if spec.get(&spec.output).is_some_and(|param| param.role == framework_core::Role::Output) {
        config.insert("tie_word_embeddings".into(), false.into());
    }
    config
}

/// The `config.json` of a trained model: the base model's own, or the architecture's options and the tokenizer's
/// tokens.
pub(crate) fn model_config(network: &Network, session: &Session, tokenizer: &Tokenizer) -> Result<Map<String, Value>> {
    if let Some(base) = &session.recipe.model.weights {
        let mut config = untied(ModelFolder::open(base)?.config().clone(), network);
        // What was trained computes without these.
        session.recipe.model.ignore_keys.iter().for_each(|key| drop(config.shift_remove(key)));
        return Ok(config);
    }
    let kind = model_type(session)?;
    let about = &session.entry(Kind::Model, &session.recipe.model.plugin)?.about;
    // What is null stays: to leave it out would mean the default of transformers, which may be another.
    let mut config = network.config()?.as_object().cloned().unwrap_or_default();
    config.extend(architecture(&about.aliases, &kind).map(|name| ("architectures".to_owned(), json!([name]))));
    config.insert("model_type".into(), kind.into());
    config.insert("bos_token_id".into(), json!(tokenizer.bos));
    config.insert("eos_token_id".into(), json!(tokenizer.end()));
    // transformers does not train the padding token's embedding, so that it must not be the end token.
    let pad = Some(tokenizer.pad).filter(|pad| !tokenizer.eos.contains(pad));
    if config.get("pad_token_id").is_none_or(Value::is_null) {
        config.insert("pad_token_id".into(), json!(pad));
    }
    Ok(config)
}

/// The class of transformers that is called after a `model_type`: `Phi3ForCausalLM` after `phi3`.
fn architecture<'a>(aliases: &'a [String], kind: &str) -> Option<&'a String> {
    let class = format!("{}forcausallm", kind.replace('_', ""));
    aliases.iter().find(|alias| alias.to_lowercase() == class)
}

/// A run's adapter, if it has come to its end.
pub(crate) fn adapter_folder(run: &RunFolder) -> Result<AdapterFolder> {
    if run.adapter().is_dir() {
        return AdapterFolder::open(&run.adapter());
    }
    let message = format!("the run in {} has not come to its end: it has no adapter yet", run.root().display());
    Err(Error::invalid(Problem::new(message).help("Go on with `framework train RECIPE --resume`.")))
}
