use super::BUILTIN;
use crate::{
    data::{Encoder, Example, IGNORE, Template, gates, template::Form, test::record},
    tokenizer::{Tokenizer, tests::trained},
};
use framework_recipe::Prompt;
use serde_json::{Value, json};

fn pair(template: &str, fields: Value) -> (String, String) {
    let template = Template::new(template, &trained()).unwrap();
    match template.examples(&record(fields)).unwrap().remove(0) {
        Example::Turns { mut turns, rest } if turns.len() == 1 && rest.is_empty() => {
            let turn = turns.remove(0);
            (turn.prompt, turn.response)
        }
        other => panic!("{other:?}"),
    }
}

/// The two texts as they stand in Stanford's `train.py`.
#[test]
fn alpaca_is_stanfords() {
    let with = "Below is an instruction that describes a task, paired with an input that provides further context. \
                Write a response that appropriately completes the request.\n\n\
                ### Instruction:\nAdd.\n\n### Input:\n1 2\n\n### Response:";
    let without = "Below is an instruction that describes a task. \
                   Write a response that appropriately completes the request.\n\n\
                   ### Instruction:\nAdd.\n\n### Response:";
    let (prompt, response) = pair("alpaca", json!({ "instruction": "Add.", "input": "1 2", "output": "3" }));
    assert_eq!((prompt, response), (format!("{with}\n"), "3".to_owned()));
    for input in [json!(""), json!(null)] {
        let fields = json!({ "instruction": "Add.", "input": input, "output": "3\n" });
        assert_eq!(pair("alpaca", fields), (format!("{without}\n"), "3\n".to_owned()));
    }
}

/// The seed's `process_func`: f"User: {instruction+input}\n\n", f"Assistant: {output}<eos>" and the pad id.
#[test]
fn deepseek_learns_the_word_assistant_and_two_end_tokens() {
    let (prompt, response) = pair("deepseek", json!({ "instruction": "Hi", "input": "!", "output": "Ho" }));
    assert_eq!(prompt, "User: Hi!\n\n");
    assert_eq!(response, "Assistant: Ho<|endoftext|><|endoftext|>");
}

/// The seed's `generate_response`: f"<think>…</think>\n\nQuestion: {question}\n\nAnswer:".
#[test]
fn think_is_what_the_magazine_is_asked_with() {
    let prompt = Prompt { template: "think".into(), system: Some("Be concise.".into()), ..Prompt::default() };
    let template = Template::of(&prompt, &trained()).unwrap();
    let fields = json!({ "question": "Who wrote?", "answer": { "作者": "Li" } });
    let asked = "<think>Be concise.</think>\n\nQuestion: Who wrote?\n\nAnswer:";
    assert_eq!(template.prompt(&record(json!({ "question": "Who wrote?" }))).unwrap(), asked);
    let Example::Turns { turns, .. } = template.examples(&record(fields)).unwrap().remove(0) else { panic!() };
    assert_eq!((turns[0].prompt.as_str(), turns[0].response.as_str()), (asked, " {\"作者\":\"Li\"}"));
    assert_eq!(template.lead(), " ");
    assert_eq!(pair("think", json!({ "question": "a", "answer": "b" })).0, "Question: a\n\nAnswer:");
}

#[test]
fn deepseek_r1_begins_with_thoughts_that_may_be_empty() {
    let (prompt, response) = pair("deepseek-r1", json!({ "instruction": "a", "input": "b", "output": "c" }));
    assert_eq!(prompt, "<|endoftext|><｜User｜>a\nb<｜Assistant｜><think>\n");
    assert_eq!(response, "\n</think>\n\nc<|endoftext|>");
    for answer in ["<think>\nso\n</think>\n\nc", "so</think>c"] {
        let (_, response) = pair("deepseek-r1", json!({ "instruction": "a", "output": answer }));
        assert_eq!(response, "so\n</think>\n\nc<|endoftext|>", "{answer}");
    }
    let message = |role: &str, content: &str| json!({ "role": role, "content": content });
    let answer = json!({ "role": "assistant", "content": "c", "reasoning": "so" });
    let (_, response) = pair("deepseek-r1", json!({ "messages": [message("user", "a"), answer] }));
    assert_eq!(response, "so\n</think>\n\nc<|endoftext|>");
}

#[test]
fn the_others() {
    let fields = json!({ "instruction": "a", "input": "b", "output": "c" });
    for (name, prompt, response) in [
        (
            "chatml",
            "<|im_start|>user\na\nb<|im_end|><|endoftext|>\n<|im_start|>assistant\n",
            "c<|im_end|><|endoftext|>",
        ),
        ("phi-3", "<|user|>\na\nb<|end|><|endoftext|>\n<|assistant|>\n", "c<|end|><|endoftext|>"),
        ("zephyr", "<|user|>\na\nb<|endoftext|>\n<|assistant|>\n", "c<|endoftext|>"),
        ("plain", "a\nb\n", "c"),
    ] {
        assert_eq!(pair(name, fields.clone()), (prompt.to_owned(), response.to_owned()), "{name}");
    }
    assert_eq!(pair("plain", json!({ "instruction": "a", "output": "c" })).0, "a\n");
}

