use crate::testing::Folder;
use framework_sdk::serde_json::{Value, json};

fn read(plugin: &str, row: &Value) -> Value {
    Folder::of("a.json", json!([row]).to_string()).read(plugin, "").unwrap().remove(0)
}

#[track_caller]
fn refused(row: &Value, expected: &str) {
    for plugin in ["jsonl", "instruction-json"] {
        let error = Folder::of("a.json", json!([row]).to_string()).refused_at(plugin, "a.json");
        assert!(error.starts_with(&format!("1:2: {expected}")), "{plugin}: {error}");
    }
}

/// ShareGPT's shape as LLaMA-Factory documents it, tool calls included, in every dataset of JSON.
#[test]
fn sharegpt_becomes_messages() {
    let row = json!({
        "conversations": [
            {"from": "human", "value": "Weather in Bern?"},
            {"from": "function_call", "value": "{\"name\": \"weather\", \"arguments\": {\"city\": \"Bern\"}}"},
            {"from": "observation", "value": "sunny"},
            {"from": "gpt", "value": "Sunny.", "weight": 0},
            {"from": "human", "value": "Thanks"},
            {"from": "gpt", "value": "Welcome."},
        ],
        "system": "Be short.",
        "tools": "[{\"name\": \"weather\"}]",
    });
    let call = json!([{"type": "function", "function": {"name": "weather", "arguments": {"city": "Bern"}}}]);
    let expected = json!([
        {"role": "system", "content": "Be short."},
        {"role": "user", "content": "Weather in Bern?"},
        {"role": "assistant", "content": null, "tool_calls": call},
        {"role": "tool", "content": "sunny"},
        {"role": "assistant", "content": "Sunny.", "weight": 0},
        {"role": "user", "content": "Thanks"},
        {"role": "assistant", "content": "Welcome."},
    ]);
    for plugin in ["jsonl", "instruction-json"] {
        let record = read(plugin, &row);
        assert_eq!((&record["messages"], &record["tools"]), (&expected, &json!([{"name": "weather"}])), "{plugin}");
        assert!(record.get("conversations").is_none() && record.get("system").is_none(), "{plugin}: {record}");
    }
}

