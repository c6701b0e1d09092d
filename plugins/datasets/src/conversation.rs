//! Conversations as files have them, as the field `messages`.

use crate::{fields, input::Place, rows::Fault};
use framework_sdk::{
    Record,
    serde_json::{Value, json},
};

/// OpenAI's `messages`, or ShareGPT's `conversations`, as messages with `role` and `content`.
pub fn messages(object: &mut Record, field: &str, place: &Place) -> Result<Value, Fault> {
    let turns = match object.shift_remove(field) {
        Some(Value::Array(turns)) => turns,
        Some(other) => {
            let found = fields::kind(&other);
            return Err(place.wrong(format!("the field `{field}` is {found}; expected a list of messages")));
        }
        None => {
            let names = fields::names(object);
            return Err(place.wrong(format!("there is no field `{field}`, only {names}; name it with `conversation`")));
        }
    };
    let mut messages = Vec::new();
    // ShareGPT's files may have the system message beside the conversation.
    if let Some(system) = fields::take(object, "system", place)?.filter(|text| !text.trim().is_empty()) {
        messages.push(json!({"role": "system", "content": system}));
    }
    for (i, turn) in turns.into_iter().enumerate() {
        let wrong = |message: String| place.wrong(format!("message {} of `{field}` {message}", i + 1));
        let Value::Object(mut turn) = turn else {
            return Err(wrong(format!("is {}; expected an object", fields::kind(&turn))));
        };
        let speaker = turn.shift_remove("role").or_else(|| turn.shift_remove("from"));
        let Some(Value::String(speaker)) = speaker else {
            return Err(wrong(format!("has no `role` or `from`, only {}", fields::names(&turn))));
        };
        let role = role(&speaker).ok_or_else(|| wrong(format!("is from `{speaker}`, which is no role; {ROLES}")))?;
        let content = turn.shift_remove("content").or_else(|| turn.shift_remove("value"));
        let content = match content {
            Some(Value::Array(parts)) => parts.into_iter().map(part).collect::<Option<String>>().map(Value::String),
            Some(text @ Value::String(_)) => Some(text),
            // A message that only calls tools.
            Some(Value::Null) | None if turn.contains_key("tool_calls") => Some(Value::Null),
            _ => None,
        };
        let content = content.ok_or_else(|| wrong("has no text in `content` or `value`".into()))?;
        let mut message = Record::new();
        message.insert("role".into(), role.into());
        message.insert("content".into(), content);
        // Calls of tools and the like, which chat templates know by these names.
        message.extend(turn.into_iter().filter(|(key, _)| KEPT.contains(&key.as_str())));
        messages.push(Value::Object(message));
    }
    match messages.iter().rev().find(|message| message["role"] != "tool").map(|message| &message["role"]) {
        Some(role) if *role == "assistant" => Ok(Value::Array(messages)),
        Some(role) => {
            Err(place.wrong(format!("`{field}` ends with the {role} message; expected the assistant's answer")))
        }
        None => Err(place.wrong(format!("`{field}` has no messages"))),
    }
}

const ROLES: &str = "expected system, user (human), assistant (gpt) or tool";
const KEPT: [&str; 5] = ["name", "tool_calls", "tool_call_id", "reasoning_content", "thinking"];

/// The role's name in chat templates.
fn role(speaker: &str) -> Option<&'static str> {
    Some(match speaker.to_ascii_lowercase().as_str() {
        "system" | "developer" => "system",
        "user" | "human" => "user",
        "assistant" | "gpt" | "chatgpt" | "bot" | "model" | "bard" | "bing" => "assistant",
        "tool" | "function" | "observation" => "tool",
        _ => return None,
    })
}

/// The text of one part of a message.
fn part(part: Value) -> Option<String> {
    match part {
        Value::String(text) => Some(text),
        Value::Object(mut part) => {
            let is_text = part.get("type").is_none_or(|kind| kind == "text");
            match part.shift_remove("text") {
                Some(Value::String(text)) if is_text => Some(text),
                _ => None,
            }
        }
        _ => None,
    }
}
