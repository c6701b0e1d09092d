//! The templates that have a name.

/// A named template. Its text up to the response, less `lead`, is the prompt.
pub(super) struct Builtin {
    pub name: &'static str,
    pub source: &'static str,
    /// What stands before the record's response and is trained as part of it.
    pub lead: &'static str,
    /// Whether the tokenizer puts its beginning-of-sequence token before it.
    pub add_special: bool,
}

/// Stanford Alpaca (Taori et al., 2023, <https://github.com/tatsu-lab/stanford_alpaca>), `PROMPT_DICT` in `train.py`,
/// with a line break at the end.
const ALPACA: &str = "\
Below is an instruction that describes a task\
{% if input %}, paired with an input that provides further context{% endif %}. \
Write a response that appropriately completes the request.\n\n\
### Instruction:\n{{ instruction }}\n\n\
{% if input %}### Input:\n{{ input }}\n\n{% endif %}\
### Response:\n{{ output }}";

const PLAIN: &str = "{{ instruction }}\n{% if input %}{{ input }}\n{% endif %}{{ output }}";

/// OpenAI's Chat Markup Language, as Qwen has it, without a system message.
const CHATML: &str = "\
<|im_start|>user\n{{ instruction }}{% if input %}\n{{ input }}{% endif %}<|im_end|>\n\
<|im_start|>assistant\n{{ output }}<|im_end|>";

/// DeepSeek LLM's chat format, encoded as the tutorials that fine-tune it do: instruction and input run together, the
/// word `Assistant:` is learned with the answer, and the end token comes twice, once as the format's and once as the
/// padding that is trained.
const DEEPSEEK: &str = "\
User: {{ instruction }}{{ input | default('') }}\n\n\
Assistant: {{ output }}{{ eos_token }}{{ eos_token }}";

pub(super) const BUILTIN: &[Builtin] = &[
    Builtin { name: "alpaca", source: ALPACA, lead: "", add_special: true },
    Builtin { name: "chatml", source: CHATML, lead: "", add_special: true },
    Builtin { name: "deepseek", source: DEEPSEEK, lead: "Assistant: ", add_special: false },
    Builtin { name: "plain", source: PLAIN, lead: "", add_special: true },
];

#[cfg(test)]
mod tests {
    use crate::{
        data::{Example, Template, test::record},
        tokenizer::tests::trained,
    };
    use serde_json::json;

    fn pair(template: &str, fields: serde_json::Value) -> (String, String) {
        match Template::new(template, &trained()).unwrap().render(&record(fields)).unwrap() {
            Example::Pair { prompt, response } => (prompt, response),
            Example::Text(text) => panic!("{text}"),
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

    #[test]
    fn chatml_and_plain() {
        let fields = json!({ "instruction": "a", "input": "b", "output": "c" });
        let chatml = ("<|im_start|>user\na\nb<|im_end|>\n<|im_start|>assistant\n".to_owned(), "c<|im_end|>".to_owned());
        assert_eq!(pair("chatml", fields.clone()), chatml);
        assert_eq!(pair("plain", fields), ("a\nb\n".to_owned(), "c".to_owned()));
        assert_eq!(pair("plain", json!({ "instruction": "a", "output": "c" })).0, "a\n");
    }
}
