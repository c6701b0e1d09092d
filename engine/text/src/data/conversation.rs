//! Conversations: the messages of a record as templates take them.

use super::{answer, builtin::Builtin, fields, template::problem};
use framework_base::{Error, Result};
use framework_core::Record;
use minijinja::value::Serde;
use serde_json::{Map, Value, json};
use std::sync::OnceLock;

/// Names under which messages have what the assistant thought.
pub(super) const THOUGHTS: [&str; 3] = ["reasoning_content", "thinking", "reasoning"];

/// A record's messages.
#[derive(Debug, Clone)]
pub(super) struct Conversation {
    /// May become fewer, from the end. With other messages, it is a new conversation: see [`Conversation::seen`].
    pub messages: Vec<Value>,
    /// What the assistant may call.
    pub tools: Value,
    pub documents: Value,
    seen: OnceLock<Seen>,
}

/// A conversation as templates see it.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub messages: Vec<minijinja::Value>,
    pub tools: minijinja::Value,
    pub documents: minijinja::Value,
}

impl Conversation {
    pub fn new(messages: Vec<Value>, tools: Value, documents: Value) -> Self {
        Self { messages, tools, documents, seen: OnceLock::new() }
    }

    /// Made once: the beginnings of a long conversation are rendered hundreds of times.
    pub fn seen(&self) -> &Seen {
        self.seen.get_or_init(|| Seen {
            messages: self.messages.iter().map(|message| Serde(message).into()).collect(),
            tools: Serde(&self.tools).into(),
            documents: Serde(&self.documents).into(),
        })
    }

    /// The numbers of the assistant's messages that answer something: not those with which a conversation begins.
    pub fn answers(&self) -> Vec<usize> {
        let asked = |message: &Value| !matches!(message["role"].as_str(), Some("assistant" | "system" | "developer"));
        let first = self.messages.iter().position(asked).unwrap_or(self.messages.len());
        (first..self.messages.len()).filter(|i| self.messages[*i]["role"] == "assistant").collect()
    }

    /// Whether message number `at` is to be trained: OpenAI's `weight` is not 0.
    pub fn is_weighted(&self, at: usize) -> bool {
        self.messages[at].get("weight").is_none_or(|weight| weight.as_f64() != Some(0.0))
    }

    /// Whether message number `at` says nothing: no text, no thoughts, no calls.
    pub fn is_blank(&self, at: usize) -> bool {
        let message = &self.messages[at];
        let calls = message["tool_calls"].as_array().is_some_and(|calls| !calls.is_empty());
        let thinks = THOUGHTS.iter().any(|name| message[*name].as_str().is_some_and(|text| !text.trim().is_empty()));
        !calls && !thinks && answer::text(message).trim().is_empty()
    }
}

/// The messages of a record with an instruction, up to where the answer would follow.
pub(super) fn task_messages(record: &Record, instruction: String) -> Result<Vec<Value>> {
    let input = record.get("input").filter(|input| !input.is_null()).map(fields::as_text).unwrap_or_default();
    let content = if input.is_empty() { instruction } else { format!("{instruction}\n{input}") };
    let mut messages = earlier(record)?;
    messages.push(json!({ "role": "user", "content": content }));
    Ok(messages)
}

/// What stands before a record's instruction: its `system` message, and the turns in its `history`, which are pairs of
/// instruction and answer, as in Alpaca's data sets.
pub(super) fn earlier(record: &Record) -> Result<Vec<Value>> {
    let system = record.get("system").filter(|text| !text.is_null()).map(fields::as_text);
    let system = system.filter(|text| !text.trim().is_empty());
    let mut messages: Vec<_> = system.map(|text| json!({ "role": "system", "content": text })).into_iter().collect();
    let Value::Array(turns) = list(record, "history")? else { return Ok(messages) };
    for (i, turn) in turns.iter().enumerate() {
        let Some([asked, answered]) = turn.as_array().map(Vec::as_slice) else {
            let problem = problem(format!("turn {} of the record's `history` is {turn}, not a pair", i + 1));
            return Err(Error::invalid(problem.help("`history` is `[[\"instruction\", \"answer\"], …]`")));
        };
        messages.push(json!({ "role": "user", "content": fields::as_text(asked) }));
        messages.push(json!({ "role": "assistant", "content": fields::as_text(answered) }));
    }
    Ok(messages)
}

