//! Conversations as files have them, as the field `messages`, which chat templates read.
//!
//! Messages with a `role` are handed on as they are, with all their keys: templates know more of them than we do. Other
//! shapes become such messages: ShareGPT's `conversations` (`from`, `value`), also with `function_call` and
//! `observation`, lists of messages in `prompt` and `completion`, and OpenAI's earlier form of tools (`functions`,
//! `function_call`, the role `function`), which templates leave out without a word.

use crate::{fields, input::Place, rows::Fault};
use framework_sdk::{
    Record,
    serde_json::{self, Value, json},
};

/// The record with its conversation, if it has one, as `messages`, and its `tools` as a list. `field` names the
/// conversation's field; without it, `messages` and `conversations` are looked for, and lists in `prompt` and
/// `completion`.
pub fn normalized(mut object: Record, field: Option<&str>, place: &Place) -> Result<Record, Fault> {
    tools(&mut object, place)?;
    let compared = answers(&mut object, place)?;
    let is_list = |name: &str| object.get(name).is_some_and(Value::is_array);
    let known = ["messages", "conversations"].into_iter().find(|name| object.contains_key(*name));
    let messages = match field.or(known) {
        Some(field) => messages(&mut object, field, compared, place)?,
        None if compared && is_list("prompt") => messages(&mut object, "prompt", compared, place)?,
        None if is_list("prompt") && is_list("completion") => completion(&mut object, place)?,
        None => return Ok(object),
    };
    object.insert("messages".into(), messages);
    Ok(object)
}

/// The messages of `chosen` and `rejected`, two answers to one task, as messages with `role` and `content`; texts stay as
/// they are. Whether the row has both.
fn answers(object: &mut Record, place: &Place) -> Result<bool, Fault> {
    let there = |name: &str| object.get(name).is_some_and(|value| !value.is_null());
    let both = COMPARED.iter().all(|name| there(name));
    for name in COMPARED.iter().filter(|_| both) {
        let answer = match object.get(*name).cloned() {
            Some(Value::Array(turns)) => read(turns, name, place)?,
            Some(Value::Object(turn)) => read(vec![Value::Object(turn)], name, place)?,
            _ => continue,
        };
        answered(&answer, name, place)?;
        object.insert((*name).to_owned(), Value::Array(answer));
    }
    Ok(both)
}

/// Fields of two answers to one task.
pub const COMPARED: [&str; 2] = ["chosen", "rejected"];

/// `tools` as a list: many data sets store it as JSON text. OpenAI's `functions` are tools of one type.
fn tools(object: &mut Record, place: &Place) -> Result<(), Fault> {
    listed(object, "tools", place)?;
    if object.get("tools").is_some_and(|tools| !tools.is_null()) || !object.contains_key("messages") {
        return Ok(());
    }
    listed(object, "functions", place)?;
    if let Some(Value::Array(functions)) = object.get("functions") {
        let tools = functions.iter().map(|function| json!({"type": "function", "function": function})).collect();
        object.shift_remove("functions");
        object.insert("tools".into(), tools);
    }
    Ok(())
}

/// A list of tools as a list of objects: many data sets store the list, or each tool in it, as JSON text.
fn listed(object: &mut Record, field: &str, place: &Place) -> Result<(), Fault> {
    let wrong = |what: String| place.wrong(format!("the field `{field}` {what}; expected JSON of a list of tools"));
    let mut list = match object.get(field) {
        Some(Value::String(text)) if text.trim().is_empty() => {
            object.shift_remove(field);
            return Ok(());
        }
        Some(Value::String(text)) => match serde_json::from_str(text) {
            Ok(Value::Array(list)) => list,
            Ok(other) => return Err(wrong(format!("is text with {}", fields::kind(&other)))),
            Err(e) => return Err(wrong(format!("is text that is not JSON ({e})"))),
        },
        Some(Value::Array(list)) => list.clone(),
        _ => return Ok(()),
    };
    for (i, tool) in list.iter_mut().enumerate() {
        parsed(tool);
        if tool.is_string() {
            return Err(wrong(format!("has text that is no JSON object as its element {}", i + 1)));
        }
    }
    object.insert(field.into(), list.into());
    Ok(())
}

