//! `instruction-json`: instructions and answers, or conversations, in JSON.

use crate::{
    conversation, fields,
    input::{self, Encoding, JSON, Place, files},
    rows::{self, Fault, OnError},
    unused::{self, empty},
};
use framework_sdk::prelude::*;

options! {
    /// Instructions with their answers, or conversations, from a JSON array or JSON lines.
    ///
    /// Yields records with the fields `instruction`, `input` and `output`; if an object has no field `input`, the input
    /// is empty. Alpaca's `system` and `history` (earlier turns, pairs of instruction and answer) are kept, and
    /// templates for conversations use them. If instruction and answer are missing, `prompt` and `completion` take
    /// their places.
    ///
    /// An object with `messages` (OpenAI: `role`, `content`), with `conversations` (ShareGPT: `from`, `value`), or with
    /// lists of messages in `prompt` and `completion` gives a record with `messages`, for templates such as `chat`. For
    /// preference objectives (`[objective]`), an object has two answers, `chosen` and `rejected` (texts or messages),
    /// instead of one, or a `label` that says whether the answer is desirable. Messages keep all their keys. Both kinds
    /// of objects may be in one file. Files may be compressed with gzip or Zstandard.
    #[schemars(extend("x-reads" = "paths"))]
    pub struct InstructionJson {
        /// The file, or a folder of `.json`, `.jsonl` and `.ndjson` files, which are read in the order of their names.
        path: FilePath,
        /// The field that holds the instruction.
        #[serde(default = "instruction")]
        instruction: String,
        /// The field with the instruction's input, such as the text to work on. An object may lack this field only if
        /// its name is the default.
        #[serde(default = "input_")]
        input: String,
        /// The field that holds the answer.
        #[serde(default = "output")]
        output: String,
        /// The field that holds the conversation; if it is given, every object must have it. Default: `messages` or
        /// `conversations`, where there is one.
        #[serde(default)]
        conversation: Option<String>,
        /// Leave out objects whose instruction or answer is empty instead of refusing them.
        #[serde(default)]
        skip_empty: bool,
        /// Encoding of the text. `auto` recognises UTF-8, UTF-16 with a byte order mark, and the usual encodings of
        /// Chinese, Japanese and Korean.
        #[serde(default = "input::auto")]
        encoding: String,
        /// What to do with a malformed row.
        #[serde(default)]
        on_error: OnError,
    }
}

fn instruction() -> String {
    "instruction".into()
}
fn input_() -> String {
    "input".into()
}
fn output() -> String {
    "output".into()
}

impl Dataset for InstructionJson {
    fn validate(&self) -> Result<()> {
        let names = [&self.instruction, &self.input, &self.output];
        if names[0] == names[1] || names[1] == names[2] || names[0] == names[2] {
            return Err(
                PluginError::new("`instruction`, `input` and `output` must name different fields").key("instruction")
            );
        }
        Encoding::named(&self.encoding).map(|_| ())
    }

    fn open(&self, skipped: &Skipped) -> Result<Records> {
        let (options, encoding) = (self.clone(), Encoding::named(&self.encoding)?);
        let objects = rows::of_files(files(&self.path, JSON)?, move |file| input::json(&file, &encoding));
        let rows = objects.map(move |object| {
            let (place, mut object) = object?;
            Ok((options.record(&mut object, &place)?, object))
        });
        Ok(rows::records(skipped, self.on_error, unused::noted(skipped, rows)))
    }
}

impl InstructionJson {
    /// The object as a record, whose fields are taken out of it.
    fn record(&self, object: &mut Record, place: &Place) -> Result<Record, Fault> {
        *object = conversation::normalized(std::mem::take(object), self.conversation.as_deref(), place)?;
        if let Some(messages) = object.shift_remove("messages") {
            let mut record = Record::from_iter([("messages".to_owned(), messages)]);
            record.extend(object.shift_remove_entry("tools"));
            record.extend(object.shift_remove_entry("documents"));
            record.extend(judged(object));
            return Ok(record);
        }
        self.completed(object);
        let compared =
            conversation::COMPARED.iter().all(|name| object.contains_key(*name)) && !object.contains_key(&self.output);
        let names = fields::names(object);
        let mut record = Record::new();
        let fields = [("instruction", &self.instruction), ("input", &self.input), ("output", &self.output)];
        for (name, field) in fields.into_iter().take(if compared { 2 } else { 3 }) {
            let null = object.get(field).is_some_and(Value::is_null);
            let text = fields::take(object, field, place)?;
            if name == "input" && (*field == input_() || text.is_some()) {
                record.insert(name.to_owned(), text.unwrap_or_default().into());
                continue;
            }
            let text = if null { Some(String::new()) } else { text };
            let Some(text) = text else {
                let hint = format!("name the right one with `{name}`");
                return Err(place.wrong(format!("there is no field `{field}`, only {names}; {hint}")));
            };
            if text.trim().is_empty() {
                let hint = "fill it in, delete the row, or set `skip_empty = true` to leave such rows out";
                let empty = if null { "null" } else { "empty" };
                return Err(match self.skip_empty {
                    true => place.unwanted(format!("the {name} is {empty}")),
                    false => place.wrong(format!("the {name} is {empty}; {hint}")),
                });
            }
            record.insert(name.to_owned(), text.into());
        }
        // What Alpaca's rows have beside these; templates for conversations take them.
        let system = fields::take(object, "system", place)?.filter(|text| !text.trim().is_empty());
        record.extend(system.map(|text| ("system".to_owned(), text.into())));
        let history = object.shift_remove_entry("history").filter(|(_, turns)| !empty(turns));
        record.extend(history);
        record.extend(object.shift_remove_entry("tools").filter(|(_, tools)| !empty(tools)));
        record.extend(judged(object));
        Ok(record)
    }

