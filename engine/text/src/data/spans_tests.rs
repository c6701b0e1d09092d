use super::*;
use crate::data::builtin::BUILTIN;
use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};
use serde_json::json;
use std::{collections::BTreeMap, fs};

/// All templates that there are: the built-in ones, and those of the golden data.
fn templates() -> BTreeMap<String, Chat> {
    let golden = |name: &str| -> Value {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/chat");
        serde_json::from_slice(&fs::read(format!("{folder}/{name}")).unwrap()).unwrap()
    };
    let mut sources: BTreeMap<String, String> =
        BUILTIN.iter().map(|builtin| (format!("built-in {}", builtin.name), builtin.source.to_owned())).collect();
    for file in ["answers.json", "cases.json"] {
        for (name, source) in golden(file)["templates"].as_object().unwrap() {
            sources.insert(format!("{file} {name}"), source.as_str().unwrap().to_owned());
        }
    }
    // What a window of the conversation cannot tell: where it is, how long it is, what was said long before.
    for (name, source) in [
        (
            "numbered",
            "{% for m in messages %}{{ loop.index0 }} {{ m.role }}: {{ m.content }}<end>\n{% endfor %}{{ '> ' if add_generation_prompt }}",
        ),
        (
            "counting",
            "{% for m in messages %}{{ m.role }}: {{ m.content }}<end>\n{% endfor %}{{ messages | length if add_generation_prompt }}",
        ),
        (
            "late",
            "{% for m in messages %}{{ m.role }}: {{ m.content }}<end>\n{% endfor %}{{ '! ' if messages | length > 60 }}{{ '> ' if add_generation_prompt }}",
        ),
        (
            "last",
            "{% for m in messages %}{{ m.role }}: {{ m.content }}{{ '<end>' if not loop.last }}{% endfor %}{{ '> ' if add_generation_prompt }}",
        ),
        (
            "sums",
            "{% set ns = namespace(n=0) %}{% for m in messages %}{% set ns.n = ns.n + m.content | length %}{{ m.content }}<end>{% endfor %}{{ ns.n if add_generation_prompt }}",
        ),
    ] {
        sources.insert(name.to_owned(), source.to_owned());
    }
    let compiled = |(name, source): (String, String)| {
        let mut chat = Chat::new(&source, Some("2024-07-26".parse().unwrap())).unwrap();
        for variable in ["bos_token", "eos_token", "end"] {
            chat.variables.insert(variable.into(), "<end>".into());
        }
        chat.ends = ["<end>", "<|im_end|>", "<|end|>", "<|eot_id|>", "</s>"].map(str::to_owned).to_vec();
        (name, chat)
    };
    sources.into_iter().map(compiled).collect()
}

/// A conversation of some length, with tools, thoughts, blanks and repeated words.
fn conversation(random: &mut ChaCha8Rng, turns: usize) -> Conversation {
    let mut pick = |of: &[&str]| of[random.next_u32() as usize % of.len()].to_owned();
    let words = ["a", " b", "c ", "yes", "no\n", "<think>\nx\n</think>\n\ny", "a longer text", "<end>", ""];
    let mut messages = Vec::new();
    let plain = pick(&["plain", "plain", "mixed"]) == "plain";
    if pick(&["system", "none"]) == "system" {
        messages.push(json!({ "role": "system", "content": pick(&words[..5]) }));
    }
    for _ in 0..turns {
        messages.push(json!({ "role": "user", "content": pick(&words[..5]) }));
        let kind =
            if plain { "answer".to_owned() } else { pick(&["answer", "answer", "answer", "call", "thought", "twice"]) };
        if kind == "call" {
            let call = json!({ "type": "function", "function": { "name": "f", "arguments": { "x": 1 } } });
            messages.push(json!({ "role": "assistant", "content": "", "tool_calls": [call] }));
            messages.push(json!({ "role": "tool", "name": "f", "content": pick(&words[..5]) }));
        } else if kind == "twice" {
            messages.push(json!({ "role": "assistant", "content": pick(&words[..5]) }));
        }
        let mut answer = json!({ "role": "assistant", "content": pick(if plain { &words[..5] } else { &words }) });
        if kind == "thought" {
            answer["reasoning_content"] = pick(&words[..5]).into();
        }
        messages.push(answer);
    }
    Conversation::new(messages, Value::Null, Value::Null)
}

#[test]
fn spans_are_those_of_renderings_from_the_beginning() {
    let mut random = ChaCha8Rng::seed_from_u64(3);
    let (mut near, mut whole, mut none) = (0, 0, 0);
    let templates = templates();
    for (name, chat) in &templates {
        for _ in 0..6 {
            let turns = 18 + random.next_u32() as usize % 40;
            let talk = conversation(&mut random, turns);
            let answers = talk.answers();
            let Some(&last) = answers.last() else { continue };
            let Ok(full) = chat.render(&talk, last + 1, false) else { continue };
            let expected = chat.whole_spans(&talk, &full, &answers);
            match (chat.near_spans(&talk, &full, &answers), expected) {
                (Some(found), Ok(expected)) => {
                    assert_eq!(Some(found), expected, "{name}: {:?}", talk.messages);
                    near += 1;
                }
                (Some(_), Err(e)) => panic!("{name}: {e}"),
                (None, Ok(Some(_))) => whole += 1,
                (None, _) => none += 1,
            }
        }
    }
    assert!(templates.len() > 25, "{}", templates.len());
    assert!(near > 60, "near {near}, whole {whole}, none {none}");
}
