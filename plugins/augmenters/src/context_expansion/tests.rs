use super::*;
use framework_sdk::{Kind, test};
use std::collections::BTreeSet;

fn article() -> Value {
    json!({
        "question": "请解释《耐心》里的这句话：“种子需要耐心。”",
        "answer": {"title": "耐心"},
        "title": "耐心", "author": "林", "volume": "3",
        "keywords": ["种子", "园丁", "春天"], "key_sentences": ["园丁种下种子。", "种子需要耐心。"],
        "content": "园丁种下种子。天气很好。种子需要耐心。园丁等待。\n花开了。",
    })
}

fn questions(options: &str, record: Value, seed: u64) -> Vec<String> {
    let field = if options.contains("field =") { "" } else { "field = \"question\"" };
    let records = test::augmenter("context-expansion", &format!("{field}\n{options}"), [record], seed);
    let name = if records[0].contains_key("question") { "question" } else { "instruction" };
    records.iter().map(|record| record[name].as_str().unwrap().to_owned()).collect()
}

/// All contexts of a record's copies.
fn contexts(options: &str, record: Value) -> BTreeSet<String> {
    let options = format!("keep_original = false\ntemplates = [\"{{text}}<{{context}}>\"]\n{options}");
    let all = (0..60).flat_map(|seed| questions(&options, record.clone(), seed));
    all.map(|text| text.split_once('<').map_or("", |(_, context)| context.trim_end_matches('>')).to_owned()).collect()
}

#[track_caller]
fn gives(options: &str, record: Value, expected: &[&str]) {
    assert_eq!(contexts(options, record), expected.iter().map(|&text| text.to_owned()).collect());
}

#[test]
fn context_comes_from_the_sources() {
    gives(
        "sources = [\"author\", \"volume\", \"keywords\"]",
        article(),
        &[
            "作者：林；卷期：第3期；关键词：园丁、春天。",
            "作者：林；卷期：第3期；主题词：园丁、春天。",
            "作者：林；刊于第3期；关键词：园丁、春天。",
            "作者：林；刊于第3期；主题词：园丁、春天。",
            "作者是林；卷期：第3期；关键词：园丁、春天。",
            "作者是林；卷期：第3期；主题词：园丁、春天。",
            "作者是林；刊于第3期；关键词：园丁、春天。",
            "作者是林；刊于第3期；主题词：园丁、春天。",
        ],
    );
    // The title and one key sentence are in the question already.
    gives(
        "sources = [\"title\", \"key_sentences\", \"missing\"]",
        article(),
        &["要点：园丁种下种子。", "重点句：园丁种下种子。"],
    );
}

#[test]
fn neighbours_of_what_is_quoted() {
    let options = "sources = []\nneighbours = 1";
    gives(
        options,
        article(),
        &[
            "上文：天气很好。下文：园丁等待。",
            "上文：天气很好。后文：园丁等待。",
            "前文：天气很好。下文：园丁等待。",
            "前文：天气很好。后文：园丁等待。",
        ],
    );
    let contexts = contexts("sources = []\nneighbours = 9", article());
    assert!(contexts.contains("上文：园丁种下种子。天气很好。下文：园丁等待。花开了。"), "{contexts:?}");
    let mut titled = article();
    titled["title"] = "种子需要耐心".into();
    assert_eq!(questions(options, titled, 1).len(), 1, "the title is no quotation");
    let mut other = article();
    other["question"] = "《耐心》讲了什么？".into();
    assert_eq!(questions(options, other, 1), ["《耐心》讲了什么？"]);
}

