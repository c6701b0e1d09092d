//! The tokenizer's own chat template.

use super::{
    fields::{self, Fields},
    jinja,
    template::{invalid, problem},
};
use crate::{Error, Result, tokenizer::Tokenizer};
use framework_core::Record;
use minijinja::{Environment, value::Serde};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// A compiled chat template, as in `tokenizer_config.json` or `chat_template.jinja`.
#[derive(Debug)]
pub(super) struct Chat {
    env: Environment<'static>,
    ends: Vec<String>,
}

impl Chat {
    pub fn new(tokenizer: &Tokenizer) -> Result<Self> {
        let source = tokenizer.chat_template.clone().ok_or_else(|| {
            let problem = problem("`chat` is the tokenizer's own template, and this tokenizer has none");
            Error::invalid(
                problem.help("choose another template, or put `chat_template.jinja` beside `tokenizer.json`"),
            )
        })?;
        let mut env = jinja::chat_environment();
        env.add_template_owned("chat", source)
            .map_err(|e| invalid(format!("the tokenizer's chat template cannot be read: {e}")))?;
        let ends = tokenizer.eos.iter().filter_map(|id| tokenizer.token(*id)).collect();
        Ok(Self { env, ends })
    }

    /// The conversation up to the assistant's last message, which is about to begin.
    pub fn prompt(&self, record: &Record, special: &BTreeMap<String, String>) -> Result<String> {
        self.fill(&conversation(record)?.0, true, special)
    }

    /// What follows `prompt` when the assistant's last message is there, up to its end token.
    pub fn response(&self, record: &Record, prompt: &str, special: &BTreeMap<String, String>) -> Result<String> {
        let (mut messages, answer) = conversation(record)?;
        let answer = answer.ok_or_else(|| {
            invalid(format!("the record has no answer of the assistant: it has {}", fields::keys(record)))
        })?;
        messages.push(json!({ "role": "assistant", "content": answer }));
        let full = self.fill(&messages, false, special)?;
        // Templates go on with a line break after the end token; nobody generates that.
        let trimmed = full.trim_end();
        let end = self.ends.iter().find(|end| !end.is_empty() && trimmed.ends_with(end.as_str()));
        let full = if end.is_some() { trimmed } else { &full };
        if let Some(response) = full.strip_prefix(prompt) {
            return Ok(response.to_owned());
        }
        // Some templates begin a generated message otherwise than a given one, e.g. with `<think>`, and leave the
        // thoughts of given ones out: the answer then follows the prompt as it is.
        let same = prompt.char_indices().zip(full.chars()).find(|((_, a), b)| a != b).map(|((at, _), _)| at);
        let begun = &prompt[same.unwrap_or(prompt.len())..];
        Ok(answer.strip_prefix(begun).unwrap_or(&answer).to_owned() + end.map_or("", String::as_str))
    }

    fn fill(&self, messages: &[Value], generate: bool, special: &BTreeMap<String, String>) -> Result<String> {
        let mut variables: Fields = special.iter().map(|(k, v)| (k.clone(), v.as_str().into())).collect();
        variables.insert("messages".into(), Serde(messages).into());
        variables.insert("add_generation_prompt".into(), generate.into());
        for absent in ["tools", "documents"] {
            variables.insert(absent.into(), ().into());
        }
        let rendered = self.env.get_template("chat").and_then(|t| t.render(variables));
        rendered.map_err(|e| invalid(format!("the tokenizer's chat template fails: {e}")))
    }
}

/// The messages before the assistant's last one, and that one's content: from `messages`, or from a task and an answer.
fn conversation(record: &Record) -> Result<(Vec<Value>, Option<String>)> {
    if let Some(Value::Array(messages)) = record.get("messages") {
        let mut messages = messages.clone();
        let last = messages.pop_if(|message| message["role"] == "assistant");
        return Ok((messages, last.map(|message| fields::as_text(&message["content"]))));
    }
    let task = fields::task(record).ok_or_else(|| {
        invalid(format!(
            "the record has neither `messages` nor `instruction`, which the template `chat` reads: it has {}",
            fields::keys(record)
        ))
    })?;
    let input = record.get("input").filter(|input| !input.is_null()).map(fields::as_text).unwrap_or_default();
    let content = if input.is_empty() { task } else { format!("{task}\n{input}") };
    Ok((vec![json!({ "role": "user", "content": content })], fields::answer(record)))
}