#[test]
fn messages_stay_as_they_are() {
    let messages = json!([
        {"role": "developer", "content": "Be short.", "name": "x"},
        {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
        {"role": "assistant", "content": "c", "reasoning": "d", "weight": 1, "extra": [1]},
        {"role": "assistant", "content": null, "tool_calls": [{"id": "1", "function": {"name": "f", "arguments": "{}"}}]},
        {"role": "tool", "content": "e", "tool_call_id": "1"},
    ]);
    for plugin in ["jsonl", "instruction-json"] {
        assert_eq!(read(plugin, &json!({"messages": messages}))["messages"], messages, "{plugin}");
    }
}

/// OpenAI's form before `tools`, in which fine-tuning data were written until 2023.
#[test]
fn functions_are_tools() {
    let function = json!({"name": "weather", "parameters": {"type": "object"}});
    let call = json!({"name": "weather", "arguments": "{\"city\": \"Bern\"}"});
    let row = |functions: Value| {
        json!({"functions": functions, "messages": [
            {"role": "user", "content": "Weather in Bern?"},
            {"role": "assistant", "content": "Let me see.", "function_call": call},
            {"role": "function", "name": "weather", "content": "sunny"},
            {"role": "assistant", "content": "Sunny.", "function_call": null},
        ]})
    };
    let expected = json!([
        {"role": "user", "content": "Weather in Bern?"},
        {"role": "assistant", "content": "Let me see.", "tool_calls": [{"type": "function", "function": call}]},
        {"role": "tool", "name": "weather", "content": "sunny"},
        {"role": "assistant", "content": "Sunny."},
    ]);
    for plugin in ["jsonl", "instruction-json"] {
        for functions in [json!([function]), json!([function]).to_string().into()] {
            let record = read(plugin, &row(functions));
            let tools = json!([{"type": "function", "function": function}]);
            assert_eq!((&record["messages"], &record["tools"]), (&expected, &tools), "{plugin}");
            assert!(record.get("functions").is_none(), "{plugin}: {record}");
        }
    }
    // A template may know the role, where no call says that it is this form.
    let messages = json!([{"role": "function", "content": "a"}, {"role": "assistant", "content": "b"}]);
    assert_eq!(read("jsonl", &json!({"messages": messages}))["messages"], messages);
}

/// Tables hold objects whose keys differ as text: of each message, of each tool, or of the whole list.
#[test]
fn json_text_is_what_it_stands_for() {
    let messages = json!([
        {"role": "user", "content": "Rain?"},
        {"role": "assistant", "content": null, "tool_calls": [{"function": {"name": "rain", "arguments": {"n": 1}}}]},
        {"role": "tool", "content": "no"},
        {"role": "assistant", "content": "No."},
    ]);
    let tools = json!([{"name": "rain"}, {"name": "sun", "parameters": {"type": "object"}}]);
    let texts = |list: &Value| list.as_array().unwrap().iter().map(Value::to_string).collect::<Value>();
    for (as_messages, as_tools) in [
        (texts(&messages), texts(&tools)),
        (messages.to_string().into(), tools.to_string().into()),
        (messages.clone(), texts(&tools).to_string().into()),
    ] {
        for plugin in ["jsonl", "instruction-json"] {
            let record = read(plugin, &json!({"messages": as_messages, "tools": as_tools}));
            assert_eq!((&record["messages"], &record["tools"]), (&messages, &tools), "{plugin}");
        }
    }
    let mut row = json!({"messages": messages, "tools": ["rain"]});
    refused(&row, "the field `tools` has text that is no JSON object as its element 1");
    row["messages"] = "[{".into();
    row["tools"] = Value::Null;
    refused(&row, "the field `messages` is text that is not JSON");
}

/// TRL's prompt-completion form: the loss counts the completion.
#[test]
fn prompt_and_completion() {
    let say = |role: &str, content: &str| json!({"role": role, "content": content});
    let row = json!({
        "prompt": [say("user", "a"), say("assistant", "b"), say("user", "c")],
        "completion": [say("assistant", "d")],
    });
    let mut first = say("assistant", "b");
    first["weight"] = 0.into();
    for plugin in ["jsonl", "instruction-json"] {
        let messages = &read(plugin, &row)["messages"];
        assert_eq!(*messages, json!([say("user", "a"), first, say("user", "c"), say("assistant", "d")]), "{plugin}");
    }
    assert_eq!(read("jsonl", &json!({"prompt": "a", "completion": "b"})), json!({"prompt": "a", "completion": "b"}));
    assert_eq!(
        read("instruction-json", &json!({"prompt": "a", "completion": "b"})),
        json!({"instruction": "a", "input": "", "output": "b"})
    );
}

#[test]
fn broken_conversations_are_errors() {
    let of = |messages: Value| json!({ "messages": messages });
    refused(&of(json!([])), "`messages` has no messages");
    refused(&of(json!("Hi")), "the field `messages` is a string; expected a list");
    refused(&of(json!([1])), "message 1 of `messages` is a number; expected an object");
    refused(&of(json!([{"text": "Hi"}])), "message 1 of `messages` has no `role` or `from`, only `text`");
    refused(&of(json!([{"from": "cat", "value": "Hi"}])), "message 1 of `messages` is from `cat`, ");
    refused(&of(json!([{"from": "gpt", "value": 1}])), "message 1 of `messages` has no text in `value`");
    refused(&of(json!([{"role": "user"}])), "message 1 of `messages` has no text in");
    refused(&of(json!([{"role": "user", "content": "a"}])), "`messages` ends with the \"user\" message");
    refused(
        &of(json!([{"from": "function_call", "value": "f()"}])),
        "message 1 of `messages` is a `function_call` that",
    );
    let tools = json!({"messages": [{"role": "assistant", "content": "a"}], "tools": "[weather"});
    refused(&tools, "the field `tools` is text that is not JSON");
}