/// transformers' rendering of Phi-3's and Zephyr's own templates, with a tokenizer that has their tokens.
#[test]
fn phi_3_and_zephyr_are_those_models_own() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/chat");
    let golden: Value =
        serde_json::from_str(&std::fs::read_to_string(format!("{folder}/cases.json")).unwrap()).unwrap();
    let tokenizer = Tokenizer::load(folder.as_ref()).unwrap();
    for (name, own) in [("phi-3", "phi3"), ("zephyr", "zephyr")] {
        let template = Template::new(name, &tokenizer).unwrap();
        for conversation in ["question", "system and two turns", "two turns", "open"] {
            let is = |case: &&Value| {
                (case["template"] == own && case["conversation"] == conversation)
                    && case["add_generation_prompt"] == true
            };
            let case = golden["cases"].as_array().unwrap().iter().find(is).unwrap();
            let mut messages = golden["conversations"][conversation].as_array().unwrap().clone();
            let mut text = case["text"].as_str().unwrap().to_owned();
            if messages.last().unwrap()["role"] == "assistant" {
                // `prompt` leaves the last answer out, the golden text begins one more.
                let last = messages.pop().unwrap()["content"].as_str().unwrap().to_owned();
                text.truncate(text.find(&last).unwrap());
            }
            assert_eq!(
                template.prompt(&record(json!({ "messages": messages }))).unwrap(),
                text,
                "{name}, {conversation}"
            );
        }
    }
}

/// transformers' rendering of Qwen2.5's form, which `chatml` is, wherever the conversation has a system message: Qwen2.5
/// puts one of its own in front of the others.
#[test]
fn chatml_renders_tools_as_qwen_does() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/chat");
    let golden: Value =
        serde_json::from_str(&std::fs::read_to_string(format!("{folder}/cases.json")).unwrap()).unwrap();
    let template = Template::new("chatml", &Tokenizer::load(folder.as_ref()).unwrap()).unwrap();
    let Form::Chat(chat) = &template.form else { panic!() };
    let (mut compared, mut tools) = (0, 0);
    for case in golden["cases"].as_array().unwrap().iter().filter(|case| case["template"] == "qwen2_5") {
        let messages = &golden["conversations"][case["conversation"].as_str().unwrap()];
        if messages[0]["role"] != "system" {
            continue;
        }
        let talk = chat.conversation(&record(json!({ "messages": messages, "tools": case["tools"] }))).unwrap();
        let generate = case["add_generation_prompt"] == true;
        let text = chat.render(&talk, talk.messages.len(), generate).unwrap().text;
        assert_eq!(text, case["text"].as_str().unwrap(), "{case}");
        (compared, tools) = (compared + 1, tools + usize::from(!case["tools"].is_null()));
    }
    assert!(compared >= 6 && tools >= 2, "{compared}, {tools}");
}

#[test]
fn calls_in_chatml_are_trained_and_asked_for() {
    let call = json!({ "function": { "name": "weather", "arguments": "{\"city\": \"Bern\"}" } });
    let tools = json!([{ "type": "function", "function": { "name": "weather" } }]);
    let messages = json!([
        { "role": "user", "content": "Rain?" },
        { "role": "assistant", "content": null, "tool_calls": [call] },
        { "role": "tool", "content": "No." },
        { "role": "assistant", "content": "It is dry." },
    ]);
    let template = Template::new("chatml", &trained()).unwrap();
    let row = record(json!({ "messages": messages, "tools": tools }));
    let Example::Turns { turns, rest } = template.examples(&row).unwrap().remove(0) else { panic!() };
    let end = "<|im_end|><|endoftext|>";
    assert_eq!((turns.len(), rest.as_str()), (2, ""));
    assert!(turns[0].prompt.starts_with("<|im_start|>system\n# Tools\n\nYou may call"), "{}", turns[0].prompt);
    assert!(
        turns[0].prompt.contains("<tools>\n{\"type\": \"function\", \"function\": {\"name\": \"weather\"}}\n</tools>")
    );
    let called = "<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"city\": \"Bern\"}}\n</tool_call>";
    assert_eq!(turns[0].response, format!("{called}{end}"));
    let answered = "<|im_start|>user\n<tool_response>\nNo.\n</tool_response>";
    assert_eq!(turns[1].prompt, format!("\n{answered}{end}\n<|im_start|>assistant\n"));
    assert_eq!(turns[1].response, format!("It is dry.{end}"));
    assert_eq!(template.prompt(&row).unwrap(), [&*turns[0].prompt, &*turns[0].response, &*turns[1].prompt].concat());
}

