//! Rows of preferences: a task with two answers, of which one is chosen, or an answer that is wanted or not.
//!
//! They come in the shapes that TRL and LLaMA-Factory read. `chosen` and `rejected` are texts, messages, or lists of
//! messages. The task is the record's own: `prompt` (a text or messages), `messages`, or an instruction. Without one it is
//! what both answers begin with.

use super::{
    conversation::task_messages,
    fields::{self, ANSWER},
    template::problem,
};
use framework_base::{Error, Result};
use framework_core::Record;
use framework_recipe::{Objective, Rows};
use serde_json::{Value, json};

/// Fields with a pair's answers.
pub(super) const SIDES: [&str; 2] = ["chosen", "rejected"];
/// Fields that say whether an answer is wanted.
const LABELS: [&str; 2] = ["label", "kto_tag"];
const SHAPE: &str =
    "rows of pairs have `chosen` and `rejected` beside the task (`prompt`, `messages` or an instruction)";

/// What an objective reads of rows.
#[derive(Debug, Clone, Default)]
pub(super) struct Reads {
    pub rows: Rows,
    /// The field with the row's weight.
    weight: Option<String>,
}

impl Reads {
    pub fn of(objective: &Objective) -> Self {
        Self { rows: objective.name.rows(), weight: objective.row_weight.clone() }
    }

    /// What a row counts: negative for an answer that is not wanted.
    pub fn weight(&self, record: &Record) -> Result<f32> {
        match self.rows {
            Rows::Judged => Ok(if wanted(record)? { 1.0 } else { -1.0 }),
            _ => self.weight.as_ref().map_or(Ok(1.0), |field| number(record, field)),
        }
    }

    /// Whether rows may count differently.
    pub fn weighs(&self) -> bool {
        self.rows == Rows::Judged || self.weight.is_some()
    }
}

fn wanted(record: &Record) -> Result<bool> {
    let label = LABELS.iter().find_map(|name| record.get(*name).filter(|label| !label.is_null()));
    let refused = |what: String| {
        Err(Error::invalid(
            problem(what).help("rows have a `label`: true for an answer that is wanted, false for one that is not"),
        ))
    };
    match label {
        Some(Value::Bool(wanted)) => Ok(*wanted),
        Some(Value::Number(n)) if n.as_f64() == Some(1.0) => Ok(true),
        Some(Value::Number(n)) if n.as_f64() == Some(0.0) => Ok(false),
        Some(Value::String(text)) if text.eq_ignore_ascii_case("true") => Ok(true),
        Some(Value::String(text)) if text.eq_ignore_ascii_case("false") => Ok(false),
        Some(other) => refused(format!("the record's label is {other}, not true or false")),
        None => refused(format!("the record has no `label`: it has {}", fields::keys(record))),
    }
}

fn number(record: &Record, field: &str) -> Result<f32> {
    let weight = record.get(field).filter(|weight| !weight.is_null());
    let text = weight.and_then(Value::as_str).and_then(|text| text.trim().parse().ok());
    match weight.and_then(Value::as_f64).or(text) {
        Some(weight) if weight.is_finite() && weight >= 0.0 => Ok(weight as f32),
        _ => {
            let found = match weight {
                Some(other) => format!("`{field}` of the record is {other}, not a number from 0 on"),
                None => format!("the record has no `{field}`: it has {}", fields::keys(record)),
            };
            Err(Error::invalid(problem(found).help("`objective.row_weight` names the field with each row's weight")))
        }
    }
}

/// A row of a pair as two rows, the chosen answer's first.
pub(super) fn sides(record: &Record) -> Result<[Record; 2]> {
    let mut found = [Value::Null, Value::Null];
    for (value, name) in found.iter_mut().zip(SIDES) {
        *value = record.get(name).filter(|value| !value.is_null()).cloned().ok_or_else(|| {
            let message = format!("the record has no `{name}`: it has {}", fields::keys(record));
            Error::invalid(problem(message).help(SHAPE))
        })?;
    }
    let mut task = record.clone();
    task.retain(|name, _| !SIDES.contains(&name.as_str()) && !ANSWER.contains(&name.as_str()));
    let [chosen, rejected] = &found;
    if chosen == rejected {
        let help = "leave such rows out: nothing can be learned from them";
        return Err(Error::invalid(problem("`chosen` and `rejected` of the record are the same").help(help)));
    }
    match (chosen, rejected) {
        (Value::String(a), Value::String(b)) => texts(task, a, b),
        _ => talks(task, [messages(chosen), messages(rejected)]),
    }
}

/// Two texts as answers.
fn texts(task: Record, chosen: &str, rejected: &str) -> Result<[Record; 2]> {
    if opening(&task).is_some() {
        return talks(task, [chosen, rejected].map(|text| vec![json!({ "role": "assistant", "content": text })]));
    }
    let with = |mut record: Record, answer: &str| {
        record.insert("output".into(), answer.into());
        record
    };
    if fields::task(&task).is_some() {
        return Ok([with(task.clone(), chosen), with(task, rejected)]);
    }
    let common: usize =
        chosen.chars().zip(rejected.chars()).take_while(|(a, b)| a == b).map(|(c, _)| c.len_utf8()).sum();
    // A space belongs to the word behind it.
    let prompt = chosen[..common].trim_end_matches(' ');
    if prompt.trim().is_empty() {
        let message =
            format!("the record has no task, and its answers begin differently: it has {}", fields::keys(&task));
        return Err(Error::invalid(problem(message).help(SHAPE)));
    }
    let mut record = task;
    record.insert("instruction".into(), prompt.into());
    Ok([with(record.clone(), &chosen[prompt.len()..]), with(record, &rejected[prompt.len()..])])
}

/// The messages before the answers, if the record has a list of them.
fn opening(task: &Record) -> Option<Vec<Value>> {
    ["messages", "prompt"].iter().find_map(|name| task.get(*name)?.as_array().cloned())
}

/// One message or a list of them; a text is the assistant's.
fn messages(answer: &Value) -> Vec<Value> {
    match answer {
        Value::Array(list) => list.clone(),
        Value::Object(_) => vec![answer.clone()],
        text => vec![json!({ "role": "assistant", "content": fields::as_text(text) })],
    }
}

/// Two conversations, in which the assistant's messages before the answers are not trained.
fn talks(task: Record, [mut chosen, mut rejected]: [Vec<Value>; 2]) -> Result<[Record; 2]> {
    let mut prompt = match (opening(&task), fields::task(&task)) {
        (Some(messages), _) => messages,
        (None, Some(instruction)) => task_messages(&task, instruction)?,
        (None, None) => Vec::new(),
    };
    if prompt.is_empty() {
        let last = chosen.len().min(rejected.len()).saturating_sub(1);
        let common = chosen.iter().zip(&rejected).take(last).take_while(|(a, b)| a == b).count();
        prompt = chosen.drain(..common).collect();
        rejected.drain(..common);
    }
    for message in prompt.iter_mut().filter(|message| message["role"] == "assistant") {
        message["weight"] = 0.into();
    }
    let mut rest = task;
    rest.retain(|name, _| ["tools", "documents"].contains(&name.as_str()));
    let with = |answer: Vec<Value>| {
        let mut record = rest.clone();
        record.insert("messages".into(), prompt.iter().cloned().chain(answer).collect());
        record
    };
    Ok([with(chosen), with(rejected)])
}

#[cfg(test)]
#[path = "preference_tests.rs"]
mod tests;
