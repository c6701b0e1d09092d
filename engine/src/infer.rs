//! A model that answers: for `generate`, `chat` and sampling.

use crate::{
    assemble,
    data::Template,
    error::{Error, Problem, Result},
    executor::{Device, Network},
    export::adapter_folder,
    generate::Generator,
    hub::{self, Use},
    recipe,
    run::RunFolder,
    session::{PluginSources, Session},
    tokenizer::Tokenizer,
    train::{Summary, encoder},
    weights::ModelFolder,
};
use framework_core::{Kind, Record, ffi::DecoderObject};
use serde::Serialize;
use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};

/// A model, its tokenizer, its prompt template and a decoder.
pub struct Speaker {
    session: Session,
    network: Arc<Network>,
    tokenizer: Tokenizer,
    template: Template,
    decoder: DecoderObject,
    /// Whether the model was trained on whole texts, which it continues, rather than on instructions.
    on_text: bool,
}

/// An answer.
#[derive(Debug, Clone, Serialize)]
pub struct Reply {
    /// The text, without special tokens.
    pub text: String,
    /// The new tokens.
    pub token_ids: Vec<u32>,
    /// New tokens per second.
    pub tokens_per_second: f64,
}

/// `temperature=1` is `generate.temperature=1`.
fn generation_overrides(overrides: &[String]) -> Vec<String> {
    let full = |o: &String| match o.split_once('=') {
        Some((key, _)) if !key.contains('.') => format!("generate.{o}"),
        _ => o.clone(),
    };
    overrides.iter().map(full).collect()
}

impl Speaker {
    /// What a run has trained.
    pub fn of_run(root: &Path, overrides: &[String], sources: &PluginSources) -> Result<Self> {
        let run = RunFolder::open(root)?;
        let session = Session::open(&run.recipe(), &generation_overrides(overrides), sources)?;
        let device = Device::open(&session.recipe.backend)?;
        let network = trained(&run, &session, device)?;
        let tokenizer = tokenizer(&run, &session)?;
        let on_text = Summary::read(&run).is_some_and(|summary| summary.trained_on_text);
        Self::new(session, network, tokenizer, on_text)
    }

    /// A model folder with, maybe, a PEFT adapter on it. Without a recipe the prompt template is the tokenizer's own
    /// chat template or, if it has none, the prompt alone.
    pub fn of_folders(
        model: &Path,
        adapter: Option<&Path>,
        overrides: &[String],
        sources: &PluginSources,
    ) -> Result<Self> {
        let (model, adapter) = folders(model, adapter)?;
        let (model, adapter) = (model.as_path(), adapter.as_deref());
        let tokenizer = Tokenizer::load(model)?;
        let template = if tokenizer.chat_template.is_some() { "chat" } else { "plain" };
        let session = bare_session(model, template, &generation_overrides(overrides), sources)?;
        let device = Device::open(&session.recipe.backend)?;
        let network = assemble::from_folders(&session.registry, model, adapter, device)?;
        Self::new(session, network, tokenizer, false)
    }

    fn new(session: Session, network: Arc<Network>, tokenizer: Tokenizer, on_text: bool) -> Result<Self> {
        let template = Template::new(&session.recipe.prompt.template, &tokenizer)?;
        let decoder = session.decoder()?;
        Ok(Self { session, network, tokenizer, template, decoder, on_text })
    }

    /// Answers an instruction, or continues it as it is if `raw`. `stream` gets the text piece by piece where the
    /// decoder allows it.
    pub fn reply(&self, prompt: &str, raw: bool, stream: &mut dyn FnMut(&str)) -> Result<Reply> {
        let ids = if raw {
            self.tokenizer.encode_open(prompt, true)?
        } else {
            let field = if self.on_text { "text" } else { "instruction" };
            let record = Record::from_iter([(field.to_owned(), prompt.into())]);
            encoder(&self.session, &self.tokenizer, &self.template).prompt(&record)?
        };
        let recipe = &self.session.recipe;
        let settings = &recipe.generate.settings;
        let generator =
            Generator::new(&self.network, &self.decoder, settings, &self.tokenizer.eos, self.tokenizer.pad)?;
        let started = Instant::now();
        let mut lead = Lead::new(if raw { "" } else { self.template.lead() });
        let (mut text, mut failed) = (self.tokenizer.stream(true), None);
        let mut on_token = |_: usize, token: u32| match text.push(token) {
            Ok(piece) => stream(&lead.strip(&piece)),
            Err(e) => failed = Some(e),
        };
        let new = generator.generate(&[ids], recipe.seed, &mut on_token)?.swap_remove(0);
        if let Some(e) = failed {
            return Err(e);
        }
        let rest = lead.strip(&text.finish()?) + &lead.finish();
        stream(&rest);
        let seconds = started.elapsed().as_secs_f64();
        Ok(Reply {
            text: answer(&self.tokenizer, if raw { "" } else { self.template.lead() }, &new)?,
            tokens_per_second: new.len() as f64 / seconds.max(1e-9),
            token_ids: new,
        })
    }
}