/// Replaces JSON text of an object by the object: so columns hold objects whose keys differ.
fn parsed(value: &mut Value) {
    if let Value::String(text) = value
        && let Ok(object @ Value::Object(_)) = serde_json::from_str(text)
    {
        *value = object;
    }
}

/// OpenAI's `messages`, or ShareGPT's `conversations`, as messages with `role` and `content`. They end with an answer, unless
/// there are two that are `compared`.
fn messages(object: &mut Record, field: &str, compared: bool, place: &Place) -> Result<Value, Fault> {
    let turns = match object.shift_remove(field) {
        Some(Value::Array(turns)) => turns,
        // JSON text of a list, as columns of CSV-like tables have it.
        Some(Value::String(text)) if text.trim_start().starts_with('[') => match serde_json::from_str(&text) {
            Ok(Value::Array(turns)) => turns,
            Ok(_) => Vec::new(),
            Err(e) => return Err(place.wrong(format!("the field `{field}` is text that is not JSON ({e})"))),
        },
        Some(other) => {
            let found = fields::kind(&other);
            return Err(place.wrong(format!("the field `{field}` is {found}; expected a list of messages")));
        }
        None => {
            let names = fields::names(object);
            return Err(place.wrong(format!("there is no field `{field}`, only {names}; name it with `conversation`")));
        }
    };
    let mut messages = read(turns, field, place)?;
    // ShareGPT's files may have the system message beside the conversation.
    let led = messages.first().is_some_and(|first| first["role"] == "system" || first["role"] == "developer");
    if !led && let Some(system) = fields::take(object, "system", place)?.filter(|text| !text.trim().is_empty()) {
        messages.insert(0, json!({"role": "system", "content": system}));
    }
    if !compared {
        answered(&messages, field, place)?;
    }
    Ok(Value::Array(messages))
}

/// TRL's conversations in two parts, of which only the second is trained.
fn completion(object: &mut Record, place: &Place) -> Result<Value, Fault> {
    let mut part = |name: &str| match object.shift_remove(name) {
        Some(Value::Array(turns)) => read(turns, name, place),
        _ => Ok(Vec::new()),
    };
    let mut messages = part("prompt")?;
    for message in messages.iter_mut().filter(|message| message["role"] == "assistant") {
        message["weight"] = 0.into();
    }
    messages.extend(part("completion")?);
    answered(&messages, "completion", place)?;
    Ok(Value::Array(messages))
}

/// Refuses a conversation without an answer at its end: nothing would be learned from it, or not what was meant.
fn answered(messages: &[Value], field: &str, place: &Place) -> Result<(), Fault> {
    const RESULTS: [&str; 5] = ["tool", "function", "observation", "ipython", "tool_results"];
    let spoken = |message: &&Value| message["role"].as_str().is_none_or(|role| !RESULTS.contains(&role));
    match messages.iter().rev().find(spoken).map(|message| &message["role"]) {
        Some(role) if *role == "assistant" => Ok(()),
        Some(role) => {
            Err(place.wrong(format!("`{field}` ends with the {role} message; expected the assistant's answer")))
        }
        None => Err(place.wrong(format!("`{field}` has no messages"))),
    }
}

fn read(mut turns: Vec<Value>, field: &str, place: &Place) -> Result<Vec<Value>, Fault> {
    turns.iter_mut().for_each(parsed);
    functions(&mut turns);
    let read =
        |(i, turn)| message(turn).map_err(|wrong| place.wrong(format!("message {} of `{field}` {wrong}", i + 1)));
    turns.into_iter().enumerate().map(read).collect()
}

/// Calls and results in OpenAI's earlier form, as calls of tools.
fn functions(turns: &mut [Value]) {
    let calls = |turn: &Value| turn["function_call"].is_object();
    if !turns.iter().any(calls) {
        return;
    }
    for turn in turns.iter_mut().filter_map(Value::as_object_mut) {
        if let Some(call @ Value::Object(_)) = turn.shift_remove("function_call") {
            turn.insert("tool_calls".into(), json!([{"type": "function", "function": call}]));
        }
        if turn.get("role").is_some_and(|role| role == "function") {
            turn.insert("role".into(), "tool".into());
        }
    }
}

