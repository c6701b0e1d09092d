//! Prompt templates as chat templates that transformers renders alike.

use super::{
    builtin::{BUILTIN, Builtin},
    compile::{is_chat, own},
};
use crate::tokenizer::Tokenizer;
use framework_recipe::Prompt;
use serde_json::Value;
use std::fmt::Write;

/// A chat template that gives the same prompts as the recipe's template, for programs that know neither the recipe nor
/// its variables; none for templates that read records instead of messages.
pub fn chat_template(prompt: &Prompt, tokenizer: &Tokenizer) -> Option<String> {
    let given = prompt.template.as_str();
    let builtin = BUILTIN.iter().find(|b| b.name == given);
    let name = given.strip_prefix("chat").filter(|rest| rest.is_empty() || rest.starts_with(':'));
    let source = match (builtin, name) {
        (Some(builtin), _) => builtin.source,
        (None, Some(name)) => own(name.strip_prefix(':'), tokenizer).ok()?,
        (None, None) if is_chat(given) => given,
        (None, None) => return None,
    };
    let mut head = String::new();
    for (key, value) in &prompt.variables {
        let _ = write!(head, "{{%- if {key} is not defined %}}{{%- set {key} = {} %}}{{%- endif %}}", literal(value));
    }
    if name.is_none() {
        head += &tokens(source, builtin, tokenizer);
    }
    if let Some(system) = &prompt.system {
        let message = format!("{{'role': 'system', 'content': {}}}", quoted(system));
        let _ = write!(
            head,
            "{{%- if not messages or messages[0]['role'] not in ['system', 'developer'] %}}\
             {{%- set messages = ([{message}] + messages) | list %}}{{%- endif %}}"
        );
    }
    if let Some(begin) = builtin.filter(|b| b.add_special).map(|_| beginning(tokenizer)).filter(|b| !b.is_empty()) {
        let _ = write!(head, "{{{{- {} }}}}", quoted(&begin));
    }
    Some(head + source)
}

/// What transformers does not hand to a template although this project does: tokens without a name in the tokenizer's
/// files, and what ends a message.
fn tokens(source: &str, builtin: Option<&Builtin>, tokenizer: &Tokenizer) -> String {
    let (known, mut all) = (tokenizer.named_tokens(), tokenizer.special_tokens());
    if let Some(builtin) = builtin {
        all.insert("end".to_owned(), builtin.end_for(tokenizer));
    }
    let missing = all.iter().filter(|(name, _)| !known.contains_key(*name) && source.contains(name.as_str()));
    missing.map(|(name, text)| format!("{{%- set {name} = {} %}}", quoted(text))).collect()
}

/// What the tokenizer puts before a sequence, in words: chat templates are encoded without it.
fn beginning(tokenizer: &Tokenizer) -> String {
    let ids = tokenizer.encode_open("", true).unwrap_or_default();
    ids.iter().filter_map(|id| tokenizer.token(*id)).collect()
}

fn quoted(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('\'', "\\'").replace('\n', "\\n").replace('\r', "\\r");
    format!("'{escaped}'")
}

/// A value as Jinja writes it.
fn literal(value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::String(text) => quoted(text),
        Value::Array(list) => format!("[{}]", list.iter().map(literal).collect::<Vec<_>>().join(", ")),
        Value::Object(table) => {
            let pairs: Vec<_> =
                table.iter().map(|(key, value)| format!("{}: {}", quoted(key), literal(value))).collect();
            format!("{{{}}}", pairs.join(", "))
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{data::Template, tokenizer::tests::trained};
    use framework_core::Record;
    use serde_json::json;

    /// The prompt of the exported template as `chat` is that of the recipe's own.
    #[test]
    fn prompts_stay_the_same() {
        let tokenizer = trained();
        let names = BUILTIN.iter().map(|b| b.name.to_owned());
        let inline =
            "{% for m in messages %}<{{ m.role }}>{{ m.content + eos_token }}{% endfor %}{{ tone }}".to_owned();
        for template in names.chain([inline]) {
            for system in [None, Some("It's \\ calm.\n".to_owned())] {
                let variables = json!({ "tone": "low", "list": [1, null, true] }).as_object().unwrap().clone();
                let prompt = Prompt { template: template.clone(), system, variables, ..Prompt::default() };
                let exported = tokenizer.with_chat_template(&chat_template(&prompt, &tokenizer).unwrap());
                let ours = Template::of(&prompt, &tokenizer).unwrap();
                let theirs = Template::new("chat", &exported).unwrap();
                let record: Record = json!({ "messages": [
                    { "role": "user", "content": "Hello" }, { "role": "assistant", "content": "Hi." },
                    { "role": "user", "content": "你好 <b>" },
                ] })
                .as_object()
                .unwrap()
                .clone();
                assert_eq!(ours.prompt(&record).unwrap(), theirs.prompt(&record).unwrap(), "{template}");
            }
        }
        let records = Prompt { template: "Q: {{ instruction }} {{ output }}".into(), ..Prompt::default() };
        assert_eq!(chat_template(&records, &tokenizer), None);
    }
}
