//! How good a network's answers are: prompts of validation data are answered, and the answers compared with what the data
//! has.

mod compared;
mod examples;
mod metrics;

pub use compared::{Difference, Measured};
pub(crate) use compared::{default_metrics, require_references};
pub(crate) use examples::examples;
pub(crate) use metrics::Measures;
pub use metrics::{Scores, name};

use crate::{generation::Generator, session::Session};
use framework_base::{Error, Problem, Result};
use framework_core::ffi::DecoderObject;
use framework_executor::Network;
use framework_metrics::Pair;
use framework_text::{
    Reader,
    data::{Sequence, Template},
    tokenizer::Tokenizer,
};
use serde::Serialize;
use std::sync::Arc;

/// A prompt, its answer and what was expected.
#[derive(Debug, Clone, Serialize)]
pub struct Answered {
    /// The prompt as text, without special tokens.
    pub prompt: String,
    /// The answer.
    pub answer: String,
    /// What the data has.
    pub reference: String,
}

/// What answers, and what is known about it.
pub(crate) struct Answering<'a> {
    pub session: &'a Session,
    pub network: &'a Arc<Network>,
    pub tokenizer: &'a Tokenizer,
    pub template: &'a Template,
}

impl Answering<'_> {
    fn reader(&self) -> Reader<'_> {
        let settings = &self.session.recipe.generate.settings;
        Reader::new(self.tokenizer, self.template.lead(), settings).marked(self.template.marks())
    }

    /// Prompts as ids, with references as text, of at most `limit` sequences, or of all if it is 0: of those that have a
    /// prompt, and room for an answer.
    pub fn examples(&self, sequences: &[Sequence], limit: usize) -> Result<Vec<(Vec<u32>, String)>> {
        let decoder = self.session.decoder()?;
        let generator = self.generator(&decoder)?;
        let limit = if limit == 0 { usize::MAX } else { limit };
        let reader = self.reader();
        let text = |one: examples::Example| Ok((one.prompt, reader.text(&one.reference)?.trim().to_owned()));
        examples(sequences).filter(|one| generator.has_room(&one.prompt)).take(limit).map(text).collect()
    }

    /// Answers prompts as `[generate]` says; `each` is told how many are answered, of how many.
    pub fn answers(&self, prompts: &[Vec<u32>], each: &mut dyn FnMut(usize, usize)) -> Result<Vec<String>> {
        let decoder = self.session.decoder()?;
        let generator = self.generator(&decoder)?;
        let (recipe, reader) = (&self.session.recipe, self.reader());
        let mut answers = Vec::new();
        for (turn, rows) in prompts.chunks(recipe.train.batch_size.max(1)).enumerate() {
            for answer in generator.generate(rows, recipe.seed.wrapping_add(turn as u64), &mut |_, _| {})? {
                answers.push(reader.text(&answer)?.trim().to_owned());
            }
            each(answers.len(), prompts.len());
        }
        Ok(answers)
    }

    fn generator<'a>(&'a self, decoder: &'a DecoderObject) -> Result<Generator<'a>> {
        let (settings, stops) = (&self.session.recipe.generate.settings, self.template.stops());
        Generator::new(self.network, decoder, settings, stops, self.tokenizer.pad)?.stopping(self.reader())
    }

    /// A prompt as text, without special tokens.
    pub fn shown(&self, prompt: &[u32]) -> Result<String> {
        Ok(self.tokenizer.decode(prompt, true)?.trim().to_owned())
    }
}

/// Answers the prompts of at most `limit` sequences, or of all if it is 0, as `[generate]` says; none if no sequence has a
/// prompt. `each` is told how many are answered, of how many.
pub(crate) fn answer(
    with: &Answering,
    sequences: &[Sequence],
    limit: usize,
    each: &mut dyn FnMut(usize, usize),
) -> Result<Option<Vec<Answered>>> {
    let examples = with.examples(sequences, limit)?;
    if examples.is_empty() {
        return Ok(None);
    }
    let (prompts, references): (Vec<_>, Vec<_>) = examples.into_iter().unzip();
    let answers = with.answers(&prompts, each)?;
    let answered = prompts.iter().zip(answers).zip(references);
    let answered =
        answered.map(|((prompt, answer), reference)| Ok(Answered { prompt: with.shown(prompt)?, answer, reference }));
    answered.collect::<Result<Vec<_>>>().map(Some)
}

/// What the recipe's metrics come to for these answers.
///
/// # Errors
/// The schema for the metric `schema` cannot be read.
pub(crate) fn score(session: &Session, answered: &[Answered]) -> Result<Scores> {
    let pair = |one: &Answered| Pair { answer: one.answer.clone(), reference: one.reference.clone() };
    Ok(Measures::of(session)?.scores(&answered.iter().map(pair).collect::<Vec<_>>()))
}

/// Refuses metrics that cannot be computed, before any work: a schema that cannot be read.
pub(crate) fn check(session: &Session) -> Result<()> {
    Measures::of(session).map(drop)
}

/// That no prompt can be answered.
pub(crate) fn nothing_to_answer() -> Error {
    let message = "no validation example has a prompt that can be answered";
    let help = "Metrics compare answers with references: they need records with instruction and answer, and \
                prompt.train_on_prompt = false.";
    Error::invalid(Problem::new(message).key("report.metrics").help(help))
}
