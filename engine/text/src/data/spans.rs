//! Where the assistant's answers stand in a rendered conversation.
//!
//! Only renderings tell, two for each answer but the last: templates may look at what follows a message. Of a long
//! conversation, renderings from its beginning would take time that grows with the square of its length. There, an answer
//! is rendered behind the messages just before it and the conversation's first ones. What comes of it counts only if it is
//! what the whole conversation has at this place, and if renderings from the beginning say the same at some of the answers;
//! else all are rendered from the beginning.

use super::{
    chat::{Chat, Rendered},
    conversation::Conversation,
    jinja,
};
use framework_base::Result;
use rayon::prelude::*;
use serde_json::Value;
use std::ops::Range;

/// Answers with fewer messages before them are rendered from the beginning.
const SHORT: usize = 32;
/// How many messages are rendered before those between two answers.
const BEFORE: usize = 4;

type Spans = Option<Vec<Range<usize>>>;

/// What an answer is rendered as behind only some of the messages before it.
struct Near {
    /// What follows the prompt of the answer before it, up to the end of its own prompt.
    between: String,
    /// What follows its prompt if it is the last message.
    alone: String,
}

impl Chat {
    /// Where the answers stand in `full`, which has at least all messages up to the last of them; `None` if the
    /// template renders one of them, or what comes before it, otherwise than when it is the last: then training on
    /// `full` would not be training on what is generated.
    pub fn spans(&self, talk: &Conversation, full: &Rendered, answers: &[usize]) -> Result<Spans> {
        match self.near_spans(talk, full, answers) {
            Some(spans) => Ok(Some(spans)),
            None => self.whole_spans(talk, full, answers),
        }
    }

    /// [`Chat::spans`] by renderings from the beginning. So that a long conversation does not wait for one core, all work
    /// on it.
    pub(super) fn whole_spans(&self, talk: &Conversation, full: &Rendered, answers: &[usize]) -> Result<Spans> {
        let span = |answer: &usize| self.span(talk, full, *answer);
        let all: Result<_> = answers.par_iter().map(span).collect();
        // Of several errors, the first is told, whichever core was faster.
        all.or_else(|_| answers.iter().map(span).collect())
    }

    fn span(&self, talk: &Conversation, full: &Rendered, answer: usize) -> Result<Option<Range<usize>>> {
        let prompt = self.render(talk, answer, true)?.text;
        if !full.text.starts_with(&prompt) {
            return Ok(None);
        }
        let through = match full.through == Some(answer + 1) {
            true => None,
            false => Some(self.render(talk, answer + 1, false)?.text),
        };
        let through = through.as_deref().unwrap_or(&full.text);
        let alone = through.strip_prefix(&prompt);
        Ok(alone.and_then(|alone| self.fitted(talk, full, answer, prompt.len(), alone)))
    }

    /// The span of an answer whose prompt ends at `start`, and which is `alone` when it is the last message.
    fn fitted(
        &self,
        talk: &Conversation,
        full: &Rendered,
        answer: usize,
        start: usize,
        alone: &str,
    ) -> Option<Range<usize>> {
        let alone = self.ended(alone, &talk.messages[answer]);
        let core = self.core(alone);
        let end = self.end(&alone[core.len()..]);
        let after = full.text[start..].strip_prefix(core).filter(|after| end == 0 || self.end(after) == end)?;
        let last = answer + 1 == talk.messages.len();
        let length = if last { alone.len() } else { core.len() + self.end(after) };
        Some(start..start + length)
    }

    /// [`Chat::spans`] of a long conversation without renderings from the beginning for each answer; `None` if it is
    /// short, or if these do not tell.
    pub(super) fn near_spans(&self, talk: &Conversation, full: &Rendered, answers: &[usize]) -> Spans {
        let (early, late) = answers.split_at(answers.partition_point(|answer| *answer < SHORT));
        let (Some(&last), Some(opening)) = (early.last(), opening(talk)) else { return None };
        if late.len() < 4 {
            return None;
        }
        let before = |k: usize| k.checked_sub(1).map_or(last, |k| late[k]);
        let near: Option<Vec<_>> =
            (0..late.len()).into_par_iter().map(|k| self.near(talk, opening, before(k), late[k])).collect();
        let mut spans = self.whole_spans(talk, full, early).ok()??;
        let mut start = spans.last()?.start;
        for (answer, Near { between, alone }) in late.iter().zip(near?) {
            if !full.text[start..].starts_with(&between) {
                return None;
            }
            start += between.len();
            spans.push(self.fitted(talk, full, *answer, start, &alone)?);
        }
        // At places that lie twice as far apart each time, so that all of them take no longer than a few whole renderings.
        let mut known = late.len() - 1;
        while known > 0 {
            let told = self.span(talk, full, late[known]).ok()?;
            if told.as_ref() != spans.get(early.len() + known) {
                return None;
            }
            known /= 2;
        }
        Some(spans)
    }

    /// An answer behind the first messages and those since shortly before the answer before it.
    fn near(&self, talk: &Conversation, opening: usize, before: usize, answer: usize) -> Option<Near> {
        let all = &talk.seen().messages;
        // The turns have to come in the order that templates ask for, and by twos: some of them count.
        let from = (opening..=before.saturating_sub(BEFORE)).rev();
        let from = from.filter(|at| (at - opening).is_multiple_of(2)).find(|at| is_user(&talk.messages[*at]))?;
        let render = |through: usize, generate: bool| {
            let messages = [&all[..opening], &all[from..through]].concat();
            self.rendered_as(talk, messages, generate).ok().map(|text| jinja::blocks(&text).0)
        };
        let (earlier, prompt) = (render(before, true)?, render(answer, true)?);
        let through = render(answer + 1, false)?;
        let alone = through.strip_prefix(&prompt)?.to_owned();
        Some(Near { between: prompt.strip_prefix(&earlier)?.to_owned(), alone })
    }

    /// Without end tokens, and white space around them, at its end.
    fn core<'a>(&self, text: &'a str) -> &'a str {
        let mut core = text;
        while let Some(end) = self.ends.iter().find(|end| core.trim_end().ends_with(end.as_str())) {
            let trimmed = core.trim_end();
            core = &trimmed[..trimmed.len() - end.len()];
        }
        if core.len() < text.len() { core.trim_end() } else { text }
    }

    /// How much of a text that begins with an end token, maybe after white space, that is. A marker and the token behind
    /// it are both counted, the same token twice is not: the last message may have one more.
    fn end(&self, text: &str) -> usize {
        let begun = text.len() - text.trim_start().len();
        let (mut at, mut left) = (begun, self.ends.iter().collect::<Vec<_>>());
        while let Some(found) = left.iter().position(|end| text[at..].starts_with(end.as_str())) {
            at += left.swap_remove(found).len();
        }
        if at == begun { 0 } else { at }
    }
}

/// How many messages come before the second one of a user.
fn opening(talk: &Conversation) -> Option<usize> {
    let users = talk.messages.iter().take(SHORT / 2).enumerate().filter(|(_, message)| is_user(message));
    users.map(|(at, _)| at).nth(1)
}

fn is_user(message: &Value) -> bool {
    message["role"] == "user"
}

#[cfg(test)]
#[path = "spans_tests.rs"]
mod tests;
