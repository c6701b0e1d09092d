//! Whether a model can take the sequences.

use super::vocabulary;
use crate::build::blueprint::Blueprint;
use framework_base::{Error, Problem, Result};
use framework_text::{data::Corpus, tokenizer::Tokenizer};

/// Whether the tokens and the sequences are such as the model can take.
pub fn fits(blueprint: &Blueprint, tokenizer: &Tokenizer, corpus: &Corpus) -> Result<()> {
    let (spec, plan) = (&blueprint.spec, &blueprint.adapted);
    let virtual_tokens = plan.prompt + plan.prefix;
    let mut problems = Vec::new();
    let all = || corpus.train.iter().chain(&corpus.validation);
    if let Err(Error::Invalid(unknown)) = vocabulary::covers(spec.vocab_size, tokenizer, all()) {
        problems.extend(unknown);
    }
    let longest = all().map(|s| s.len()).max().unwrap_or(0);
    let most = spec.max_positions.map(|most| most.saturating_sub(virtual_tokens));
    if let Some(most) = most.filter(|&most| longest > most) {
        let own = if virtual_tokens > 0 { format!(" besides the adapter's {virtual_tokens}") } else { String::new() };
        let message = format!("an example has {longest} tokens, but the model has only {most} positions{own}");
        problems.push(Problem::new(message).key("prompt.max_length").help(format!("Set it to {most} or less.")));
    }
    if problems.is_empty() { Ok(()) } else { Err(Error::Invalid(problems)) }
}
