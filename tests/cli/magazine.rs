//! The magazine's recipes: from articles with HTML in them to questions with structured answers.

use crate::setting::{configured, framework, recipes, rows, said, tokenizer};
use framework_metrics::{Pair, json, magazine, schema};
use serde_json::{Map, Value};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

const RECIPES: [&str; 2] = ["bythestream-small", "bythestream-standard"];

/// What `prepare` writes, as text, and what it reports; without weights, which no part of the pipeline needs.
fn prepared(name: &str, form: &str, overrides: &[&str]) -> (String, Value) {
    let model = [configured("qwen", "deepseek-r1-distill-qwen-1.5b"), tokenizer()];
    let folder = tempfile::tempdir().unwrap();
    let mut prepare = framework(folder.path());
    prepare.args(["prepare", "--to", "out.jsonl", "--format", "json", "--as", form]);
    prepare.arg(recipes().join(format!("{name}.toml")));
    for set in model.iter().map(String::as_str).chain(overrides.iter().copied()) {
        prepare.args(["--set", set]);
    }
    let report = said(&mut prepare).json();
    (fs::read_to_string(folder.path().join("out.jsonl")).unwrap(), report)
}

/// All texts of a value, names of fields included.
fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(list) => list.iter().flat_map(texts).collect(),
        Value::Object(map) => map.iter().flat_map(|(key, value)| [vec![key.as_str()], texts(value)].concat()).collect(),
        _ => Vec::new(),
    }
}

#[track_caller]
fn object<'a>(value: &'a Value, keys: &[&str]) -> &'a Map<String, Value> {
    let object = value.as_object().unwrap_or_else(|| panic!("no object but {value}"));
    assert!(keys.is_empty() || object.keys().eq(keys), "{keys:?} are the keys, not those of {value}");
    object
}

/// The form of answers, key by key, and that nothing in them is empty.
fn assert_form(answer: &Value) {
    let text = |value: &Value| assert!(value.as_str().is_some_and(|text| !text.trim().is_empty()), "{value}: {answer}");
    let parts = object(answer, &["文章信息", "主要内容", "关键词解释", "关键句子解释"]);
    object(&parts["文章信息"], &["标题", "作者", "卷期", "类别"]).values().for_each(text);
    let content = object(&parts["主要内容"], &["概述", "关键段落"]);
    text(&content["概述"]);
    content["关键段落"].as_array().unwrap().iter().for_each(text);
    for explained in ["关键词解释", "关键句子解释"] {
        let explained = object(&parts[explained], &[]);
        assert!(!explained.is_empty() && explained.keys().all(|key| !key.trim().is_empty()), "{answer}");
        explained.values().for_each(text);
    }
}

#[test]
fn answers_have_the_magazines_form_and_no_markup() {
    for name in RECIPES {
        let (records, report) = prepared(name, "records", &[]);
        assert!(report["data"]["validation"]["kept"].as_u64().unwrap() > 0, "{report}");
        let records = rows(&records);
        for record in &records {
            assert_form(&record["answer"]);
            let marked = |text: &&str| text.contains(['<', '>', '&', '\u{a0}']);
            assert_eq!(texts(record).into_iter().find(marked), None, "markup is left");
        }
        // What is learned is the answer as JSON, Chinese as it is.
        let examples = rows(&prepared(name, "text", &[]).0);
        assert_eq!(examples.len(), records.len());
        for (example, record) in examples.iter().zip(&records) {
            let text = |key: &str| example[key].as_str().unwrap();
            assert_eq!(serde_json::from_str::<Value>(text("response")).unwrap(), record["answer"]);
            assert!(text("response").contains("文章信息") && !text("response").contains("\\u"), "{example}");
            let asked = format!("\n\nQuestion: {}\n\nAnswer:", record["question"].as_str().unwrap());
            assert!(text("prompt").starts_with("<think>") && text("prompt").ends_with(&asked), "{example}");
        }
    }
}

