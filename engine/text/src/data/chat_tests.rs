use super::*;
use crate::{
    data::{Encoder, Example, IGNORE, Template, Turn, gates, test::record},
    tokenizer::{Tokenizer, tests::folder},
};
use framework_recipe::{Prompt, Turns};
use minijinja::value::Serde;
use std::{fs, path::PathBuf};

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

fn tokenizer(source: &str) -> Tokenizer {
    let config = json!({ "eos_token": "<end>", "bos_token": "<bos>", "chat_template": source });
    Tokenizer::load(folder(&config.to_string()).path()).unwrap()
}

fn template(source: &str) -> Template {
    Template::new("chat", &tokenizer(source)).unwrap()
}

fn turn(prompt: &str, response: &str) -> Turn {
    Turn { prompt: prompt.into(), response: response.into(), ..Default::default() }
}

fn turns(turns: &[(&str, &str)]) -> Example {
    Example::Turns { turns: turns.iter().map(|(p, r)| turn(p, r)).collect(), rest: String::new() }
}

fn talk(messages: &[(&str, &str)]) -> Record {
    let message = |(role, content): &(&str, &str)| json!({ "role": role, "content": content });
    record(json!({ "messages": messages.iter().map(message).collect::<Vec<_>>() }))
}

fn golden_folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/chat"))
}

fn golden() -> (Value, Tokenizer) {
    let cases = fs::read_to_string(golden_folder().join("cases.json")).unwrap();
    (serde_json::from_str(&cases).unwrap(), Tokenizer::load(&golden_folder()).unwrap())
}

fn prompt(golden: &Value, case: &Value) -> Prompt {
    Prompt {
        template: golden["templates"][case["template"].as_str().unwrap()].as_str().unwrap().to_owned(),
        date: golden["date"].as_str().map(str::to_owned),
        variables: case["variables"].as_object().cloned().unwrap_or_default(),
        ..Prompt::default()
    }
}

fn asked(golden: &Value, case: &Value) -> Record {
    let messages = &golden["conversations"][case["conversation"].as_str().unwrap()];
    record(json!({ "messages": messages, "tools": case["tools"] }))
}

/// Expected: what transformers' `apply_chat_template` gives, or that it fails.
#[test]
fn templates_render_as_transformers_renders_them() {
    let (golden, tokenizer) = golden();
    let cases = golden["cases"].as_array().unwrap();
    assert!(cases.len() > 300 && cases.iter().any(|case| case["error"].is_string()));
    let mut wrong = Vec::new();
    for case in cases {
        let prompt = prompt(&golden, case);
        let mut chat = Chat::new(&prompt.template, Some("2024-07-26".parse().unwrap())).unwrap();
        chat.variables = tokenizer.named_tokens().into_iter().map(|(name, text)| (name, text.into())).collect();
        chat.variables.extend(prompt.variables.iter().map(|(name, value)| (name.clone(), Serde(value).into())));
        let talk = chat.conversation(&asked(&golden, case)).unwrap();
        let generate = case["add_generation_prompt"] == true;
        let found = chat.render(&talk, talk.messages.len(), generate);
        let name = format!("{} on {:?}, generation prompt {generate}", case["template"], case["conversation"]);
        match (found, case["text"].as_str()) {
            (Ok(found), Some(text)) if found.text == text => {}
            (Ok(found), Some(text)) => wrong.push(format!("{name}:\n--- found\n{}\n--- expected\n{text}", found.text)),
            (Err(_), None) => {}
            (Ok(found), None) => wrong.push(format!("{name}: no error {}, but\n{}", case["error"], found.text)),
            (Err(e), Some(text)) => wrong.push(format!("{name}: {e}\n--- expected\n{text}")),
        }
    }
    assert!(wrong.is_empty(), "{} of {} cases are wrong:\n{}", wrong.len(), cases.len(), wrong.join("\n\n"));
}

#[test]
fn what_templates_raise_is_told() {
    let (golden, tokenizer) = golden();
    let raised = golden["cases"].as_array().unwrap().iter().filter(|case| {
        case["error"].as_str().is_some_and(|e| e.contains("alternate")) && case["template"] == "mistral"
    });
    for case in raised {
        let template = Template::of(&prompt(&golden, case), &tokenizer).unwrap();
        let e = template.prompt(&asked(&golden, case)).unwrap_err();
        assert!(e.exit_code() == 2 && e.to_string().contains(case["error"].as_str().unwrap()), "{e}");
    }
}