#[test]
fn instructions_take_their_input_in() {
    let record = json!({"instruction": "Name its colour.", "input": "The sky. It is clear.", "category": "nature", "output": "Blue."});
    let options = "field = \"instruction\"\nsources = [\"category\", \"input\"]";
    gives(
        options,
        record.clone(),
        &[
            "Category: nature; Input: The sky. It is clear.",
            "Category: nature; Material: The sky. It is clear.",
            "Topic: nature; Input: The sky. It is clear.",
            "Topic: nature; Material: The sky. It is clear.",
        ],
    );
    let moved =
        format!("{options}\nmove_sources = true\nkeep_original = false\ntemplates = [\"{{context}}\\n{{text}}\"]");
    let copy = &test::augmenter("context-expansion", &moved, [record.clone()], 1)[0];
    assert_eq!(copy.keys().collect::<Vec<_>>(), ["instruction", "input", "category", "output"]);
    assert_eq!((&copy["input"], &copy["category"], &copy["output"]), (&json!(""), &json!(""), &json!("Blue.")));
    // What was cut stays.
    let cut = format!("{moved}\nmax_chars = 36");
    let copy = &test::augmenter("context-expansion", &cut, [record], 1)[0];
    assert!(copy["instruction"].as_str().unwrap().ends_with(": The sky.\nName its colour."), "{copy:?}");
    assert_eq!(copy["input"], "The sky. It is clear.");
}

#[test]
fn lengths_and_numbers_of_sources_are_limited() {
    let all = |options: &str| contexts(options, article());
    for most in 1..=3 {
        let found = all(&format!("sources = [\"author\", \"volume\", \"keywords\"]\nmost = {most}"));
        assert!(found.iter().all(|context| context.matches('；').count() + 1 == most), "{found:?}");
        assert!(found.len() > 3, "{found:?}");
    }
    for max in 1..40 {
        let found = all(&format!("max_chars = {max}"));
        assert!(found.iter().all(|context| context.chars().count() <= max), "{max}: {found:?}");
    }
    assert_eq!(
        all("sources = [\"keywords\"]\nmax_chars = 7"),
        ["主题词：园丁。".to_owned(), "关键词：园丁。".to_owned()].into()
    );
}

#[test]
fn wordings_follow_the_language_and_the_seed() {
    let text = |question: &str, seed| {
        questions("keep_original = false\nsources = [\"author\"]", json!({"question": question, "author": "Li"}), seed)
            .concat()
    };
    let all = |question: &str| (0..60).map(|seed| text(question, seed)).collect::<BTreeSet<_>>();
    assert!(all("Why?").contains("Here is some background. Author: Li.\nWhy?"));
    assert!(all("为什么？").contains("以下是背景信息。作者：Li。\n为什么？"));
    assert!(all("為什麼這樣？").contains("以下是背景資料。作者：Li。\n為什麼這樣？"));
    assert_eq!(all("Why?").len(), 8, "two labels and four templates");
    assert!(text("", 1).contains("Li"));
}

#[test]
fn copies_differ_and_placeholders_in_texts_are_text() {
    let copies = questions("copies = 3", article(), 1);
    assert_eq!(copies[0], article()["question"]);
    assert_eq!(copies.iter().collect::<BTreeSet<_>>().len(), 4);
    let record = json!({"question": "{context}", "author": "{text}"});
    let options = "sources = [\"author\"]\nkeep_original = false\ntemplates = [\"{context}|{text}\"]";
    let text = questions(options, record, 1).concat();
    assert!(text.ends_with("{text}.|{context}"), "{text}");
}

#[test]
fn wrong_options_and_records_are_refused() {
    let refused = |mut options: Value| {
        options["field"] = "question".into();
        let declaration = test::declaration(Kind::Augmenter, "context-expansion");
        declaration.build.augmenter("context-expansion", &options).err().expect("an error").message
    };
    assert!(refused(json!({"sources": []})).contains("there is no context"));
    assert!(refused(json!({"sources": ["question"]})).contains("which is the `field`"));
    assert!(refused(json!({"max_chars": 0})).contains("`max_chars` is 0"));
    assert!(refused(json!({"most": 0})).contains("`most` is 0"));
    assert!(refused(json!({"copies": 0})).contains("`copies` is 0"));
    assert!(refused(json!({"templates": ["{text}"]})).contains("expected one {text} and one {context}"));
}

#[test]
#[should_panic(expected = "record 1: the field `title` is neither text nor a number nor a list of them but {}")]
fn a_source_is_text() {
    questions("", json!({"question": "a", "title": {}}), 1);
}
