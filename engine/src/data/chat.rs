//! Chat templates: conversations as text, and which parts of it are the assistant's.

use super::{
    fields::{self, Fields},
    jinja::{self, Clock},
    template::{invalid, problem},
};
use crate::{Error, Result};
use framework_core::Record;
use jiff::civil::Date;
use minijinja::{Environment, value::Serde};
use serde_json::{Map, Value, json};
use std::ops::Range;

/// Names under which messages have what the assistant thought.
const THOUGHTS: [&str; 3] = ["reasoning_content", "thinking", "reasoning"];

/// A compiled chat template, as in `tokenizer_config.json` or `chat_template.jinja`.
#[derive(Debug)]
pub(super) struct Chat {
    env: Environment<'static>,
    pub clock: Clock,
    /// Variables beside the conversation.
    pub variables: Fields,
    /// System message of conversations without one.
    pub system: Option<String>,
    /// Whether the template knows `message.input`; else it is put behind the content.
    pub knows_input: bool,
    /// Texts of tokens that end a message.
    pub ends: Vec<String>,
}

/// A rendered conversation.
#[derive(Debug)]
pub(super) struct Rendered {
    pub text: String,
    /// What `{% generation %}` blocks have rendered.
    pub blocks: Vec<Range<usize>>,
}

/// A record's messages.
#[derive(Debug, Clone)]
pub(super) struct Conversation {
    pub messages: Vec<Value>,
    tools: Value,
    documents: Value,
}

impl Conversation {
    /// The numbers of the assistant's messages.
    pub fn answers(&self) -> Vec<usize> {
        let answers = self.messages.iter().enumerate().filter(|(_, message)| is_answer(message));
        answers.map(|(i, _)| i).collect()
    }
}

fn is_answer(message: &Value) -> bool {
    message["role"] == "assistant"
}

impl Chat {
    pub fn new(source: &str, date: Option<Date>) -> Result<Self> {
        let (mut env, clock) = jinja::chat_environment(date);
        env.add_template_owned("chat", jinja::chat_source(source)).map_err(|e| {
            let line = e.line().map_or(String::new(), |line| format!(" in line {line}"));
            invalid(format!("the chat template cannot be read{line}: {e}"))
        })?;
        Ok(Self { env, clock, variables: Fields::new(), system: None, knows_input: false, ends: Vec::new() })
    }

    /// The messages of a record: `messages`, or a task and its answer.
    pub fn conversation(&self, record: &Record) -> Result<Conversation> {
        let mut messages = match record.get("messages") {
            Some(Value::Array(messages)) => messages.iter().enumerate().map(message).collect::<Result<_>>()?,
            _ => self.instruction(record)?,
        };
        if let Some(system) = &self.system
            && messages.first().is_none_or(|first| first["role"] != "system" && first["role"] != "developer")
        {
            messages.insert(0, json!({ "role": "system", "content": system }));
        }
        let there = |key: &str| record.get(key).filter(|value| value.is_array()).cloned().unwrap_or_default();
        Ok(Conversation { messages, tools: there("tools"), documents: there("documents") })
    }

    fn instruction(&self, record: &Record) -> Result<Vec<Value>> {
        let task = fields::task(record).ok_or_else(|| {
            let keys = fields::keys(record);
            Error::invalid(problem(format!("the record has neither `messages` nor `instruction`: it has {keys}")).help(
                "rename the dataset's fields (`question` and `prompt` do as well), or write a template that reads those \
                 there are",
            ))
        })?;
        let input = record.get("input").filter(|input| !input.is_null()).map(fields::as_text).unwrap_or_default();
        let mut user = if self.knows_input || input.is_empty() {
            json!({ "role": "user", "content": task })
        } else {
            json!({ "role": "user", "content": format!("{task}\n{input}") })
        };
        if self.knows_input && !input.is_empty() {
            user["input"] = input.into();
        }
        let mut messages = vec![user];
        messages.extend(fields::answer(record).map(|answer| json!({ "role": "assistant", "content": answer })));
        Ok(messages)
    }

    /// The first so many messages as text; `generate`: up to where the assistant's next one begins.
    pub fn render(&self, talk: &Conversation, messages: usize, generate: bool) -> Result<Rendered> {
        let mut variables = self.variables.clone();
        variables.insert("messages".into(), Serde(&talk.messages[..messages]).into());
        variables.insert("add_generation_prompt".into(), generate.into());
        variables.insert("tools".into(), Serde(&talk.tools).into());
        variables.insert("documents".into(), Serde(&talk.documents).into());
        let rendered = self.env.get_template("chat").and_then(|t| t.render(variables));
        let rendered = rendered.map_err(|e| invalid(format!("the chat template fails: {e}")))?;
        let (text, blocks) = jinja::blocks(&rendered);
        Ok(Rendered { text, blocks })
    }