/// Expected: transformers' ids and `assistant_masks`. What follows the last answer is not trained and not kept here.
#[test]
fn generation_blocks_mask_as_transformers_does() {
    let (golden, tokenizer) = golden();
    let mut compared = 0;
    for case in golden["cases"].as_array().unwrap() {
        let record = asked(&golden, case);
        let answers = record["messages"].as_array().unwrap().iter().any(|m| m["role"] == "assistant");
        let (true, false, Some(ids)) = (answers, case["add_generation_prompt"] == true, case["ids"].as_array()) else {
            continue;
        };
        let number = |v: &Value| v.as_u64().unwrap() as u32;
        let ids: Vec<u32> = ids.iter().map(number).collect();
        let mask: Vec<u32> = case["mask"].as_array().unwrap().iter().map(number).collect();
        let template = Template::of(&prompt(&golden, case), &tokenizer).unwrap();
        let examples = template.examples(&record);
        let calls = |message: &Value| message["tool_calls"].is_array();
        if let Some(at) = record["messages"].as_array().unwrap().iter().position(calls) {
            let e = examples.unwrap_err().to_string();
            let expected = format!("message {} (assistant): the template leaves out its `tool_calls`", at + 1);
            assert!(e.contains(&expected), "{e}");
            continue;
        }
        let examples = examples.unwrap();
        assert_eq!(examples.len(), 1, "{case}");
        let encoder = Encoder { tokenizer: &tokenizer, template: &template, max_length: 999, train_on_prompt: false };
        let encoded = encoder.encode(&examples[0]).unwrap();
        let found = encoded.sequence;
        let n = found.len();
        assert_eq!(found.ids, ids[..n], "{case}");
        let trained: Vec<u32> = found.labels.iter().map(|label| u32::from(*label != IGNORE)).collect();
        assert_eq!(trained, mask[..n], "{case}");
        // Of the rest, transformers masks at most the line break after the end token, which nobody generates.
        let rest: Vec<u32> = ids.iter().zip(&mask).skip(n).filter(|(_, m)| **m == 1).map(|(id, _)| *id).collect();
        assert_eq!(tokenizer.decode(&rest, false).unwrap().trim(), "", "{case}");
        assert!(encoded.ends && gates(&[record], &encoder).unwrap().is_empty(), "{case}");
        compared += 1;
    }
    assert!(compared >= 10, "{compared}");
}

/// A template with blocks and the same one without them train the same tokens.
#[test]
fn masks_from_prefixes_equal_those_from_blocks() {
    let (golden, tokenizer) = golden();
    let bare = regex::Regex::new(r"\{%-? *(end)?generation *-?%\}").unwrap();
    for name in ["generation", "generation_lines"] {
        let source = golden["templates"][name].as_str().unwrap();
        // A set block takes as much white space away, and its text is printed at once.
        let plain = bare.replace_all(source, |tag: &regex::Captures| {
            let dash = if tag[0].contains("%-") { "-" } else { "" };
            if tag.get(1).is_some() { format!("{{%{dash} endif %}}") } else { format!("{{%{dash} if true %}}") }
        });
        let [with, without] = [source, &plain].map(|source| Template::new(source, &tokenizer).unwrap());
        for conversation in ["one turn", "system and two turns", "two turns", "thoughts"] {
            let record = record(json!({ "messages": golden["conversations"][conversation] }));
            let labels = |template: &Template| {
                let encoder = Encoder { tokenizer: &tokenizer, template, max_length: 999, train_on_prompt: false };
                let sequence = encoder.encode(&template.examples(&record).unwrap()[0]).unwrap().sequence;
                // Up to the end token of each answer.
                let line = tokenizer.encode("\n", false).unwrap()[0] as i32;
                sequence.labels.into_iter().map(|label| if label == line { IGNORE } else { label }).collect::<Vec<_>>()
            };
            assert_eq!(labels(&with), labels(&without), "{name} on {conversation}");
        }
    }
}

