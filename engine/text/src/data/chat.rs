//! Chat templates: conversations as text, and which parts of it are the assistant's.

use super::{
    builtin::Builtin,
    conversation::{Conversation, earlier, list, message, parsed_arguments, plain},
    fields::{self, Fields},
    jinja::{self, TimeAsked},
    template::{invalid, problem},
};
use framework_base::{Error, Result};
use framework_core::Record;
use jiff::civil::Date;
use minijinja::Environment;
use serde_json::{Value, json};
use std::ops::Range;

/// A compiled chat template, as in `tokenizer_config.json` or `chat_template.jinja`.
#[derive(Debug)]
pub(super) struct Chat {
    pub env: Environment<'static>,
    pub time_asked: TimeAsked,
    /// Variables beside the conversation.
    pub variables: Fields,
    /// System message of conversations without one.
    pub system: Option<String>,
    /// The built-in template that it is. Those know `message.input`, which for others is put behind the content.
    pub builtin: Option<&'static Builtin>,
    /// Whether the template expects a call's arguments as an object: it would quote JSON text once more.
    pub objects: bool,
    /// Texts of tokens that end a message.
    pub ends: Vec<String>,
}

/// A rendered conversation.
#[derive(Debug)]
pub(super) struct Rendered {
    pub text: String,
    /// What `{% generation %}` blocks have rendered.
    pub blocks: Vec<Range<usize>>,
    /// How many messages it has, if it ends with the last of them and not with the generation prompt.
    pub through: Option<usize>,
}

impl Chat {
    pub fn new(source: &str, date: Option<Date>) -> Result<Self> {
        let (mut env, time_asked) = jinja::chat_environment(date);
        env.add_template_owned("chat", jinja::chat_source(source)).map_err(|e| {
            let line = e.line().map_or(String::new(), |line| format!(" in line {line}"));
            invalid(format!("the chat template cannot be read{line}: {e}"))
        })?;
        Ok(Self {
            env,
            time_asked,
            variables: Fields::new(),
            system: None,
            builtin: None,
            objects: false,
            ends: Vec::new(),
        })
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
        let tools = list(record, "tools")?;
        if let Some(builtin) = self.builtin {
            plain(builtin, &tools, &mut messages)?;
        }
        if self.objects {
            parsed_arguments(&mut messages)?;
        }
        Ok(Conversation::new(messages, tools, list(record, "documents")?))
    }

    /// Finds [`Chat::objects`] by rendering a call with its arguments in both forms.
    pub fn expects_objects(&self) -> bool {
        let writes = |arguments: Value| {
            let function = json!({ "name": "f", "arguments": arguments });
            let call = json!({ "id": "abcdefghi", "type": "function", "function": function });
            let user = json!({ "role": "user", "content": "x" });
            let messages = vec![user, json!({ "role": "assistant", "content": "", "tool_calls": [call] })];
            let talk = Conversation::new(messages, Value::Null, Value::Null);
            let text = self.rendered(&talk, 2, false).unwrap_or_default();
            text.contains("needle") && !text.contains(r#"\"needle\""#)
        };
        writes(json!({ "needle": "x" })) && !writes(json!(r#"{"needle": "x"}"#))
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
        let mut user = if self.builtin.is_some() || input.is_empty() {
            json!({ "role": "user", "content": task })
        } else {
            json!({ "role": "user", "content": format!("{task}\n{input}") })
        };
        if self.builtin.is_some() && !input.is_empty() {
            user["input"] = input.into();
        }
        let mut messages = earlier(record)?;
        messages.push(user);
        messages.extend(fields::answer(record).map(|answer| json!({ "role": "assistant", "content": answer })));
        Ok(messages)
    }

    /// The first so many messages as text; `generate`: up to where the assistant's next one begins.
    pub fn render(&self, talk: &Conversation, messages: usize, generate: bool) -> Result<Rendered> {
        let rendered = self.rendered(talk, messages, generate).map_err(|e| self.failure(talk, messages, &e))?;
        let (text, blocks) = jinja::blocks(&rendered);
        Ok(Rendered { text, blocks, through: (!generate).then_some(messages) })
    }

    fn rendered(&self, talk: &Conversation, messages: usize, generate: bool) -> Result<String, minijinja::Error> {
        self.rendered_as(talk, talk.seen().messages[..messages].to_vec(), generate)
    }

    /// These messages in the place of the conversation's, as text with the marks of `{% generation %}` blocks.
    pub fn rendered_as(
        &self,
        talk: &Conversation,
        messages: Vec<minijinja::Value>,
        generate: bool,
    ) -> Result<String, minijinja::Error> {
        let mut variables = self.variables.clone();
        let seen = talk.seen();
        variables.insert("messages".into(), messages.into());
        variables.insert("add_generation_prompt".into(), generate.into());
        variables.insert("tools".into(), seen.tools.clone());
        variables.insert("documents".into(), seen.documents.clone());
        self.env.get_template("chat")?.render(variables)
    }

    /// What the template fails on: the first message without which it does not.
    fn failure(&self, talk: &Conversation, messages: usize, e: &minijinja::Error) -> Error {
        let line = e.line().map_or(String::new(), |line| format!(" in line {line}"));
        let reason = e.detail().map_or_else(|| e.kind().to_string(), str::to_owned);
        let Some(at) = (1..=messages).find(|n| self.rendered(talk, *n, false).is_err()) else {
            return invalid(format!("the chat template fails{line}: {reason}"));
        };
        let message = &talk.messages[at - 1];
        let role = message["role"].as_str().unwrap_or_default();
        let problem = problem(format!("message {at} ({role}): the chat template fails{line}: {reason}"));
        let keys: Vec<_> = message.as_object().into_iter().flatten().map(|(key, _)| format!("`{key}`")).collect();
        Error::invalid(match role {
            "system" | "developer" => problem.help(
                "if the template takes no system message, put its text in front of the first user message, or choose \
                 another template",
            ),
            _ => problem.help(format!(
                "the message has {}; give it what the template reads, choose another template, or leave the row out",
                keys.join(", ")
            )),
        })
    }

    /// What of the answers at `spans` is trained: all of it, or what the template marks with `{% generation %}`. `all`:
    /// whether they are all the answers that there are.
    pub fn learned(full: &Rendered, spans: Vec<Range<usize>>, all: bool) -> Vec<Range<usize>> {
        if full.blocks.is_empty() {
            return spans;
        }
        let within = |block: &Range<usize>| match all {
            true => spans.last().is_none_or(|last| block.start <= last.end),
            false => spans.iter().any(|span| block.start <= span.end && block.end > span.start),
        };
        full.blocks.iter().filter(|block| !block.is_empty() && within(block)).cloned().collect()
    }
}

#[cfg(test)]
#[path = "chat_tests.rs"]
mod tests;