/// A record's list, such as that of its tools, which many data sets store as JSON text.
pub(super) fn list(record: &Record, key: &str) -> Result<Value> {
    let wrong = |what: String| {
        let problem = problem(format!("`{key}` of the record {what}"));
        Error::invalid(problem.help(format!("`{key}` is a list, or JSON text of one")))
    };
    match record.get(key) {
        None | Some(Value::Null) => Ok(Value::Null),
        Some(Value::String(text)) if text.trim().is_empty() => Ok(Value::Null),
        Some(Value::String(text)) => match serde_json::from_str(text) {
            Ok(Value::Null) => Ok(Value::Null),
            Ok(list @ Value::Array(_)) => Ok(list),
            Ok(_) => Err(wrong("is JSON text, but of no list".into())),
            Err(e) => Err(wrong(format!("is text that is not JSON: {e}"))),
        },
        Some(list @ Value::Array(_)) => Ok(list.clone()),
        Some(_) => Err(wrong("is no list".into())),
    }
}

/// Messages as built-in templates take them: with text as content, and without tools if the template has no form for
/// those.
pub(super) fn plain(builtin: &Builtin, tools: &Value, messages: &mut [Value]) -> Result<()> {
    let refused = |what: String| match builtin.no_tools {
        None => Ok(()),
        Some(why) => {
            let help = "use a chat template that has, such as the tokenizer's own (`template = \"chat\"`) or `chatml`, \
                        or leave such rows out (`data.bad_rows = \"skip\"`)";
            Err(Error::invalid(problem(format!("{what}: the built-in template `{}` {why}", builtin.name)).help(help)))
        }
    };
    if tools.as_array().is_some_and(|tools| !tools.is_empty()) {
        refused("the record has `tools`".into())?;
    }
    for (i, message) in messages.iter_mut().enumerate() {
        let calls = message["tool_calls"].as_array().is_some_and(|calls| !calls.is_empty());
        if calls {
            refused(format!("message {} is a call of a tool", i + 1))?;
        } else if message["role"] == "tool" {
            refused(format!("message {} is a tool's", i + 1))?;
        }
        message["content"] = answer::text(message).into();
    }
    Ok(())
}

/// Replaces JSON text in the arguments of calls, which is the form of OpenAI's API, by the object that it stands for.
pub(super) fn parsed_arguments(messages: &mut [Value]) -> Result<()> {
    for (i, message) in messages.iter_mut().enumerate() {
        for call in message.get_mut("tool_calls").and_then(Value::as_array_mut).into_iter().flatten() {
            let holder = if call.get("function").is_some() { call.get_mut("function") } else { Some(call) };
            let Some(arguments) = holder.and_then(|holder| holder.get_mut("arguments")) else { continue };
            let Some(text) = arguments.as_str() else { continue };
            let text = if text.trim().is_empty() { "{}" } else { text };
            *arguments = serde_json::from_str::<Map<_, _>>(text).map(Value::Object).map_err(|e| {
                let what = format!("message {}: a call's `arguments` are text that is not a JSON object: {e}", i + 1);
                Error::invalid(
                    problem(what).help("write them as an object, or as JSON text of one: `{\"city\": \"Bern\"}`"),
                )
            })?;
        }
    }
    Ok(())
}

/// A message as transformers hands it to templates: nulls count as missing, thoughts have all their names.
pub(super) fn message((number, message): (usize, &Value)) -> Result<Value> {
    let Some(fields) = message.as_object().filter(|fields| fields.get("role").is_some_and(Value::is_string)) else {
        let message = format!("message {} of the record is {message}, not an object with a `role`", number + 1);
        return Err(Error::invalid(
            problem(message).help("`messages` are `{\"role\": \"user\", \"content\": \"…\"}`, one after the other"),
        ));
    };
    let mut fields: Map<_, _> =
        fields.iter().filter(|(_, v)| !v.is_null()).map(|(k, v)| (k.clone(), v.clone())).collect();
    // As in OpenAI's format. A share would have to weigh the loss, and must not count as 1 without a word.
    if let Some(weight) = fields.get("weight").filter(|w| fields["role"] == "assistant" && w.as_f64() != Some(0.0))
        && weight.as_f64() != Some(1.0)
    {
        let what = format!("message {}: its `weight` is {weight}; expected 0 or 1", number + 1);
        return Err(Error::invalid(problem(what).help("0 leaves the message out of the loss, 1 trains it")));
    }
    if let Some(thoughts) = THOUGHTS.iter().find_map(|name| fields.get(*name).cloned()) {
        fields.entry("thinking").or_insert(thoughts.clone());
        fields.insert("reasoning_content".into(), thoughts);
    }
    Ok(Value::Object(fields))
}