#[test]
fn one_turn() {
    let t = template(QWEN);
    let r = record(json!({ "instruction": "a", "input": "b", "output": "c" }));
    let expected = turns(&[("<|im_start|>user\na\nb<end>\n<|im_start|>assistant\n", "c<end>")]);
    assert_eq!(t.examples(&r).unwrap(), [expected]);
    assert!(!t.adds_special("anything"), "the template itself begins the sequence");
}

#[test]
fn every_turn_of_a_conversation_is_trained_up_to_its_end_token() {
    let t = template(QWEN);
    let all = [("system", "s"), ("user", "a"), ("assistant", "b"), ("user", "c"), ("assistant", "d")];
    let expected = turns(&[
        ("<|im_start|>system\ns<end>\n<|im_start|>user\na<end>\n<|im_start|>assistant\n", "b<end>"),
        ("\n<|im_start|>user\nc<end>\n<|im_start|>assistant\n", "d<end>"),
    ]);
    assert_eq!(t.examples(&talk(&all)).unwrap(), [expected]);
    let asked = "<|im_start|>system\ns<end>\n<|im_start|>user\na<end>\n<|im_start|>assistant\nb<end>\n\
                 <|im_start|>user\nc<end>\n<|im_start|>assistant\n";
    assert_eq!(t.prompt(&talk(&all[..4])).unwrap(), asked);
    assert_eq!(t.prompt(&talk(&all)).unwrap(), asked, "the answer that is there is not looked at");
}

#[test]
fn only_the_last_turn_if_asked() {
    let tokenizer = tokenizer(QWEN);
    let prompt = Prompt { template: "chat".into(), turns: Turns::Last, ..Prompt::default() };
    let t = Template::of(&prompt, &tokenizer).unwrap();
    let r = talk(&[("user", "a"), ("assistant", "b"), ("user", "c"), ("assistant", "d")]);
    let examples = t.examples(&r).unwrap();
    let Example::Turns { turns, .. } = &examples[0] else { panic!() };
    assert_eq!((turns.len(), turns[0].response.as_str()), (1, "d<end>"));
    assert_eq!(turns[0].prompt, t.prompt(&r).unwrap());
}

#[test]
fn a_message_that_is_generated_otherwise_than_given_follows_the_generation_prompt() {
    let rendered = |answer| template(R1).examples(&record(json!({ "instruction": "a", "output": answer }))).unwrap();
    // The block that the prompt opens is closed, so that the model learns to.
    assert_eq!(rendered("c"), [turns(&[("<bos><U>a<A><think>\n", "\n</think>\n\nc<end>")])]);
    let thought = rendered("<think>\nso\n</think>\n\nc");
    assert_eq!(thought, [turns(&[("<bos><U>a<A><think>\n", "so\n</think>\n\nc<end>")])]);
}

/// Earlier thoughts are gone when the second answer is generated: each answer is an example of its own.
#[test]
fn answers_that_are_rendered_otherwise_later_are_examples_of_their_own() {
    let t = template(R1);
    let r = talk(&[("user", "a"), ("assistant", "<think>\nx\n</think>b"), ("user", "c"), ("assistant", "d")]);
    let expected = [
        turns(&[("<bos><U>a<A><think>\n", "x\n</think>b<end>")]),
        turns(&[("<bos><U>a<A>b<end><U>c<A><think>\n", "\n</think>\n\nd<end>")]),
    ];
    assert_eq!(t.examples(&r).unwrap(), expected);
    let tokenizer = tokenizer(R1);
    let encoder = Encoder { tokenizer: &tokenizer, template: &t, max_length: 99, train_on_prompt: false };
    assert!(gates(&[r], &encoder).unwrap().is_empty());
    // Two answers in a row: nobody asks for the second with the first at the end.
    let r = talk(&[("user", "a"), ("assistant", "b"), ("assistant", "d")]);
    let expected = [
        turns(&[("<bos><U>a<A><think>\n", "\n</think>\n\nb<end>")]),
        turns(&[("<bos><U>a<A>b<end><A><think>\n", "\n</think>\n\nd<end>")]),
    ];
    assert_eq!(t.examples(&r).unwrap(), expected);
    assert!(gates(&[r], &encoder).unwrap().is_empty());
}