#[test]
fn templates_without_a_form_for_tools_say_why() {
    let tokenizer = trained();
    let tools = json!([{ "type": "function", "function": { "name": "weather" } }]);
    let row = record(json!({ "messages": [{ "role": "user", "content": "x" }], "tools": tools }));
    let says = |name: &str| match Template::new(name, &tokenizer).unwrap().prompt(&row) {
        Ok(_) => String::new(),
        Err(e) => e.to_string(),
    };
    for name in ["alpaca", "deepseek", "deepseek-r1", "phi-3", "plain", "think", "zephyr"] {
        let text = says(name);
        assert!(
            text.contains(&format!("the record has `tools`: the built-in template `{name}` has no form")),
            "{text}"
        );
    }
    assert!(says("deepseek-r1").contains("without the `<think>`"), "{}", says("deepseek-r1"));
    assert_eq!(says("chatml"), "");
}

/// Three turns: each answer is trained to its end, nothing else is, and each prompt is what generation sees.
#[test]
fn conversations_train_every_answer_in_every_template() {
    let tokenizer = trained();
    let message = |role: &str, content: &str| json!({ "role": role, "content": content });
    let messages = [
        message("system", "Be kind."),
        message("user", "The fox?"),
        message("assistant", "It jumps."),
        message("user", "The dog?"),
        message("assistant", "It sleeps."),
        message("user", "And?"),
        message("assistant", "The hill."),
    ];
    let record = record(json!({ "messages": messages }));
    for name in BUILTIN.iter().map(|b| b.name) {
        let template = Template::new(name, &tokenizer).unwrap();
        let encoder = Encoder { tokenizer: &tokenizer, template: &template, max_length: 999, train_on_prompt: false };
        let examples = template.examples(&record).unwrap();
        assert_eq!(examples.len(), if name == "deepseek-r1" { 3 } else { 1 }, "{name}");
        let mut trained = Vec::new();
        for example in &examples {
            let encoded = encoder.encode(example).unwrap();
            assert!(encoded.ends, "{name}");
            let labels = encoded.sequence.labels;
            let runs = labels.split(|label| *label == IGNORE).filter(|run| !run.is_empty());
            trained.extend(runs.map(|run| run.iter().map(|id| *id as u32).collect::<Vec<_>>()));
        }
        assert_eq!(trained.len(), 3, "{name}");
        for (ids, answer) in trained.iter().zip(["It jumps.", "It sleeps.", "The hill."]) {
            let text = tokenizer.decode(ids, false).unwrap();
            assert!(
                text.contains(answer) && text.ends_with("<|endoftext|>") && !text.contains('?'),
                "{name}: {text:?}"
            );
        }
        assert!(gates(std::slice::from_ref(&record), &encoder).unwrap().is_empty(), "{name}");
    }
}

#[test]
fn an_unknown_role_is_refused() {
    let template = Template::new("alpaca", &trained()).unwrap();
    let fails = |role: &str| {
        template.prompt(&record(json!({ "messages": [{ "role": role, "content": "x" }] }))).unwrap_err().to_string()
    };
    assert!(fails("critic").contains("no messages of the role critic"), "{}", fails("critic"));
    assert!(fails("tool").contains("`alpaca` has no form for tools"), "{}", fails("tool"));
}

/// What ends an answer and is no token at which generation stops is looked for in the text.
#[test]
fn end_markers_without_a_token_are_stop_strings() {
    let tokenizer = crate::tokenizer::tests::trained();
    let marks = |source: &str| Template::new(source, &tokenizer).unwrap().marks().to_vec();
    for (template, expected) in [
        ("chatml", Some("<|im_end|>")),
        ("phi-3", Some("<|end|>")),
        ("zephyr", None),
        ("alpaca", None),
        ("deepseek-r1", None),
        ("{{ instruction }}: {{ output }}", None),
        ("{{ instruction }}: {{ output }}</s>\n", Some("</s>")),
        ("{{ instruction }}: {{ output }}<|endoftext|>", None),
        ("{% for m in messages %}{{ m.role }}: {{ m.content }} <turn>\n{% endfor %}", Some("<turn>")),
        ("{% for m in messages %}<{{ m.role }}>{{ m.content }} < no marker >{% endfor %}", None),
    ] {
        assert_eq!(marks(template), expected.map(str::to_owned).into_iter().collect::<Vec<_>>(), "{template}");
    }
    let warning = Template::new("chatml", &tokenizer).unwrap().warning(&tokenizer).unwrap();
    insta::assert_snapshot!(warning, @"the template's end marker <|im_end|> is no single token of this tokenizer; it is trained as 10 tokens, and `generate` and `chat` end answers before its text, but other programs may show it: choose a template without it (`alpaca`, `plain`) or a tokenizer that has the token");
    assert_eq!(Template::new("alpaca", &tokenizer).unwrap().warning(&tokenizer), None);
}
