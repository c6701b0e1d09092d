use crate::{
    data::{Encoder, Example, Template, gates, test::record},
    tokenizer::Tokenizer,
};
use framework_recipe::{Prompt, Turns};
use serde_json::{Value, json};
use std::{fs, path::PathBuf};

fn golden() -> (Value, Tokenizer) {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/chat"));
    let cases = fs::read_to_string(folder.join("answers.json")).unwrap();
    (serde_json::from_str(&cases).unwrap(), Tokenizer::load(&folder).unwrap())
}

fn template(source: &str, turns: Turns, tokenizer: &Tokenizer) -> Template {
    let date = Some("2024-07-26".to_owned());
    Template::of(&Prompt { template: source.into(), turns, date, ..Prompt::default() }, tokenizer).unwrap()
}

/// Expected: tests/reference/chat_answers.py, which finds the answer in transformers' rendering by what it knows of
/// each template.
#[test]
fn what_is_trained_is_what_the_template_writes_after_the_generation_prompt() {
    let (golden, tokenizer) = golden();
    let (mut wrong, mut answers) = (Vec::new(), 0);
    for case in golden["cases"].as_array().unwrap() {
        let source = golden["templates"][case["template"].as_str().unwrap()].as_str().unwrap();
        let template = template(source, Turns::Last, &tokenizer);
        let messages = &golden["conversations"][case["conversation"].as_str().unwrap()];
        let found = template.examples(&record(json!({ "messages": messages })));
        let name = format!("{} on {}", case["template"], case["conversation"]);
        match (&case["response"], found) {
            (Value::String(response), Ok(examples)) => {
                let [Example::Turns { turns, rest }] = examples.as_slice() else { panic!("{name}: {examples:?}") };
                let [turn] = turns.as_slice() else { panic!("{name}: {turns:?}") };
                answers += 1;
                if turn.prompt != case["prompt"] || turn.response != *response || !rest.is_empty() {
                    wrong.push(format!("{name}: {turn:?} {rest:?}\n  expected {case}"));
                }
            }
            (Value::String(_), Err(e)) => wrong.push(format!("{name}: {e}")),
            (_, Err(e)) if case["lost"].is_array() && !e.to_string().contains("the template leaves out its") => {
                wrong.push(format!("{name}: {e}"));
            }
            (_, Err(_)) => {}
            (_, Ok(examples)) => wrong.push(format!("{name}: no error, but {examples:?}\n  expected {case}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(answers > 100, "{answers}");
}

/// All turns at once train what each trains alone, or each is an example of its own.
#[test]
fn all_turns_train_what_each_trains_as_the_last() {
    let (golden, tokenizer) = golden();
    for (name, source) in golden["templates"].as_object().unwrap() {
        for conversation in ["system and two turns", "second reasoning"] {
            let messages = &golden["conversations"][conversation];
            let all = template(source.as_str().unwrap(), Turns::All, &tokenizer);
            let Ok(examples) = all.examples(&record(json!({ "messages": messages }))) else { continue };
            let turns = examples.iter().flat_map(|example| match example {
                Example::Turns { turns, .. } => turns.clone(),
                Example::Text(_) => panic!(),
            });
            let responses: Vec<_> = turns.map(|turn| turn.response).collect();
            let answers: Vec<usize> =
                (0..messages.as_array().unwrap().len()).filter(|i| messages[*i]["role"] == "assistant").collect();
            assert_eq!(responses.len(), answers.len(), "{name} on {conversation}");
            let last = template(source.as_str().unwrap(), Turns::Last, &tokenizer);
            for (response, answer) in responses.iter().zip(answers) {
                let until = record(json!({ "messages": messages.as_array().unwrap()[..=answer] }));
                let Example::Turns { turns, .. } = &last.examples(&until).unwrap()[0] else { panic!() };
                assert_eq!(response, &turns[0].response, "{name} on {conversation}");
            }
        }
    }
}

fn thinking() -> (Template, Tokenizer) {
    let (golden, tokenizer) = golden();
    (template(golden["templates"]["qwen2"].as_str().unwrap(), Turns::All, &tokenizer), tokenizer)
}

fn say(role: &str, content: &str) -> Value {
    json!({ "role": role, "content": content })
}

fn responses(examples: &[Example]) -> Vec<&str> {
    let turns = examples.iter().flat_map(|example| match example {
        Example::Turns { turns, .. } => turns.as_slice(),
        Example::Text(_) => &[],
    });
    turns.map(|turn| turn.response.as_str()).collect()
}

#[test]
fn a_message_of_weight_0_and_one_that_answers_nothing_are_not_trained() {
    let (template, _) = thinking();
    let mut first = say("assistant", "b");
    first["weight"] = 0.into();
    let messages = [say("assistant", "Hello!"), say("user", "a"), first, say("user", "c"), say("assistant", "d")];
    let examples = template.examples(&record(json!({ "messages": messages }))).unwrap();
    assert_eq!(responses(&examples), ["d<|im_end|>"]);
    assert!(matches!(&examples[0], Example::Turns { turns, .. } if turns[0].prompt.contains("Hello!")));
    let e = template.examples(&record(json!({ "messages": messages[..3] }))).unwrap_err().to_string();
    assert!(e.contains("all messages of the assistant have the `weight` 0"), "{e}");
    let e = template.examples(&record(json!({ "messages": messages[..1] }))).unwrap_err().to_string();
    assert!(e.contains("answer nothing: no message of a user"), "{e}");
    for weight in [json!(0.5), json!("0"), json!(false)] {
        let mut answer = say("assistant", "b");
        answer["weight"] = weight.clone();
        let e = template.examples(&record(json!({ "messages": [say("user", "a"), answer] }))).unwrap_err().to_string();
        assert!(e.contains(&format!("message 2: its `weight` is {weight}; expected 0 or 1")), "{e}");
    }
}

#[test]
fn an_empty_answer_is_noticed_whatever_the_template() {
    let tokenizer = thinking().1;
    for name in ["chatml", "zephyr", "phi-3", "deepseek-r1", "alpaca", "plain"] {
        let template = template(name, Turns::All, &tokenizer);
        let encoder = Encoder { tokenizer: &tokenizer, template: &template, max_length: 999, train_on_prompt: false };
        for answer in ["", " \n"] {
            let rows = [record(json!({ "instruction": "a", "output": answer }))];
            let found = gates(&rows, &encoder).unwrap();
            assert!(found.iter().any(|gate| gate.name == "empty-response"), "{name}: {found:?}");
        }
        let rows = [record(json!({ "instruction": "a", "output": "b" }))];
        assert!(gates(&rows, &encoder).unwrap().is_empty(), "{name}");
    }
}

#[test]
fn tools_may_be_json_text() {
    let (template, _) = thinking();
    let messages = [say("user", "a"), say("assistant", "b")];
    let tools = json!([{ "type": "function", "function": { "name": "look" } }]);
    let of = |tools: Value| template.prompt(&record(json!({ "messages": messages, "tools": tools })));
    assert!(of(tools.clone()).unwrap().contains("\"look\""));
    assert_eq!(of(tools.to_string().into()).unwrap(), of(tools).unwrap());
    let e = of("[look".into()).unwrap_err().to_string();
    assert!(e.contains("`tools` of the record is text that is not JSON"), "{e}");
}

#[test]
fn what_fails_names_message_and_role() {
    let (golden, tokenizer) = golden();
    let fails = |name: &str, messages: &[Value]| {
        let source = golden["templates"].get(name).map_or(name, |source| source.as_str().unwrap());
        let template = template(source, Turns::All, &tokenizer);
        template.examples(&record(json!({ "messages": messages }))).unwrap_err().to_string()
    };
    let e = fails("mistral_v1", &[say("system", "s"), say("user", "a"), say("assistant", "b")]);
    assert!(e.contains("message 1 (system)") && e.contains("in front of the first user message"), "{e}");
    let call = json!({ "role": "assistant", "tool_calls": [{ "function": { "name": "f", "arguments": {} } }] });
    for name in ["phi-3", "alpaca"] {
        let e = fails(name, &[say("user", "a"), call.clone()]);
        assert!(e.contains("message 2 is a call of a tool") && e.contains(&format!("`{name}` has no form")), "{e}");
    }
    let e = fails("phi3", &[say("user", "a"), json!({ "role": "assistant" })]);
    assert!(e.contains("message 2 (assistant)") && e.contains("the message has `role`"), "{e}");
}

/// Looking at what follows the last special token is as good as looking at everything.
#[test]
fn cuts_are_those_of_the_whole_text() {
    let (golden, tokenizer) = golden();
    for name in ["qwen2", "mistral", "zephyr"] {
        let template = template(golden["templates"][name].as_str().unwrap(), Turns::All, &tokenizer);
        let messages = &golden["conversations"]["system and two turns"];
        let text = template.prompt(&record(json!({ "messages": messages }))).unwrap();
        let encoder = Encoder { tokenizer: &tokenizer, template: &template, max_length: 999, train_on_prompt: false };
        let whole = tokenizer.encode_places(&text, false).unwrap();
        let mut found = [0, 0];
        for (at, _) in text.char_indices().skip(1) {
            let expected = whole.0.starts_with(&tokenizer.encode(&text[..at], false).unwrap());
            assert_eq!(encoder.begins_a_token(&text, false, &whole, at).unwrap(), expected, "{name} at {at}");
            found[usize::from(expected)] += 1;
        }
        assert!(found.iter().all(|n| *n > 10), "{name}: {found:?}");
    }
}

#[test]
fn alpacas_system_and_history_go_before_the_instruction() {
    let (template, _) = thinking();
    let row = json!({ "instruction": "c", "input": "d", "output": "e", "system": "s", "history": [["a", "b"]] });
    let said =
        [say("system", "s"), say("user", "a"), say("assistant", "b"), say("user", "c\nd"), say("assistant", "e")];
    let examples = template.examples(&record(row.clone())).unwrap();
    assert_eq!(examples, template.examples(&record(json!({ "messages": said }))).unwrap());
    assert_eq!(responses(&examples), ["b<|im_end|>", "e<|im_end|>"]);
    let mut wrong = row;
    wrong["history"] = json!(["a"]);
    let e = template.examples(&record(wrong)).unwrap_err().to_string();
    assert!(e.contains("turn 1 of the record's `history`"), "{e}");
}

/// OpenAI's API writes the arguments of a call as JSON text; `| tojson` in a template would quote that once more.
/// Expected: the response to the same call with an object, which transformers rendered.
#[test]
fn arguments_in_json_text_are_objects_for_templates_that_expect_those() {
    let (golden, tokenizer) = golden();
    let mut compared = 0;
    for case in golden["cases"].as_array().unwrap() {
        if case["conversation"] != "call" || !case["response"].is_string() {
            continue;
        }
        let mut messages = golden["conversations"]["call"].clone();
        for message in messages.as_array_mut().unwrap() {
            for call in message.get_mut("tool_calls").and_then(Value::as_array_mut).into_iter().flatten() {
                call["function"]["arguments"] = call["function"]["arguments"].to_string().into();
            }
        }
        let source = golden["templates"][case["template"].as_str().unwrap()].as_str().unwrap();
        let template = template(source, Turns::Last, &tokenizer);
        let examples = template.examples(&record(json!({ "messages": messages }))).unwrap();
        assert_eq!(responses(&examples), [case["response"].as_str().unwrap()], "{}", case["template"]);
        compared += 1;
    }
    assert!(compared >= 3, "{compared}");
    let call = |arguments: &str| {
        let call = json!({ "function": { "name": "f", "arguments": arguments } });
        json!({ "messages": [say("user", "a"), { "role": "assistant", "content": "", "tool_calls": [call] }] })
    };
    // A template that takes text gets it as it is, as in transformers.
    let source = "{% for m in messages %}{{ m.role }}: {{ m.content }}{% for c in m.tool_calls %}\
                  {{ '<call>' + c.function.name + c.function.arguments }}{% endfor %}\n{% endfor %}\
                  {% if add_generation_prompt %}assistant: {% endif %}";
    let examples = template(source, Turns::Last, &tokenizer).examples(&record(call("{\"b\":  1}"))).unwrap();
    assert!(responses(&examples)[0].starts_with("<call>f{\"b\":  1}"), "{examples:?}");
    let qwen = template(golden["templates"]["qwen2"].as_str().unwrap(), Turns::Last, &tokenizer);
    let e = qwen.examples(&record(call("city=Bern"))).unwrap_err().to_string();
    assert!(e.contains("message 2: a call's `arguments` are text that is not a JSON object"), "{e}");
}

/// A template that writes one call of several; a call's own end token; the last answer that has a weight.
#[test]
fn each_call_has_to_be_there_and_ends_with_its_own_token() {
    let (golden, tokenizer) = golden();
    let template = template(golden["templates"]["channels"].as_str().unwrap(), Turns::Last, &tokenizer);
    let call = |city: &str| json!({ "function": { "name": "weather", "arguments": { "city": city } } });
    let row = |calls: Value| json!({ "messages": [say("user", "a"), { "role": "assistant", "tool_calls": calls }] });
    let e = template.examples(&record(row(json!([call("Rome"), call("Oslo")])))).unwrap_err().to_string();
    assert!(e.contains("message 2 (assistant): the template leaves out its `tool_calls`"), "{e}");
    let examples = template.examples(&record(row(json!([call("Rome")])))).unwrap();
    let encoder = Encoder { tokenizer: &tokenizer, template: &template, max_length: 999, train_on_prompt: false };
    let ids = encoder.encode(&examples[0]).unwrap().sequence.ids;
    assert!(tokenizer.decode(&ids, false).unwrap().ends_with("{\"city\": \"Rome\"}<|eot|>"));
    let mut last = say("assistant", "d");
    last["weight"] = 0.into();
    let messages = [say("user", "a"), say("assistant", "b"), say("user", "c"), last];
    let examples = template.examples(&record(json!({ "messages": messages }))).unwrap();
    assert_eq!(responses(&examples), [" final<|/head|>b</s>"]);
}