#[cfg(test)]
mod tests {
    use crate::{
        data::{Example, Template, test::record},
        tokenizer::{Tokenizer, tests::folder},
    };
    use serde_json::json;

    /// The loop of Qwen2.5's template, without tools and the default system message.
    const QWEN: &str = "{%- for message in messages %}
        {{- '<|im_start|>' + message.role + '\\n' + message.content + '<end>' + '\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
{%- endif %}
";
    /// How DeepSeek-R1's distilled models begin a generated message.
    const R1: &str = "{{ bos_token }}{% for m in messages %}{% if m['role'] == 'user' %}{{ '<U>' + m['content'] }}\
        {% else %}{{ '<A>' + m['content'].split('</think>')[-1] + eos_token }}{% endif %}{% endfor %}\
        {% if add_generation_prompt %}{{ '<A><think>\\n' }}{% endif %}";

    fn template(source: &str) -> Template {
        let config = json!({ "eos_token": "<end>", "bos_token": "<bos>", "chat_template": source });
        let dir = folder(&config.to_string());
        Template::new("chat", &Tokenizer::load(dir.path()).unwrap()).unwrap()
    }

    fn pair(prompt: &str, response: &str) -> Example {
        Example::Pair { prompt: prompt.into(), response: response.into() }
    }

    #[test]
    fn one_turn() {
        let t = template(QWEN);
        let r = record(json!({ "instruction": "a", "input": "b", "output": "c" }));
        let expected = pair("<|im_start|>user\na\nb<end>\n<|im_start|>assistant\n", "c<end>");
        assert_eq!(t.render(&r).unwrap(), expected);
        assert!(!t.adds_special("anything"), "the template itself begins the sequence");
    }

    #[test]
    fn a_conversation_trains_its_last_message() {
        let message = |role: &str, content: &str| json!({ "role": role, "content": content });
        let messages = [message("system", "s"), message("user", "a"), message("assistant", "b"), message("user", "c")];
        let mut all = messages.to_vec();
        let (t, open) = (template(QWEN), record(json!({ "messages": all })));
        all.push(message("assistant", "d"));
        let r = record(json!({ "messages": all }));
        let Example::Pair { prompt, response } = t.render(&r).unwrap() else { panic!() };
        assert_eq!((prompt.as_str(), response.as_str()), (t.prompt(&open).unwrap().as_str(), "d<end>"));
        assert!(prompt.ends_with("b<end>\n<|im_start|>user\nc<end>\n<|im_start|>assistant\n"), "{prompt}");
    }

    #[test]
    fn a_message_that_is_generated_otherwise_than_given_follows_the_generation_prompt() {
        let rendered = |answer| template(R1).render(&record(json!({ "instruction": "a", "output": answer }))).unwrap();
        assert_eq!(rendered("c"), pair("<bos><U>a<A><think>\n", "c<end>"));
        let thought = rendered("<think>\nso\n</think>\n\nc");
        assert_eq!(thought, pair("<bos><U>a<A><think>\n", "so\n</think>\n\nc<end>"));
    }

    #[test]
    fn errors_say_what_is_missing() {
        let t = template(QWEN);
        let e = t.render(&record(json!({ "title": "a" }))).unwrap_err();
        assert!(e.exit_code() == 2 && e.to_string().contains("`title`"), "{e}");
        let dir = folder(r#"{"eos_token": "</s>"}"#);
        let e = Template::new("chat", &Tokenizer::load(dir.path()).unwrap()).unwrap_err();
        assert!(e.to_string().contains("has none"), "{e}");
    }
}
