//! Folders of models for use elsewhere: weights, configuration, tokenizer, and where answers end.

use crate::{build::ModelSource, session::Session};
use framework_base::{Error, Float, Result, files, files::write_bytes};
use framework_core::{Kind, Param, Stored};
use framework_executor::Network;
use framework_recipe::Prompt;
use framework_text::{
    data::{self, Template},
    tokenizer::Tokenizer,
};
use framework_weights as weights;
use framework_weights::{ModelFolder, TensorShape, for_file, save_model, shape_in_files};
use serde_json::{Map, Value, json};
use std::{borrow::Cow, fs, path::Path, sync::Arc};

/// The number format of most of a folder's numbers.
pub(crate) fn stored(folder: &ModelFolder) -> Float {
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

pub(crate) const GENERATION: &str = "generation_config.json";

/// What a folder says of prompts and of where answers end: the tokenizer with the chat template that was trained, and
/// all tokens that training ends answers with.
pub(crate) struct End {
    pub tokenizer: Tokenizer,
    pub stops: Vec<u32>,
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
        read: impl FnMut(&str) -> Result<Cow<'a, [f32]>>,
    ) -> Result<()> {
        files::write_folder(to, |dir| self.fill(dir, params, read))
    }

    /// [`Whole::write`], into a folder that is being filled.
    fn fill<'a>(
        &self,
        dir: &Path,
        params: &[Param],
        mut read: impl FnMut(&str) -> Result<Cow<'a, [f32]>>,
    ) -> Result<()> {
        let shape = |p: &Param| TensorShape { name: p.name.clone(), shape: shape_in_files(p) };
        let shapes: Vec<_> = params.iter().map(shape).collect();
        let read = |name: &str| {
            let turned = params.iter().find(|p| p.name == name && p.stored != Stored::OutIn);
            match turned {
                Some(param) => Ok(Cow::Owned(for_file(param, read(name)?.into_owned()))),
                None => read(name),
            }
        };
        save_model(dir, &self.config, self.format, &shapes, self.shard, read)?;
        self.end.write(self.base, dir)
    }

    /// Writes a model with its adapter folded in, into a folder that is being filled.
    pub fn fill_folded(&self, dir: &Path, network: &Arc<Network>) -> Result<()> {
        self.fill(dir, &network.spec().params, |name| {
            let value = network.merged(name)?.ok_or_else(|| Error::failed(format!("parameter `{name}` was lost")))?;
            Ok(Cow::Owned(value.to_f32()?))
        })
    }
}

/// A configuration that ties no vocabulary projection that the network has apart from its embeddings.
pub(crate) fn untied(mut config: Map<String, Value>, network: &Network) -> Map<String, Value> {
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

/// What Hugging Face calls the architecture: the base model's `model_type`, or the plugin's.
pub(crate) fn model_type(session: &Session) -> Result<String> {
    let recipe = &session.recipe;
    let source = ModelSource::of(recipe)?;
    if let Some(kind) = source.config().get("model_type").and_then(|v| v.as_str()) {
        return Ok(kind.to_owned());
    }
    let about = &session.entry(Kind::Model, &recipe.model.plugin)?.about;
    Ok(about.aliases.first().unwrap_or(&about.name).clone())
}
