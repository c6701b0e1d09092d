//! What the assistant has to write after a prompt, found by comparing renderings.
//!
//! For the message number `i`, the template renders two texts: the *prompt*, which is all messages before `i` with the
//! generation prompt, and the *whole*, which has message `i` as well. The response is the part of the whole that begins
//! where the prompt ends, up to and including the token that ends the turn. Where that is depends on the template:
//!
//! 1. The whole begins with the prompt: the response is the rest. This holds for most templates.
//! 2. The generation prompt opens a block, such as `<think>`, that the whole lacks: the response closes the block, with
//!    the message's thoughts in it, and goes on with what the whole has after the rest of the prompt.
//! 3. The template renders earlier messages otherwise once another one follows, as Mistral's does with the system text
//!    and gpt-oss's with earlier thoughts. Then the place is where the longest end of the prompt occurs last before
//!    message `i`. The text before message `i` is what the whole has in common with a rendering in which another message
//!    stands in the place of message `i`.
//!
//! The `content` itself is never trained as it is: templates trim it, split it, or replace it by calls of tools. If no
//! rule applies, or if the response lacks something that the message has, the message is refused.

use super::{
    chat::Chat,
    conversation::{Conversation, THOUGHTS},
    template::{MARK, problem},
};
use framework_base::{Error, Result};
use regex::Regex;
use serde_json::{Value, json};
use std::sync::LazyLock;

/// Stands for end tokens: no text has it.
const END: &str = "\0";

/// What the message is trained after, and what is trained.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    /// What generation starts from.
    pub prompt: String,
    /// What follows, up to and including the token that ends the turn.
    pub response: String,
}

impl Chat {
    /// The message number `at`, which is the assistant's, as it is trained when it is the last.
    ///
    /// # Errors
    /// A message that the template fails on or of which it leaves something out: [`Error::Invalid`].
    pub fn answer(&self, talk: &Conversation, at: usize) -> Result<Answer> {
        let prompt = self.render(talk, at, true)?.text;
        let whole = self.render(talk, at + 1, false)?.text;
        let message = &talk.messages[at];
        let response = match whole.strip_prefix(&prompt) {
            Some(rest) => rest.to_owned(),
            None => self.continued(talk, at, &prompt, &whole)?,
        };
        let response = self.ended(&response, message).to_owned();
        complete(talk, at, &response)?;
        Ok(Answer { prompt, response })
    }

    /// Rules 2 and 3.
    fn continued(&self, talk: &Conversation, at: usize, prompt: &str, whole: &str) -> Result<String> {
        let mut messages = talk.messages.clone();
        messages[at] = json!({ "role": "assistant", "content": MARK });
        let other = Conversation::new(messages, talk.tools.clone(), talk.documents.clone());
        let before = match self.render(&other, at + 1, false) {
            Ok(other) => &whole[..common(whole, &other.text)],
            Err(_) => whole,
        };
        let history = self.render(talk, at, false)?.text;
        let generated = prompt.strip_prefix(&history).map_or(0, str::len);
        if let Some(start) = place(prompt, before, reach(talk, at, prompt, generated)) {
            return Ok(whole[start..].to_owned());
        }
        let opened = Block::at_end_of(prompt).and_then(|block| {
            let begun = &prompt[..prompt.len() - block.opening.len()];
            let generated = generated.saturating_sub(block.opening.len());
            let start = place(begun, before, reach(talk, at, begun, generated))?;
            Some(block.closed(&talk.messages[at], &whole[start..]))
        });
        opened.ok_or_else(|| {
            let what = "the template renders the message otherwise than the generation prompt begins it, so that what \
                        would be generated cannot be told";
            Error::invalid(refused(at, what).help("choose another template, or leave the row out"))
        })
    }

    /// The text with something of the same length in the place of end tokens, so that nothing is found in them.
    fn masked(&self, text: &str) -> String {
        self.ends.iter().fold(text.to_owned(), |text, end| text.replace(end.as_str(), &END.repeat(end.len())))
    }

    /// A response up to the token that ends the turn, or whole. Templates go on after it, with a line break or with the
    /// header of the next message, which nobody generates.
    pub fn ended<'a>(&self, response: &'a str, message: &Value) -> &'a str {
        let masked = self.masked(response);
        let last = masked.rfind(END).unwrap_or(0);
        let said = parts(message).into_iter().filter_map(|part| {
            let part = self.masked(&part);
            masked[..last].rfind(&part).map(|at| at + part.len())
        });
        let from = said.max().unwrap_or(0);
        let Some(end) = masked[from..].find(END) else { return response };
        let mut at = from + end;
        while let Some(end) = self.ends.iter().find(|end| response[at..].starts_with(end.as_str())) {
            at += end.len();
        }
        &response[..at]
    }
}

/// Where in `before` the end of the prompt is: after the last place at which its longest end occurs, which has to be
/// longer than `reach`.
fn place(prompt: &str, before: &str, reach: usize) -> Option<usize> {
    if before.starts_with(prompt) {
        return Some(prompt.len());
    }
    let ends: Vec<usize> = prompt.char_indices().map(|(at, _)| at).collect();
    // An end that does not occur makes longer ones impossible: the first that occurs is the longest.
    let longest = ends.partition_point(|at| !before.contains(&prompt[*at..]));
    let end = ends.get(longest).map(|at| &prompt[*at..]).filter(|end| end.len() > reach)?;
    before.rfind(end).map(|at| at + end.len())
}

