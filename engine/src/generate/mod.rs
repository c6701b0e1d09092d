//! A model that answers: for `generate`, `chat` and sampling.

pub mod chat;

use crate::{
    build::{self, Placement},
    generation::{Finish, Generator, LanguageModel as _},
    open::bare_session,
    pipeline::encoder,
    run::{RunFolder, Summary},
    session::{PluginSources, Session},
    trained::{adapter_folder, folders, tokenizer, trained, with_tokenizer},
};
use framework_base::Result;
use framework_core::{Record, ffi::DecoderObject};
use framework_executor::Network;
use framework_text::{Reader, data::Template, tokenizer::Tokenizer};
use framework_weights as weights;
use serde::Serialize;
use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};

/// A model, its tokenizer, its prompt template and a decoder.
pub struct TextGenerator {
    session: Session,
    network: Arc<Network>,
    tokenizer: Tokenizer,
    template: Template,
    decoder: DecoderObject,
    /// Whether the model was trained on whole texts, which it continues, rather than on instructions.
    on_text: bool,
    /// Of a bare folder: where its prompt template comes from.
    origin: Option<String>,
    /// Where the model and its adapter are.
    folders: (PathBuf, Option<PathBuf>),
}

/// An answer.
#[derive(Debug, Clone, Serialize)]
pub struct Reply {
    /// The text, without special tokens.
    pub text: String,
    /// The new tokens, with the one that ended them.
    pub token_ids: Vec<u32>,
    /// Why it ends where it does.
    pub finish_reason: Finish,
    /// New tokens per second, of this answer alone where several are generated together.
    pub tokens_per_second: f64,
}

/// `temperature=1` is `generate.temperature=1`; the seed is the recipe's.
fn generation_overrides(overrides: &[String]) -> Vec<String> {
    let full = |o: &String| match o.split_once('=') {
        Some((key, _)) if !key.contains('.') && key.trim() != "seed" => format!("generate.{o}"),
        _ => o.clone(),
    };
    overrides.iter().map(full).collect()
}

impl TextGenerator {
    /// What a run has trained.
    pub fn of_run(root: &Path, overrides: &[String], sources: &PluginSources) -> Result<Self> {
        let run = RunFolder::open(root)?;
        let session = Session::open(&run.recipe(), &generation_overrides(overrides), sources)?;
        let place = Placement::open(&session.recipe.backend)?;
        let network = trained(&run, &session, place)?;
        let tokenizer = tokenizer(&run, &session)?;
        let on_text = Summary::read(&run).is_some_and(|summary| summary.trained_on_text);
        let folders = match &session.recipe.model.weights {
            Some(weights) if !run.model().is_dir() => (weights.clone(), Some(adapter_folder(&run)?.path().to_owned())),
            _ => (run.model(), None),
        };
        Self::new(session, network, tokenizer, on_text, folders)
    }

    /// A model folder with, maybe, a PEFT adapter on it. Without a recipe the prompt template is the tokenizer's own
    /// chat template or, if it has none, the prompt alone.
    pub fn of_folders(
        model: &Path,
        adapter: Option<&Path>,
        overrides: &[String],
        sources: &PluginSources,
    ) -> Result<Self> {
        let named = (model.to_owned(), adapter.map(Path::to_owned));
        let (model, adapter) = folders(model, adapter)?;
        let (model, adapter) = (model.as_path(), adapter.as_deref());
        weights::expect_weights(model)?;
        let tokenizer = Tokenizer::load(with_tokenizer(model, adapter))?;
        let template = if tokenizer.chat_template.is_some() { "chat" } else { "plain" };
        let session = bare_session(model, template, &generation_overrides(overrides), sources)?;
        let place = Placement::open(&session.recipe.backend)?;
        let network =
            build::from_folders_without(&session.registry, model, adapter, place, &session.recipe.model.ignore_keys)?;
        let folder = with_tokenizer(model, adapter).display();
        let origin = match template {
            "chat" => format!("prompts are written with the chat template in {folder}"),
            _ => format!("there is no chat template in {folder}: prompts are given as they are, and a line break"),
        };
        Ok(Self { origin: Some(origin), ..Self::new(session, network, tokenizer, false, named)? })
    }

    fn new(
        session: Session,
        network: Arc<Network>,
        tokenizer: Tokenizer,
        on_text: bool,
        folders: (PathBuf, Option<PathBuf>),
    ) -> Result<Self> {
        let template = Template::of(&session.recipe.prompt, &tokenizer)?;
        let decoder = session.decoder()?;
        Ok(Self { session, network, tokenizer, template, decoder, on_text, origin: None, folders })
    }

    /// The folder or the hub's id of the model.
    pub fn model(&self) -> &Path {
        &self.folders.0
    }

    /// The folder or the hub's id of the adapter, if there is one.
    pub fn adapter(&self) -> Option<&Path> {
        self.folders.1.as_deref()
    }

    /// The prompt template.
    pub fn template(&self) -> &Template {
        &self.template
    }

    /// Where the prompt template of a bare folder comes from; none for runs, whose recipe names it.
    pub fn template_origin(&self) -> Option<&str> {
        self.origin.as_deref()
    }

    /// The name of the decoder's plugin.
    pub fn decoder(&self) -> &str {
        &self.session.recipe.generate.plugin
    }

    /// Whether the model was trained on whole texts, which it continues, rather than on instructions.
    pub fn continues_text(&self) -> bool {
        self.on_text
    }

    /// Most tokens of prompt and answer together, if there is a limit.
    pub fn positions(&self) -> Option<usize> {
        self.network.positions()
    }

