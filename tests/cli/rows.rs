//! Rows that the prompt template refuses, and what of rows it does not render.

use crate::setting::{Said, Setting};

/// Five conversations: the second and the fourth are no conversation that can be trained; the third and the fifth
/// have thoughts.
const ROWS: &str = r#"{"messages": [{"role": "user", "content": "Sky?"}, {"role": "assistant", "content": "blue"}]}
{"messages": [{"role": "user", "content": "Coal?"}, {"role": "assistant", "content": "black", "weight": 0}]}
{"messages": [{"role": "user", "content": "Snow?"}, {"role": "assistant", "content": "white", "reasoning_content": "Cold."}]}
{"messages": [{"role": "user", "content": "Grass?"}, {"role": "tool", "content": "4"}, {"role": "assistant", "content": "green"}]}
{"messages": [{"role": "user", "content": "Moon?"}, {"role": "assistant", "content": "grey", "thinking": "Far."}]}
"#;

struct Case(Setting);

impl Case {
    fn new(template: &str, rows: &str) -> Self {
        let setting = Setting::with(&[
            ("plugin = \"instruction-csv\"\npath = \"data.csv\"", "plugin = \"jsonl\"\npath = \"rows.jsonl\""),
            ("template = \"plain\"", &format!("template = {template:?}")),
            ("max_length = 64", "max_length = 128"),
            ("max_steps = 60", "max_steps = 2"),
            ("log_every = 5\nsave_every = 30", "log_every = 1\nsave_every = \"end\""),
        ]);
        setting.write("rows.jsonl", rows);
        Self(setting)
    }

    fn run(&self, command: &[&str], skip: bool) -> Said {
        let mut args = command.to_vec();
        args.insert(1, "recipe.toml");
        args.extend(skip.then_some(["--set", "data.bad_rows=\"skip\""]).into_iter().flatten());
        self.0.run(args)
    }
}

const COMMANDS: [&[&str]; 4] =
    [&["check"], &["prepare", "--to", "out.jsonl", "--as", "text"], &["preview"], &["train"]];

/// All of them are named at once, with what to do.
#[test]
fn rows_that_cannot_be_trained_end_every_command_by_default() {
    let case = Case::new("phi-3", ROWS);
    for command in COMMANDS {
        let err = case.run(command, false).failed(2);
        let first = "training example 2: all messages of the assistant have the `weight` 0";
        let second = "training example 4: message 2 is a tool's: the built-in template `phi-3` has no form for tools";
        assert!(err.contains(first) && err.contains(second), "{command:?}: {err}");
        assert!(err.contains("`data.bad_rows = \"skip\"` leaves out rows that cannot be trained"), "{err}");
    }
    let many = ROWS.lines().nth(1).unwrap().to_owned() + "\n";
    let err = Case::new("phi-3", &many.repeat(7)).run(&["check"], false).failed(2);
    assert!(err.contains("training example 1: ") && err.contains("(6 more of the first 7 rows)"), "{err}");
}

#[test]
fn they_are_left_out_and_counted_by_reason_where_the_recipe_says_so() {
    let case = Case::new("phi-3", ROWS);
    let lines = [
        "1 training row left out: all messages of the assistant have the `weight` 0 (first: example 2)",
        "1 training row left out: a message is a tool's: the built-in template `phi-3` has no form for tools (first: \
         example 4)",
        "2 training rows with thoughts of the assistant, for which the template has no form (first: example 3)",
    ];
    for command in COMMANDS {
        let said = case.run(command, true).succeeded();
        // Reports are wrapped to the width of the terminal.
        let text = format!("{} {}", said.out, said.err).split_whitespace().collect::<Vec<_>>().join(" ");
        for line in lines {
            assert_eq!(text.matches(line).count(), 1, "{command:?}: {line} in {text}");
        }
    }
    assert_eq!(crate::setting::rows(&case.0.read("out.jsonl")).len(), 3);
    let report = case.run(&["check", "--format", "json"], true).json()["data"]["train"].clone();
    assert_eq!((&report["kept"], &report["refused"][0]["rows"]), (&3.into(), &1.into()));
    assert_eq!((&report["unused"][0]["rows"], &report["unused"][0]["first"]), (&2.into(), &3.into()));
}

/// A property of the row, whatever the template writes around the answer.
#[test]
fn empty_answers_are_told() {
    for template in ["chatml", "zephyr", "alpaca", "{{ instruction }}: {{ output }}"] {
        let rows =
            "{\"instruction\": \"Sky?\", \"output\": \" \"}\n{\"instruction\": \"Coal?\", \"output\": \"black\"}\n";
        let case = Case::new(template, rows);
        for command in COMMANDS.iter().filter(|command| command[0] != "preview") {
            let said = case.run(command, false).succeeded();
            let text = format!("{} {}", said.out, said.err).split_whitespace().collect::<Vec<_>>().join(" ");
            let line = "1 training row with an empty answer, which teaches the model to say nothing";
            assert!(text.contains(line), "{template} {command:?}: {text}");
        }
        let said = case.run(&["preview", "--all"], false);
        assert!(
            said.code == Some(1) && said.err.contains("the response is empty in 1 example (number 1)"),
            "{}",
            said.err
        );
    }
}

#[test]
fn nothing_but_rows_that_cannot_be_trained_is_an_error() {
    let row = ROWS.lines().nth(1).unwrap().to_owned() + "\n";
    let err = Case::new("phi-3", &row.repeat(3)).run(&["train"], true).failed(2);
    let expected = "3 examples came out of the augmenters, and 0 of them were dropped because no trained token was \
                    left, and 3 because they cannot be trained, the first because all messages of the assistant have";
    assert!(err.contains(expected), "{err}");
}

/// Qwen's form of a call, from a data set to the trained text.
#[test]
fn calls_of_tools_are_trained_under_chatml() {
    let row = r#"{"tools": "[{\"type\": \"function\", \"function\": {\"name\": \"colour\"}}]", "messages": [{"role": "user", "content": "Sky?"}, {"role": "assistant", "content": null, "tool_calls": [{"function": {"name": "colour", "arguments": "{\"of\": \"sky\"}"}}]}, {"role": "tool", "content": "blue"}, {"role": "assistant", "content": "It is blue."}]}"#;
    let case = Case::new("chatml", &format!("{row}\n"));
    case.run(&["prepare", "--to", "out.jsonl", "--as", "text"], false).succeeded();
    let turns = crate::setting::rows(&case.0.read("out.jsonl"))[0]["turns"].clone();
    let call = "<tool_call>\n{\"name\": \"colour\", \"arguments\": {\"of\": \"sky\"}}\n</tool_call><|im_end|>";
    assert!(turns[0]["response"].as_str().unwrap().starts_with(call), "{turns}");
    assert!(turns[1]["prompt"].as_str().unwrap().contains("<tool_response>\nblue\n</tool_response>"), "{turns}");
    let err = Case::new("zephyr", &format!("{row}\n")).run(&["check"], false).failed(2);
    assert!(err.contains("the built-in template `zephyr` has no form for tools"), "{err}");
}