    /// Where the answers stand in `full`, which has at least all messages up to the last of them; `None` if the
    /// template renders one of them, or what comes before it, otherwise than when it is the last: then training on
    /// `full` would not be training on what is generated.
    pub fn spans(&self, talk: &Conversation, full: &Rendered, answers: &[usize]) -> Result<Option<Vec<Range<usize>>>> {
        let mut spans = Vec::new();
        for &answer in answers {
            let prompt = self.render(talk, answer, true)?.text;
            let Some(rest) = full.text.strip_prefix(&prompt) else { return Ok(None) };
            let through = self.render(talk, answer + 1, false)?.text;
            let Some(alone) = through.strip_prefix(&prompt) else { return Ok(None) };
            let core = self.core(alone);
            let end = self.end(&alone[core.len()..]);
            let Some(after) = rest.strip_prefix(core).filter(|after| end == 0 || self.end(after) == end) else {
                return Ok(None);
            };
            let last = answer + 1 == talk.messages.len();
            let length = if last { self.trimmed(rest).len() } else { core.len() + self.end(after) };
            spans.push(prompt.len()..prompt.len() + length);
        }
        if !full.blocks.is_empty() {
            // The template itself says what is learned.
            let last = spans.last().map_or(0, |span| span.end);
            let first = spans.first().map_or(0, |span| span.start);
            let all = answers.len() == talk.answers().len();
            let wanted = full.blocks.iter().filter(|b| !b.is_empty() && b.start <= last && (all || b.end > first));
            spans = wanted.cloned().collect();
        }
        Ok(Some(spans))
    }

    /// What follows `prompt` when the assistant's message number `answer` is there, up to its end token.
    pub fn response(&self, talk: &Conversation, answer: usize, prompt: &str) -> Result<String> {
        let full = self.render(talk, answer + 1, false)?.text;
        let full = self.trimmed(&full);
        if let Some(response) = full.strip_prefix(prompt) {
            return Ok(response.to_owned());
        }
        // Some templates begin a generated message otherwise than a given one, e.g. with `<think>`, and leave the
        // thoughts of given ones out: the answer then follows the prompt as it is.
        let content = fields::as_text(&talk.messages[answer]["content"]);
        let same = prompt.char_indices().zip(full.chars()).find(|((_, a), b)| a != b).map(|((at, _), _)| at);
        let begun = &prompt[same.unwrap_or(prompt.len())..];
        let end = self.ends.iter().find(|end| full.ends_with(end.as_str()));
        Ok(content.strip_prefix(begun).unwrap_or(&content).to_owned() + end.map_or("", String::as_str))
    }

    /// Without the white space after an end token: templates go on with a line break; nobody generates that.
    pub fn trimmed<'a>(&self, text: &'a str) -> &'a str {
        let trimmed = text.trim_end();
        if self.ends.iter().any(|end| trimmed.ends_with(end.as_str())) { trimmed } else { text }
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

    /// How much of a text that begins with an end token, maybe after white space, that is.
    fn end(&self, text: &str) -> usize {
        let trimmed = text.trim_start();
        let end = self.ends.iter().find(|end| trimmed.starts_with(end.as_str()));
        end.map_or(0, |end| text.len() - trimmed.len() + end.len())
    }
}

/// A message as transformers hands it to templates: nulls count as missing, thoughts have all their names.
fn message((number, message): (usize, &Value)) -> Result<Value> {
    let Some(fields) = message.as_object().filter(|fields| fields.get("role").is_some_and(Value::is_string)) else {
        let message = format!("message {} of the record is {message}, not an object with a `role`", number + 1);
        return Err(Error::invalid(
            problem(message).help("`messages` are `{\"role\": \"user\", \"content\": \"…\"}`, one after the other"),
        ));
    };
    let mut fields: Map<_, _> =
        fields.iter().filter(|(_, v)| !v.is_null()).map(|(k, v)| (k.clone(), v.clone())).collect();
    if let Some(thoughts) = THOUGHTS.iter().find_map(|name| fields.get(*name).cloned()) {
        fields.entry("thinking").or_insert(thoughts.clone());
        fields.insert("reasoning_content".into(), thoughts);
    }
    Ok(Value::Object(fields))
}

#[cfg(test)]
#[path = "chat_tests.rs"]
mod tests;