/// New tokens as text, without what the template makes every answer begin with.
pub(crate) fn answer(tokenizer: &Tokenizer, lead: &str, new: &[u32]) -> Result<String> {
    let text = tokenizer.decode(new, true)?;
    Ok(text.strip_prefix(lead).unwrap_or(&text).to_owned())
}

/// Holds a stream's first characters back until it is known whether they are the template's.
struct Lead {
    expected: String,
    held: String,
    passed: bool,
}

impl Lead {
    fn new(expected: &str) -> Self {
        Self { expected: expected.to_owned(), held: String::new(), passed: expected.is_empty() }
    }

    fn strip(&mut self, piece: &str) -> String {
        if self.passed {
            return piece.to_owned();
        }
        self.held.push_str(piece);
        if self.held.len() < self.expected.len() && self.expected.starts_with(&self.held) {
            return String::new();
        }
        self.finish()
    }

    fn finish(&mut self) -> String {
        self.passed = true;
        let held = std::mem::take(&mut self.held);
        held.strip_prefix(&self.expected).unwrap_or(&held).to_owned()
    }
}

/// The tokenizer of a run: the one that was trained with it, or the recipe's.
pub fn tokenizer(run: &RunFolder, session: &Session) -> Result<Tokenizer> {
    match run.tokenizer() {
        trained if trained.is_dir() => Tokenizer::load(&trained),
        _ => crate::train::tokenizer(session),
    }
}

/// The network that a run has trained.
pub fn trained(run: &RunFolder, session: &Session, device: Device) -> Result<Arc<Network>> {
    if run.model().is_dir() {
        let source = assemble::Source::Folder(Box::new(ModelFolder::open(&run.model())?));
        return assemble::build(&session.registry, &session.recipe.model.plugin, &source, None, device, 0);
    }
    let adapter = adapter_folder(run)?;
    let network = assemble::network(session, device, true)?;
    assemble::load_adapter(&network, &adapter)?;
    Ok(network)
}

/// Where a model and an adapter are that the command line names by folders or by ids on the hub.
pub(crate) fn folders(model: &Path, adapter: Option<&Path>) -> Result<(PathBuf, Option<PathBuf>)> {
    let model = hub::folder(model, Use::Model).map_err(|e| e.about("--model"));
    let adapter = adapter.map(|adapter| hub::folder(adapter, Use::Adapter).map_err(|e| e.about("--adapter")));
    Error::both(model, adapter.transpose())
}

/// A recipe made up for a model folder.
pub fn bare_session(model: &Path, template: &str, overrides: &[String], sources: &PluginSources) -> Result<Session> {
    let registry = sources.open(&[])?;
    let folder = ModelFolder::open(model)?;
    let kind = folder.config().get("model_type").and_then(|v| v.as_str()).unwrap_or_default().to_owned();
    let entry = registry.by_alias(Kind::Model, &kind).map_err(|unknown| {
        Error::invalid(Problem::new(format!("{}: model_type `{kind}`: {unknown}", model.display())))
    })?;
    let absolute = std::path::absolute(model).map_err(|e| Error::io("find", model, e))?;
    let table = serde_json::json!({
        "model": { "plugin": entry.about.name, "weights": absolute },
        "prompt": { "template": template },
    });
    let text = toml::to_string(&table).map_err(|e| Error::failed(e.to_string()))?;
    let recipe = recipe::parse_text(Path::new("command line"), text, overrides)?.resolve(&registry)?;
    Ok(Session::made_up(recipe, registry))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_template_s_lead_is_not_shown() {
        let stream = |pieces: &[&str]| {
            let mut lead = Lead::new("Assistant: ");
            let shown: String = pieces.iter().map(|piece| lead.strip(piece)).collect();
            shown + &lead.finish()
        };
        assert_eq!(stream(&["Ass", "istant", ": Hel", "lo"]), "Hello");
        assert_eq!(stream(&["Assist", "ed."]), "Assisted.");
        assert_eq!(stream(&["As"]), "As");
    }
}
