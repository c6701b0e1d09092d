//! How good a network's answers are: prompts of validation data are answered, and the answers compared with what the data
//! has.

mod examples;
mod metrics;

pub(crate) use examples::examples;
pub use metrics::{Scores, name};

use crate::{generation::Generator, session::Session};
use framework_base::{Error, Problem, Result};
use framework_executor::Network;
use framework_metrics::Pair;
use framework_text::{
    Reader,
    data::{Sequence, Template},
    tokenizer::Tokenizer,
};
use metrics::Measures;
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

/// Answers the prompts of at most `limit` sequences, or of all if it is 0, as `[generate]` says; none if no sequence has a
/// prompt. `each` is told how many are answered, of how many.
pub(crate) fn answer(
    with: &Answering,
    sequences: &[Sequence],
    limit: usize,
    each: &mut dyn FnMut(usize, usize),
) -> Result<Option<Vec<Answered>>> {
    let recipe = &with.session.recipe;
    let decoder = with.session.decoder()?;
    let settings = &recipe.generate.settings;
    let reader = Reader::new(with.tokenizer, with.template.lead(), settings).marked(with.template.marks());
    let (stops, pad) = (with.template.stops(), with.tokenizer.pad);
    let generator = Generator::new(with.network, &decoder, settings, stops, pad)?.stopping(reader)?;
    let limit = if limit == 0 { usize::MAX } else { limit };
    let examples: Vec<_> = examples(sequences).filter(|one| generator.has_room(&one.prompt)).take(limit).collect();
    if examples.is_empty() {
        return Ok(None);
    }
    let mut answered = Vec::new();
    for (turn, rows) in examples.chunks(recipe.train.batch_size.max(1)).enumerate() {
        let prompts: Vec<_> = rows.iter().map(|one| one.prompt.clone()).collect();
        let answers = generator.generate(&prompts, recipe.seed.wrapping_add(turn as u64), &mut |_, _| {})?;
        for (one, answer) in rows.iter().zip(answers) {
            let text = |ids: &[u32]| Ok::<_, Error>(reader.text(ids)?.trim().to_owned());
            let prompt = with.tokenizer.decode(&one.prompt, true)?.trim().to_owned();
            answered.push(Answered { prompt, answer: text(&answer)?, reference: text(&one.reference)? });
        }
        each(answered.len(), examples.len());
    }
    Ok(Some(answered))
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