/// One message; what is wrong with it otherwise.
fn message(turn: Value) -> Result<Value, String> {
    let Value::Object(mut turn) = turn else {
        return Err(format!("is {}; expected an object", fields::kind(&turn)));
    };
    if let Some(Value::String(role)) = turn.get("role") {
        if let Some(role) = alias(role) {
            turn.insert("role".into(), role.into());
        }
        let empty = turn.get("content").is_none_or(Value::is_null);
        if empty && !["tool_calls", "reasoning_content", "reasoning", "thinking"].iter().any(|key| there(&turn, key)) {
            return Err("has no text in `content`".into());
        }
        return Ok(Value::Object(turn));
    }
    let (Some(Value::String(speaker)), value) = (turn.shift_remove("from"), turn.shift_remove("value")) else {
        return Err(format!("has no `role` or `from`, only {}", fields::names(&turn)));
    };
    let Some(Value::String(text)) = value.or_else(|| turn.shift_remove("content")) else {
        return Err("has no text in `value`".into());
    };
    let mut message = match speaker.to_ascii_lowercase().as_str() {
        "function_call" => call(&text)?,
        "observation" | "tool" | "function" => json!({"role": "tool", "content": text}),
        role @ ("system" | "user" | "assistant" | "developer") => json!({"role": role, "content": text}),
        other => match alias(other) {
            Some(role) => json!({"role": role, "content": text}),
            None => return Err(format!("is from `{speaker}`, which is no role; {ROLES}")),
        },
    };
    if let Value::Object(message) = &mut message {
        // `weight` and the like
        for (key, value) in turn {
            message.entry(key).or_insert(value);
        }
    }
    Ok(message)
}

const ROLES: &str = "expected system, human (user), gpt (assistant), function_call or observation (tool)";

fn there(message: &Record, key: &str) -> bool {
    message.get(key).is_some_and(|value| match value {
        Value::Null => false,
        Value::Array(list) => !list.is_empty(),
        _ => true,
    })
}

/// The role's name in chat templates, for names that none of them knows.
fn alias(speaker: &str) -> Option<&'static str> {
    match speaker.to_ascii_lowercase().as_str() {
        "human" => Some("user"),
        "gpt" | "chatgpt" | "bot" | "model" | "bard" | "bing" => Some("assistant"),
        _ => None,
    }
}

/// A call, or several, in the text of a ShareGPT message: `{"name": …, "arguments": {…}}`.
fn call(text: &str) -> Result<Value, String> {
    let wrong = |what: &str| format!("is a `function_call` {what}; expected {{\"name\": …, \"arguments\": {{…}}}}");
    let calls: Value = serde_json::from_str(text).map_err(|e| wrong(&format!("that is not JSON ({e})")))?;
    let calls = match calls {
        Value::Array(calls) => calls,
        one => vec![one],
    };
    let function = |mut call: Value| match call["name"].is_string() {
        true => {
            // Templates read arguments as an object, whichever way the file has them.
            if let Some(arguments) = call["arguments"].as_str().and_then(|text| serde_json::from_str(text).ok()) {
                call["arguments"] = arguments;
            }
            Ok(json!({"type": "function", "function": call}))
        }
        false => Err(wrong("without a `name`")),
    };
    let calls = calls.into_iter().map(function).collect::<Result<Vec<_>, _>>()?;
    Ok(json!({"role": "assistant", "content": null, "tool_calls": calls}))
}

/// Without members that are null: a column of objects has every member in all of its rows, so that arguments of one
/// tool would turn up in the calls of another.
pub fn without_nulls(value: &mut Value) {
    match value {
        Value::Object(object) => {
            object.retain(|_, value| !value.is_null());
            object.values_mut().for_each(without_nulls);
        }
        Value::Array(list) => list.iter_mut().for_each(without_nulls),
        _ => {}
    }
}

#[cfg(test)]
#[path = "conversation_tests.rs"]
mod tests;
