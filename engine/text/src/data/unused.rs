//! What a row has and its template does not render. That is no error: a chat template of a model that does not think
//! leaves thoughts out. But it is told.

use super::{
    Example, answer,
    conversation::{Conversation, THOUGHTS},
};
use serde_json::Value;

/// What the examples of a conversation lack, in words.
pub(super) fn unused(talk: &Conversation, answers: &[usize], examples: &[Example]) -> Vec<String> {
    let Some(last) = examples.last().map(text) else { return Vec::new() };
    let mut found = Vec::new();
    if lacks_thoughts(talk, answers, examples) {
        found.push("thoughts of the assistant".to_owned());
    }
    for (name, list) in [("tools", &talk.tools), ("documents", &talk.documents)] {
        if list.as_array().is_some_and(|list| list.iter().any(|entry| !occurs(entry, &last))) {
            found.push(format!("`{name}`"));
        }
    }
    let mut from = 0;
    for message in &talk.messages {
        let said = answer::text(message);
        let (Some(role), Some(word)) = (message["role"].as_str(), longest_word(&said)) else { continue };
        // Messages come in order: most are found right behind the one before.
        if let Some(at) = last[from..].find(word) {
            from += at;
        } else if role != "assistant" && !last.contains(word) {
            let what = format!("messages of the role `{role}`");
            found.extend((!found.contains(&what)).then_some(what));
        }
    }
    found
}

/// Whether the thoughts of a trained message are in no response.
fn lacks_thoughts(talk: &Conversation, answers: &[usize], examples: &[Example]) -> bool {
    let thoughts = answers.iter().filter_map(|at| thoughts(&talk.messages[*at])).collect::<Vec<_>>();
    if thoughts.is_empty() {
        return false;
    }
    let turns = examples.iter().flat_map(|example| match example {
        Example::Turns { turns, .. } => turns.as_slice(),
        Example::Text(_) => &[],
    });
    let responses = turns.flat_map(|turn| turn.response.split_whitespace()).collect::<String>();
    thoughts.iter().any(|thoughts| !responses.contains(thoughts))
}

/// What the message has as thoughts, in a field or in a block of its content, without white space.
fn thoughts(message: &Value) -> Option<String> {
    let said = answer::text(message);
    let field = THOUGHTS.iter().find_map(|name| message[*name].as_str());
    let block = || said.split_once("</think>").map(|(before, _)| before.split("<think>").last().unwrap_or_default());
    let bare: String = field.or_else(block)?.split_whitespace().collect();
    Some(bare).filter(|bare| !bare.is_empty())
}

/// Whether the longest word of a tool or document is in the text. A tool's is its name's, because templates write
/// descriptions in other forms.
fn occurs(entry: &Value, text: &str) -> bool {
    let name = entry["function"]["name"].as_str().or(entry["name"].as_str());
    let all = || fields_of(entry).max_by_key(|text| text.len());
    name.map(str::to_owned).or_else(all).is_none_or(|said| longest_word(&said).is_none_or(|word| text.contains(word)))
}

fn fields_of(entry: &Value) -> impl Iterator<Item = String> {
    let values: Vec<_> = match entry {
        Value::Object(fields) => fields.values().filter_map(Value::as_str).map(str::to_owned).collect(),
        Value::String(text) => vec![text.clone()],
        _ => Vec::new(),
    };
    values.into_iter()
}

/// The longest run of letters and digits, which no template writes otherwise.
fn longest_word(text: &str) -> Option<&str> {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.max_by_key(|word| word.len())
}

fn text(example: &Example) -> String {
    match example {
        Example::Turns { turns, rest } => {
            turns.iter().flat_map(|turn| [turn.prompt.as_str(), &turn.response]).collect::<String>() + rest
        }
        Example::Text(text) => text.clone(),
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        data::{Template, test::record},
        tokenizer::tests::trained,
    };
    use serde_json::{Value, json};

    fn unused(template: &str, row: Value) -> Vec<String> {
        let examples = Template::new(template, &trained()).unwrap().examples(&record(row)).unwrap();
        examples.iter().flat_map(|example| example.unused().to_vec()).collect()
    }

    #[test]
    fn thoughts_in_fields_and_blocks_are_missed_where_the_template_has_no_form_for_them() {
        let user = json!({ "role": "user", "content": "Why?" });
        for name in ["reasoning_content", "thinking", "reasoning"] {
            let answer = json!({ "role": "assistant", "content": "So.", name: "It is spring." });
            let row = json!({ "messages": [user, answer] });
            assert_eq!(unused("chatml", row.clone()), ["thoughts of the assistant"], "{name}");
            assert!(unused("deepseek-r1", row).is_empty());
        }
        let strips = "{% for m in messages %}{{ m.content.split('</think>')[-1] }}{{ eos_token }}{% endfor %}";
        let row = json!({ "messages": [user, { "role": "assistant", "content": "<think>\nSpring.</think>So." }] });
        assert_eq!(unused(strips, row.clone()), ["thoughts of the assistant"]);
        assert!(unused("chatml", row).is_empty());
    }

    #[test]
    fn tools_documents_and_messages_that_no_text_comes_of_are_named() {
        let template =
            "{% for m in messages if m.role in ['user', 'assistant'] %}{{ m.content }}{{ eos_token }}{% endfor %}";
        let messages = json!([
            { "role": "system", "content": "Be brief." }, { "role": "user", "content": "Rain?" },
            { "role": "tool", "content": "sunny" }, { "role": "assistant", "content": "No." },
        ]);
        let tools = json!([{ "type": "function", "function": { "name": "weather" } }]);
        let documents = json!([{ "title": "A", "text": "Forecast of the day" }]);
        let row = json!({ "messages": messages, "tools": tools, "documents": documents });
        let expected = ["`tools`", "`documents`", "messages of the role `system`", "messages of the role `tool`"];
        assert_eq!(unused(template, row), expected);
        let all = "{{ tools | tojson }}{{ documents | tojson }}{% for m in messages %}{{ m.content + eos_token }}{% endfor %}";
        assert!(unused(all, json!({ "messages": messages, "tools": tools, "documents": documents })).is_empty());
    }
}