    /// Takes `prompt` and `completion` for instruction and answer where there are no such fields.
    fn completed(&self, object: &mut Record) {
        for (option, default, other) in
            [(&self.instruction, instruction(), "prompt"), (&self.output, output(), "completion")]
        {
            if *option == default && !object.contains_key(option) && object.contains_key(other) {
                let value = object.shift_remove(other).unwrap_or_default();
                object.insert(option.clone(), value);
            }
        }
    }
}

/// What says how good answers are.
fn judged(object: &mut Record) -> Vec<(String, Value)> {
    let names = conversation::COMPARED.into_iter().chain(["label", "kto_tag"]);
    names.filter_map(|name| object.shift_remove_entry(name).filter(|(_, value)| !value.is_null())).collect()
}

register!(dataset "instruction-json" => InstructionJson, example = r#"
path = "huanhuan.json"
"#);

#[cfg(test)]
mod tests {
    use crate::testing::Folder;
    use framework_sdk::serde_json::{Value, json};
    use std::slice::from_ref;

    fn read(content: &str, options: &str) -> Vec<Value> {
        Folder::of("a.json", content).read("instruction-json", options).unwrap()
    }

    #[track_caller]
    fn refused(content: &str, expected: &str) {
        let error = Folder::of("a.json", content).refused_at("instruction-json", "a.json");
        assert!(error.starts_with(expected), "{error}");
    }

    #[test]
    fn instructions_and_their_names() {
        let file =
            r#"[{"instruction": "Add.", "input": "1 2", "output": 3, "id": 7}, {"instruction": "Hi", "output": "Ho"}]"#;
        let expected = [
            json!({"instruction": "Add.", "input": "1 2", "output": "3"}),
            json!({"instruction": "Hi", "input": "", "output": "Ho"}),
        ];
        assert_eq!(read(file, ""), expected);
        let file = "{\"q\": \"Hi\", \"c\": null, \"a\": \"Ho\"}\n{\"q\": \"\", \"a\": \"b\"}";
        let options = "instruction = \"q\"\noutput = \"a\"\nskip_empty = true";
        assert_eq!(read(file, options), expected[1..]);
        refused(
            file,
            "1:1: there is no field `instruction`, only `q`, `c`, `a`; name the right one with `instruction`",
        );
        refused(r#"[{"instruction": "a", "output": " "}]"#, "1:2: the output is empty; ");
        refused(r#"[{"instruction": "a", "output": null}]"#, "1:2: the output is null; fill it in, delete the row");
        let nulls = r#"[{"instruction": "a", "output": null}, {"instruction": null, "output": "b"}]"#;
        assert!(read(nulls, "skip_empty = true").is_empty());
        refused(r#"[{"instruction": ["a"], "output": "b"}]"#, "1:2: the field `instruction` is not text but a list");
    }

    #[test]
    fn conversations_of_both_shapes() {
        let expected = json!({"messages": [
            {"role": "system", "content": "Be short."},
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": "Ho"},
        ]});
        let shapes = [
            r#"{"messages": [{"role": "system", "content": "Be short."}, {"role": "user", "content": "Hi"},
                {"role": "assistant", "content": "Ho"}]}"#,
            r#"{"id": 1, "conversations": [{"from": "system", "value": "Be short."}, {"from": "human", "value": "Hi"},
                {"from": "gpt", "value": "Ho"}]}"#,
            r#"{"system": "Be short.", "conversations": [{"from": "user", "value": "Hi"}, {"from": "bot", "value": "Ho"}]}"#,
        ];
        for shape in shapes {
            assert_eq!(read(&format!("[{shape}]"), ""), from_ref(&expected), "{shape}");
        }
        let renamed = shapes[0].replace("messages", "chat");
        assert_eq!(read(&renamed, "conversation = \"chat\""), [expected]);
        let mixed =
            read(r#"[{"instruction": "a", "output": "b"}, {"messages": [{"role": "assistant", "content": "c"}]}]"#, "");
        assert_eq!((&mixed[0]["output"], &mixed[1]["messages"][0]["content"]), (&json!("b"), &json!("c")));
    }

    #[test]
    fn tools_are_passed_on() {
        let file = json!([{"messages": [
            {"role": "user", "content": "Weather?"},
            {"role": "assistant", "content": null, "tool_calls": [{"type": "function"}]},
            {"role": "tool", "content": "sunny", "tool_call_id": "1"},
            {"role": "assistant", "content": "Sunny."},
        ], "tools": [{"name": "weather"}]}]);
        let record = &read(&file.to_string(), "")[0];
        assert_eq!(record["tools"], json!([{"name": "weather"}]));
        assert_eq!(
            record["messages"][1],
            json!({"role": "assistant", "content": null, "tool_calls": [{"type": "function"}]})
        );
    }

    /// Alpaca's rows as LLaMA-Factory documents them.
    #[test]
    fn system_and_history_are_kept() {
        let file = json!([
            {"instruction": "a", "input": "", "output": "b", "system": "s", "history": [["q", "r"]], "tools": "[]"},
            {"instruction": "a", "input": "", "output": "b", "system": "", "history": []},
        ]);
        let records = read(&file.to_string(), "");
        let bare = json!({"instruction": "a", "input": "", "output": "b"});
        let mut full = bare.clone();
        (full["system"], full["history"]) = ("s".into(), json!([["q", "r"]]));
        assert_eq!(records, [full, bare]);
    }
}