#[test]
fn the_end_of_a_turn_is_found_by_looking() {
    let dir = folder(r#"{"eos_token": "</s>", "extra_token": "<end>"}"#);
    let t = Tokenizer::load(dir.path()).unwrap();
    let template = Template::new(QWEN, &t).unwrap();
    assert_eq!((template.name(), template.stops()), ("inline", [1, 2].as_slice()), "</s> and <end>");
    let r = record(json!({ "instruction": "a", "output": "b" }));
    let encoder = Encoder { tokenizer: &t, template: &template, max_length: 99, train_on_prompt: false };
    let encoded = encoder.encode(&template.examples(&r).unwrap()[0]).unwrap();
    assert_eq!(encoded.sequence.ids.last(), Some(&2), "<end> is enough of an end");
}

/// A marker that the tokenizer has no token for ends an answer where generation ends it: what follows is not trained.
#[test]
fn nothing_behind_a_marker_of_several_tokens_is_trained() {
    let source = QWEN.replace("<end>", "<|marker|>");
    let t = template(&source);
    assert_eq!(t.marks(), ["<|marker|>"]);
    let r = talk(&[("user", "a"), ("assistant", "b"), ("user", "c"), ("assistant", "d")]);
    let expected = turns(&[
        ("<|im_start|>user\na<|marker|>\n<|im_start|>assistant\n", "b<|marker|>"),
        ("\n<|im_start|>user\nc<|marker|>\n<|im_start|>assistant\n", "d<|marker|>"),
    ]);
    assert_eq!(t.examples(&r).unwrap(), [expected]);
    // With the end token behind it, as built-in templates have it, both are trained.
    let t = template(&source.replace("'<|marker|>'", "'<|marker|><end>'"));
    let Example::Turns { turns, .. } = &t.examples(&r).unwrap()[0] else { panic!() };
    assert_eq!(
        turns.iter().map(|turn| turn.response.as_str()).collect::<Vec<_>>(),
        ["b<|marker|><end>", "d<|marker|><end>"]
    );
}

#[test]
fn a_system_message_and_variables_come_from_the_recipe() {
    let source = "{% for m in messages %}{{ m.role }}: {{ m.content }}{{ mood }}{{ eos_token }}\n{% endfor %}\
        {% if add_generation_prompt %}assistant: {% endif %}";
    let mut prompt = Prompt { template: source.into(), system: Some("Be brief.".into()), ..Prompt::default() };
    prompt.variables.insert("mood".into(), "!".into());
    let t = Template::of(&prompt, &tokenizer("")).unwrap();
    assert_eq!(t.prompt(&talk(&[("user", "a")])).unwrap(), "system: Be brief.!<end>\nuser: a!<end>\nassistant: ");
    let own = talk(&[("system", "x"), ("user", "a")]);
    assert_eq!(t.prompt(&own).unwrap(), "system: x!<end>\nuser: a!<end>\nassistant: ");
}

#[test]
fn errors_say_what_is_missing() {
    let t = template(QWEN);
    let e = t.examples(&record(json!({ "title": "a" }))).unwrap_err();
    assert!(e.exit_code() == 2 && e.to_string().contains("`title`"), "{e}");
    let e = t.examples(&talk(&[("user", "a")])).unwrap_err().to_string();
    assert!(e.contains("no answer of the assistant"), "{e}");
    let e =
        t.examples(&record(json!({ "messages": [{ "role": "user", "content": "a" }, "b"] }))).unwrap_err().to_string();
    assert!(e.contains("message 2 of the record is \"b\""), "{e}");
    let dir = folder(r#"{"eos_token": "</s>"}"#);
    let e = Template::new("chat", &Tokenizer::load(dir.path()).unwrap()).unwrap_err();
    assert!(e.to_string().contains("has none"), "{e}");
    let e = Template::new("chat:tools", &tokenizer(QWEN)).unwrap_err().to_string();
    assert!(e.contains("no chat template `tools`"), "{e}");
    let e = Template::new("chat", &tokenizer("{% for m in messages %}\n{% nothing %}")).unwrap_err().to_string();
    assert!(e.contains("in line 2"), "{e}");
    let prompt = Prompt { template: "chat".into(), date: Some("tomorrow".into()), ..Prompt::default() };
    let e = Template::of(&prompt, &tokenizer(QWEN)).unwrap_err().to_string();
    assert!(e.contains("`prompt.date`") && e.contains("2026-01-31"), "{e}");
}