/// What follows the content of the message before number `at` in the prompt, in bytes; the generation prompt if that
/// cannot be told. An end of the prompt that is no longer could stand anywhere.
fn reach(talk: &Conversation, at: usize, prompt: &str, generated: usize) -> usize {
    let said = at.checked_sub(1).map(|before| text(&talk.messages[before])).unwrap_or_default();
    let said = Some(said.trim()).filter(|said| !said.is_empty());
    let place = said.and_then(|said| prompt.rfind(said).map(|at| at + said.len()));
    place.map_or(generated, |at| prompt.len() - at).max(generated)
}

/// How many bytes two texts have in common at their beginning.
fn common(a: &str, b: &str) -> usize {
    let differ = a.char_indices().zip(b.chars()).find(|((_, a), b)| a != b);
    differ.map_or(a.len().min(b.len()), |((at, _), _)| at)
}

/// A block that a generation prompt opens.
struct Block<'a> {
    /// What the prompt ends with, e.g. `<think>` and a line break.
    opening: &'a str,
    name: &'a str,
}

impl<'a> Block<'a> {
    fn at_end_of(prompt: &'a str) -> Option<Self> {
        static OPENING: LazyLock<Regex> =
            LazyLock::new(|| Regex::new(r"<([A-Za-z_]+)>\s*$").unwrap_or_else(|e| panic!("{e}")));
        let found = OPENING.captures(prompt)?;
        Some(Self { opening: found.get(0)?.as_str(), name: found.get(1)?.as_str() })
    }

    /// The message's thoughts, the end of the block, and `after`, what the template writes for the message.
    fn closed(&self, message: &Value, after: &str) -> String {
        let (open, close) = (format!("<{}>", self.name), format!("</{}>", self.name));
        if let Some(rest) = after.trim_start().strip_prefix(&open) {
            return rest.trim_start_matches('\n').to_owned();
        }
        let given = text(message);
        let (thoughts, gap) = match (THOUGHTS.iter().find_map(|name| message[*name].as_str()), given.split_once(&close))
        {
            (Some(thoughts), _) => (thoughts, "\n\n"),
            (None, Some((thoughts, rest))) => {
                let thoughts = thoughts.split_once(&open).map_or(thoughts, |(_, thoughts)| thoughts);
                (thoughts, &rest[..rest.len() - rest.trim_start().len()])
            }
            (None, None) => ("", "\n\n"),
        };
        let line = if self.opening.ends_with('\n') { "" } else { "\n" };
        format!("{line}{}\n{close}{gap}{}", thoughts.trim_matches('\n'), after.trim_start())
    }
}

/// A message's content as text: the texts of its parts if it is a list.
pub(super) fn text(message: &Value) -> String {
    match &message["content"] {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().filter_map(|part| part["text"].as_str().or(part.as_str())).collect(),
        _ => String::new(),
    }
}

/// What a rendered message has to contain: the end of its content, and the names of the functions that it calls.
fn parts(message: &Value) -> Vec<String> {
    let said = text(message);
    let said = said.rsplit("</think>").next().unwrap_or_default().trim().to_owned();
    let calls = message["tool_calls"].as_array().into_iter().flatten();
    let names = calls.filter_map(|call| call["function"]["name"].as_str().or(call["name"].as_str()).map(str::to_owned));
    names.chain([said]).filter(|part| !part.is_empty()).collect()
}

/// What of the message is not in the response.
fn left_out(message: &Value, response: &str) -> Option<&'static str> {
    let bare = |text: &str| text.split_whitespace().collect::<String>();
    let response = bare(response);
    let said = text(message);
    let said = bare(said.rsplit("</think>").next().unwrap_or_default());
    if !response.contains(&said) {
        return Some("its `content`");
    }
    let calls = message["tool_calls"].as_array().map_or(&[][..], Vec::as_slice);
    let function = |call: &'_ Value| call.get("function").unwrap_or(call).clone();
    let named = |name: &str| calls.iter().filter(|call| function(call)["name"] == name).count();
    let written = |call: &Value| {
        let function = function(call);
        let name = bare(function["name"].as_str().unwrap_or_default());
        let enough = name.is_empty() || response.matches(&name).count() >= named(&name);
        enough && words(&function["arguments"]).iter().all(|word| response.contains(word))
    };
    if calls.iter().all(written) { None } else { Some("its `tool_calls`") }
}

/// Numbers and words in a call's arguments that no template writes otherwise.
fn words(arguments: &Value) -> Vec<String> {
    match arguments {
        Value::String(text) if text.bytes().all(|b| b.is_ascii_alphanumeric()) => vec![text.clone()],
        Value::Number(number) if number.is_i64() => vec![number.to_string()],
        Value::Array(list) => list.iter().flat_map(words).collect(),
        Value::Object(object) => object.values().flat_map(words).collect(),
        _ => Vec::new(),
    }
}

/// Refuses a response that lacks something that its message has.
///
/// # Errors
/// Content or calls that are left out: [`Error::Invalid`].
pub(super) fn complete(talk: &Conversation, at: usize, response: &str) -> Result<()> {
    let Some(what) = left_out(&talk.messages[at], response) else { return Ok(()) };
    Err(Error::invalid(refused(at, &format!("the template leaves out {what}")).help(
        "choose a template that renders it (`chat` is the tokenizer's own), take it out of the message, or set the \
         message's `weight` to 0",
    )))
}

fn refused(at: usize, what: &str) -> framework_base::Problem {
    problem(format!("message {} (assistant): {what}", at + 1))
}

#[cfg(test)]
#[path = "answer_tests.rs"]
mod tests;
