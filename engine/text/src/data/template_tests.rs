use super::*;
use crate::{
    data::{builtin::BUILTIN, test::record},
    tokenizer::tests::trained,
};
use serde_json::json;

fn pair(template: &Template, record: &Record) -> (String, String) {
    match template.examples(record).unwrap().remove(0) {
        Example::Turns { mut turns, .. } => {
            let turn = turns.remove(0);
            (turn.prompt, turn.response)
        }
        text => panic!("{text:?}"),
    }
}

fn template(source: &str) -> Template {
    Template::new(source, &trained()).unwrap()
}

fn refused(source: &str) -> String {
    let e = Template::new(source, &trained()).unwrap_err();
    assert_eq!(e.exit_code(), 2);
    e.to_string()
}

#[test]
fn training_and_generation_see_the_same_prompt() {
    let full = record(json!({ "instruction": "Add.", "input": "1 2", "output": "3" }));
    let open = record(json!({ "instruction": "Add.", "input": "1 2" }));
    let inline = "<think>{{ instruction }}</think>\n\nQuestion: {{ question }}\n\nAnswer: {{ response }}";
    for name in BUILTIN.iter().map(|b| b.name).chain([inline]) {
        let t = template(name);
        let (prompt, _) = pair(&t, &full);
        assert_eq!(prompt, t.prompt(&open).unwrap(), "{name}");
        assert_eq!(prompt, t.prompt(&full).unwrap(), "{name}");
    }
}

#[test]
fn inline_templates_read_any_field_and_may_go_on_after_the_response() {
    let t = template("{{ title | upper }} by {{ record['作者'] }}: {{ output | trim }}!\n");
    let r = record(json!({ "title": "a", "作者": "李白", "output": " x " }));
    assert_eq!(pair(&t, &r), ("A by 李白: ".to_owned(), "x!".to_owned()));
}

#[test]
fn numbers_and_objects_become_text() {
    let t = template("{{ instruction }} {{ extra }}:{{ output }}");
    let r = record(json!({ "instruction": 5, "extra": { "z": 1, "a": [true] }, "output": { "答": 1.5 } }));
    assert_eq!(pair(&t, &r), (r#"5 {"z":1,"a":[true]}:"#.to_owned(), r#"{"答":1.5}"#.to_owned()));
}

#[test]
fn a_text_alone_is_learned_whole_and_continued_as_it_is() {
    let (t, r) = (template("alpaca"), record(json!({ "text": "春天来了，" })));
    assert_eq!(t.examples(&r).unwrap(), [Example::Text("春天来了，".into())]);
    assert_eq!(t.prompt(&r).unwrap(), "春天来了，");
}

#[test]
fn special_tokens_have_names_and_are_not_put_twice() {
    let t = template("{{ bos_token }}{{ instruction }}{{ output }}{{ eos_token }}");
    let r = record(json!({ "instruction": "a", "output": "b" }));
    assert_eq!(pair(&t, &r), ("<|endoftext|>a".to_owned(), "b<|endoftext|>".to_owned()));
    assert!(!t.adds_special("<|endoftext|>a") && t.adds_special("a"));
}

#[test]
fn a_template_without_the_response_is_refused() {
    for source in ["{{ instruction }}", "Question: {{ question }}\n\nAnswer:", "no variables at all"] {
        assert!(refused(source).contains("template without the response"), "{source}");
    }
}

#[test]
fn unknown_names_and_syntax_errors_are_explained() {
    let e = refused("alpacca");
    assert!(
        e.contains("did you mean `alpaca`?")
            && e.contains("alpaca, chat, chatml, deepseek, deepseek-r1, phi-3, plain, think, zephyr"),
        "{e}"
    );
    let e = refused("a\n{{ output");
    assert!(e.contains("`prompt.template`") && e.contains("line 2"), "{e}");
}

#[test]
fn missing_fields_name_the_records_keys_and_the_templates() {
    let inline = "{{ instruction }}{% if input %}{{ input }}{% endif %}{{ output }}";
    let said = |source, fields| template(source).examples(&record(fields)).unwrap_err().to_string();
    let e = said(inline, json!({ "title": "a", "output": "b" }));
    assert!(e.contains("`title`, `output`") && e.contains("reads `input`, `instruction`, `output`"), "{e}");
    let e = said(inline, json!({ "instruction": "a", "output": null }));
    assert!(e.contains("no `output`") && e.contains("it has `instruction`;"), "{e}");
    assert!(said(inline, json!({ "messages": [] })).contains("a template with a name"));
    let e = said("alpaca", json!({ "title": "a", "output": "b" }));
    assert!(e.contains("neither `messages` nor `instruction`") && e.contains("`title`, `output`"), "{e}");
    let e = said("alpaca", json!({ "instruction": "a", "output": null }));
    assert!(e.contains("no answer of the assistant") && e.contains("it has `instruction`"), "{e}");
}

#[test]
fn a_prompt_that_depends_on_the_response_is_refused() {
    let t = template("{{ output | length }} words: {{ output }}");
    let e = t.examples(&record(json!({ "output": "abcd" }))).unwrap_err().to_string();
    assert!(e.contains("depends on the response"), "{e}");
}

#[test]
fn instructions_are_no_dialogue() {
    let tokenizer = trained();
    let kinds = |source: &str| {
        let template = Template::new(source, &tokenizer).unwrap();
        (template.has_turns(), template.is_dialogue())
    };
    for template in ["chatml", "zephyr", "phi-3", "deepseek", "deepseek-r1"] {
        assert_eq!(kinds(template), (true, true), "{template}");
    }
    for template in ["alpaca", "plain", "think"] {
        assert_eq!(kinds(template), (true, false), "{template}");
    }
    assert_eq!(kinds("{{ instruction }} {{ output }}"), (false, false));
}