/// The metrics that the recipes name find in the answers what they look for.
#[test]
fn metrics_read_the_magazines_answers() {
    for name in RECIPES {
        let answers = rows(&prepared(name, "records", &[]).0).into_iter().map(|record| record["answer"].to_string());
        let pairs: Vec<_> = answers.map(|text| Pair { answer: text.clone(), reference: text }).collect();
        let all: Vec<_> = (0..pairs.len()).collect();
        let metrics = [
            json::valid(&pairs),
            schema::conforming(&pairs, &schema::Schema::magazine()),
            magazine::field(&pairs, magazine::Field::Title),
            magazine::field(&pairs, magazine::Field::Author),
            magazine::field(&pairs, magazine::Field::Volume),
            magazine::keywords(&pairs),
            magazine::citations(&pairs),
        ];
        let scores: Vec<_> = metrics.iter().map(|counted| counted.score(&all)).collect();
        assert_eq!(scores, [Some(1.0); 7], "{name}");
        // Against the next record's answer they are not right any more.
        let shifted: Vec<_> = (0..pairs.len())
            .map(|i| Pair {
                answer: pairs[i].answer.clone(),
                reference: pairs[(i + pairs.len() / 2) % pairs.len()].answer.clone(),
            })
            .collect();
        let citations = magazine::citations(&shifted).score(&all).unwrap();
        assert!(citations < 0.5, "{citations}");
    }
}

#[test]
fn types_are_balanced() {
    for name in RECIPES {
        let (_, report) = prepared(name, "records", &[]);
        let stages = report["data"]["train"]["stages"].as_array().unwrap();
        let at = stages.iter().position(|stage| stage["name"] == "qa-pairs").unwrap();
        // Of overviews there are four wordings and of the others three, so that left alone there would be more.
        for per_type in [1, 4] {
            let (records, report) = prepared(name, "records", &[&format!("augment.{at}.per_type={per_type}")]);
            let last = report["data"]["train"]["stages"].as_array().unwrap().last().unwrap().clone();
            assert_eq!(last["name"], "balance-types");
            let count = |key: &str| last[key].as_u64().unwrap();
            assert!(per_type == 1 || count("records_out") < count("records_in"), "{last}");
            for (split, enough) in [("train", 15), ("validation", 1)] {
                let mut types: BTreeMap<String, usize> = BTreeMap::new();
                for record in rows(&records).iter().filter(|record| record["split"] == split) {
                    *types.entry(record["type"].as_str().unwrap().to_owned()).or_default() += 1;
                }
                assert_eq!(types.len(), 5, "{name}: {types:?}");
                let (least, most) = (types.values().min().unwrap(), types.values().max().unwrap());
                assert!(*least >= enough && *most as f64 <= 1.05 * *least as f64, "{name}: {types:?}");
            }
        }
    }
}

#[test]
fn the_same_recipe_gives_the_same_bytes() {
    for name in RECIPES {
        let bytes = |overrides: &[&str]| prepared(name, "records", overrides).0;
        assert!(bytes(&[]) == bytes(&[]), "{name}");
        assert!(bytes(&[]) != bytes(&["seed=7"]), "{name}: the seed draws");
    }
}

/// The sample has what the pipeline is for: markup, volumes beyond the tenth, an article that was printed twice.
#[test]
fn volumes_are_chosen_and_reprints_left_out() {
    let sample = fs::read_to_string(recipes().join("data/magazine_sample.json")).unwrap();
    let sample: Vec<Map<String, Value>> = serde_json::from_str(&sample).unwrap();
    let content = |part: &str| sample.iter().filter(|a| a["content"].as_str().unwrap().contains(part)).count();
    assert!(content("<p>") == sample.len() && content("<script") > 0 && content("&ldquo;") > 0 && content("&#") > 0);
    let volumes = |numbers: &[u32]| numbers.iter().map(|n| format!("第{n}期")).collect::<BTreeSet<_>>();
    let first = [1, 2, 3, 4, 5, 6, 8, 9, 10];
    for (name, expected) in RECIPES.into_iter().zip([volumes(&first), volumes(&[&first[..], &[11, 12]].concat())]) {
        let records = rows(&prepared(name, "records", &["validation.fraction=0", "train={epochs=1}"]).0);
        let info = |key: &str| -> BTreeSet<String> {
            records.iter().map(|r| r["answer"]["文章信息"][key].as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(info("卷期"), expected, "{name}");
        let titles = info("标题");
        assert!(titles.contains("老桥") && !titles.contains("老桥（重刊）"), "{titles:?}");
    }
}