    /// Most tokens of an answer.
    pub fn max_new_tokens(&self) -> usize {
        self.session.recipe.generate.settings.max_new_tokens
    }

    /// Answers an instruction, or continues it as it is if `raw`. `stream` gets the text piece by piece where the
    /// decoder allows it, and as a whole where it does not. `turn` counts the answers of a conversation, each of which
    /// has random numbers of its own.
    pub fn reply(&self, prompt: &str, raw: bool, turn: u64, stream: &mut dyn FnMut(&str)) -> Result<Reply> {
        self.continued(self.ids(prompt, raw)?, raw, turn, stream)
    }

    /// [`TextGenerator::reply`] to a prompt's ids, as the template has rendered it.
    pub fn answer(&self, ids: Vec<u32>, turn: u64, stream: &mut dyn FnMut(&str)) -> Result<Reply> {
        self.continued(ids, false, turn, stream)
    }

    fn continued(&self, ids: Vec<u32>, raw: bool, turn: u64, stream: &mut dyn FnMut(&str)) -> Result<Reply> {
        let reader = self.reader(raw);
        let (mut transcript, mut streamed, mut failed) = (reader.transcript(), 0, None);
        let mut on_token = |_: usize, token: u32| match transcript.push(token) {
            Ok(piece) => {
                stream(&piece);
                streamed += 1;
            }
            Err(e) => failed = Some(e),
        };
        let reply = self.generate(&[ids], reader, turn, &mut on_token)?.swap_remove(0);
        if let Some(e) = failed {
            return Err(e);
        }
        // What was certain only at the end: the last token, or with beams all of them.
        let mut rest = String::new();
        for &token in &reply.token_ids[streamed..] {
            rest += &transcript.push(token)?;
        }
        stream(&(rest + &transcript.finish()?));
        Ok(reply)
    }

    /// Answers several, `batch_size` at a time and in their order; `each` gets an answer's number and the answer as
    /// soon as its batch is complete.
    pub fn replies(
        &self,
        prompts: &[String],
        raw: bool,
        batch_size: usize,
        each: &mut dyn FnMut(usize, &Reply),
    ) -> Result<Vec<Reply>> {
        let ids = prompts.iter().map(|prompt| self.ids(prompt, raw)).collect::<Result<Vec<_>>>()?;
        self.generator(self.reader(raw))?.check(&ids)?;
        let mut replies = Vec::new();
        for (turn, batch) in ids.chunks(batch_size.max(1)).enumerate() {
            for reply in self.generate(batch, self.reader(raw), turn as u64, &mut |_, _| {})? {
                each(replies.len(), &reply);
                replies.push(reply);
            }
        }
        Ok(replies)
    }

    /// The ids that an instruction is answered from, or a text continued if `raw`.
    pub fn ids(&self, prompt: &str, raw: bool) -> Result<Vec<u32>> {
        if raw {
            return self.tokenizer.encode_open(prompt, true);
        }
        let field = if self.on_text { "text" } else { "instruction" };
        self.prompt_ids(&Record::from_iter([(field.to_owned(), prompt.into())]))
    }

    /// The ids that a record is answered from.
    pub fn prompt_ids(&self, record: &Record) -> Result<Vec<u32>> {
        encoder(&self.session, &self.tokenizer, &self.template).prompt(record)
    }

    fn reader(&self, raw: bool) -> Reader<'_> {
        let settings = &self.session.recipe.generate.settings;
        match raw {
            true => Reader::new(&self.tokenizer, "", settings),
            false => Reader::new(&self.tokenizer, self.template.lead(), settings).marked(self.template.marks()),
        }
    }

    fn generator<'a>(&'a self, reader: Reader<'a>) -> Result<Generator<'a>> {
        let settings = &self.session.recipe.generate.settings;
        let (stops, pad) = (self.template.stops(), self.tokenizer.pad);
        Generator::new(&self.network, &self.decoder, settings, stops, pad)?.stopping(reader)
    }

    fn generate(
        &self,
        prompts: &[Vec<u32>],
        reader: Reader,
        turn: u64,
        stream: &mut dyn FnMut(usize, u32),
    ) -> Result<Vec<Reply>> {
        // Steps of the golden ratio, so that no seed and turn meet another seed's.
        let seed = self.session.recipe.seed.wrapping_add(turn.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let started = Instant::now();
        let generator = self.generator(reader)?;
        let answers = generator.generate(prompts, seed, stream)?;
        let seconds = started.elapsed().as_secs_f64().max(1e-9);
        let reply = |(prompt, token_ids): (&Vec<u32>, Vec<u32>)| {
            let tokens_per_second = token_ids.len() as f64 / seconds;
            let finish_reason = generator.finish(prompt.len(), &token_ids)?;
            if finish_reason == Finish::Context {
                let most = prompt.len() + token_ids.len();
                tracing::warn!("the answer is cut off: prompt and answer fill the model's context of {most} tokens");
            }
            Ok(Reply { text: reader.text(&token_ids)?, token_ids, finish_reason, tokens_per_second })
        };
        prompts.iter().zip(answers).map(reply).collect()
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn settings_of_generation_need_no_table() {
        let overrides = ["top_k=3", "seed=4", "model.plugin=\"x\"", "stop=[\"a.b\"]"].map(str::to_owned);
        let expected = ["generate.top_k=3", "seed=4", "model.plugin=\"x\"", "generate.stop=[\"a.b\"]"];
        assert_eq!(super::generation_overrides(&overrides), expected);
    }
}
