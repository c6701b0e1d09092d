use super::*;
use crate::{
    data::{Encoder, Example, Template, test::record},
    tokenizer::tests::trained,
};
use framework_recipe::ObjectiveName;

fn texts_of(example: &Example) -> Vec<(String, String)> {
    match example {
        Example::Turns { turns, .. } => turns.iter().map(|turn| (turn.prompt.clone(), turn.response.clone())).collect(),
        Example::Text(text) => vec![(String::new(), text.clone())],
    }
}

fn template(source: &str, name: ObjectiveName) -> Template {
    let objective = Objective { name, row_weight: None, ..Objective::default() };
    Template::new(source, &trained()).unwrap().reading(&objective)
}

fn pair(source: &str, fields: Value) -> Vec<Vec<(String, String)>> {
    let examples = template(source, ObjectiveName::Dpo).examples(&record(fields)).unwrap();
    examples.iter().map(texts_of).collect()
}

/// The shapes of TRL and LLaMA-Factory (after its dataset has given messages their names) mean the same.
#[test]
fn all_shapes_are_one_task_with_two_answers() {
    let user = || json!({ "role": "user", "content": "Q" });
    let answer = |text: &str| json!({ "role": "assistant", "content": text });
    let shapes = [
        json!({ "prompt": "Q", "chosen": "good", "rejected": "bad" }),
        json!({ "instruction": "Q", "input": "", "chosen": "good", "rejected": "bad" }),
        json!({ "prompt": [user()], "chosen": [answer("good")], "rejected": [answer("bad")] }),
        json!({ "chosen": [user(), answer("good")], "rejected": [user(), answer("bad")] }),
        json!({ "messages": [user()], "chosen": answer("good"), "rejected": answer("bad") }),
        json!({ "messages": [user()], "chosen": "good", "rejected": "bad" }),
        json!({ "prompt": "Q", "chosen": [answer("good")], "rejected": [answer("bad")] }),
    ];
    let expected = pair("chatml", shapes[0].clone());
    assert_eq!(expected[0].len(), 1);
    assert!(expected[0][0].0.ends_with("<|im_start|>assistant\n") && expected[0][0].1.starts_with("good"));
    assert!(expected[1][0].1.starts_with("bad") && expected[0][0].0 == expected[1][0].0);
    for shape in &shapes[1..] {
        assert_eq!(pair("chatml", shape.clone()), expected, "{shape}");
    }
}

#[test]
fn answers_of_the_task_are_not_trained() {
    let talk = |last: &str| {
        let roles = ["user", "assistant", "user", "assistant"];
        let texts = ["a", "b", "c", last];
        let messages = roles.iter().zip(texts).map(|(role, text)| json!({ "role": role, "content": text }));
        Value::Array(messages.collect())
    };
    let turns = pair("chatml", json!({ "chosen": talk("good"), "rejected": talk("bad") }));
    assert_eq!(turns.iter().map(Vec::len).collect::<Vec<_>>(), [1, 1]);
    assert!(turns[0][0].0.contains('b') && turns[0][0].1.starts_with("good"));
}

/// As TRL's `extract_prompt`.
#[test]
fn what_two_texts_begin_with_is_the_task() {
    let fields = json!({ "chosen": "Why? Because it is", "rejected": "Why? Because not" });
    let turns = pair("{{ instruction }}{{ output }}", fields);
    assert_eq!(turns[0][0].0, "Why? Because");
    assert!(turns[0][0].1.starts_with(" it is") && turns[1][0].1.starts_with(" not"));
}

#[test]
fn wrong_rows_are_refused_with_a_way_on() {
    let refused = |fields| {
        let e = template("plain", ObjectiveName::Dpo).examples(&record(fields)).unwrap_err();
        e.to_string()
    };
    let missing = refused(json!({ "prompt": "Q", "chosen": "a" }));
    assert!(
        missing.contains("no `rejected`: it has `prompt`, `chosen`") && missing.contains("rows of pairs have"),
        "{missing}"
    );
    let same = refused(json!({ "prompt": "Q", "chosen": "a", "rejected": "a" }));
    assert!(same.contains("are the same"), "{same}");
    let apart = refused(json!({ "chosen": "a", "rejected": "b" }));
    assert!(apart.contains("has no task"), "{apart}");
}

#[test]
fn labels_say_what_is_wanted() {
    let weight = |fields| template("plain", ObjectiveName::Kto).weight(&record(fields));
    for (label, expected) in [(json!(true), 1.0), (json!(0), -1.0), (json!("False"), -1.0), (json!(1.0), 1.0)] {
        assert_eq!(weight(json!({ "label": label })).unwrap(), expected);
    }
    assert_eq!(weight(json!({ "kto_tag": true })).unwrap(), 1.0);
    assert!(weight(json!({ "label": "good" })).unwrap_err().to_string().contains("\"good\", not true or false"));
    assert!(weight(json!({ "output": "x" })).unwrap_err().to_string().contains("no `label`: it has `output`"));
}

#[test]
fn rows_weigh_what_they_say() {
    let objective = Objective { row_weight: Some("quality".into()), ..Objective::default() };
    let template = Template::new("plain", &trained()).unwrap().reading(&objective);
    assert_eq!(template.weight(&record(json!({ "quality": 0.5 }))).unwrap(), 0.5);
    assert_eq!(template.weight(&record(json!({ "quality": "2" }))).unwrap(), 2.0);
    for bad in [json!({ "quality": -1 }), json!({ "quality": "much" }), json!({ "x": 1 })] {
        assert!(template.weight(&record(bad)).unwrap_err().to_string().contains("row_weight"));
    }
}

#[test]
fn both_answers_have_the_same_prompt_ids() {
    let tokenizer = trained();
    let template = template("plain", ObjectiveName::Dpo);
    let encoder = Encoder { tokenizer: &tokenizer, template: &template, max_length: 99, train_on_prompt: false };
    let record = record(json!({ "prompt": "The fox", "chosen": "jumps", "rejected": "sleeps" }));
    let examples = template.examples(&record).unwrap();
    let ids: Vec<_> = examples.iter().map(|example| encoder.encode(example).unwrap().sequence).collect();
    let prompt = encoder.prompt(&record).unwrap();
    assert!(ids.iter().all(|sequence| sequence.ids.starts_with(&prompt)));
    assert_eq!(ids[0].labels[..prompt.len()], vec![-100; prompt.len()]);
}
