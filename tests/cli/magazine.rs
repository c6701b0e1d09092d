//! The magazine's recipes: from articles with HTML in them to questions with structured answers.

use framework_core::{Kind, Record};
use framework_engine::{
    PluginSources, Session,
    data::{self, Example, Inputs, RecordSets, Source, Template},
    tokenizer::Tokenizer,
};
use serde_json::{Map, Value};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

const RECIPES: [&str; 2] = ["bythestream-small", "bythestream-standard"];

fn recipes() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("recipes")
}

/// The recipe; without weights, which no part of the pipeline needs.
fn session(name: &str, overrides: &[&str]) -> Session {
    let config = recipes().join("configs/deepseek-r1-distill-qwen-1.5b/config.json");
    let model = format!("model={{plugin=\"qwen\", config={config:?}}}");
    let tokenizer = format!("tokenizer.path={:?}", recipes().join("quickstart-base"));
    let overrides: Vec<_> = overrides.iter().map(|o| (*o).to_owned()).chain([model, tokenizer]).collect();
    let recipe = recipes().join(format!("{name}.toml"));
    Session::open(&recipe, &overrides, &PluginSources::default()).unwrap_or_else(|e| panic!("{name}: {e}"))
}

/// What the recipe would train.
fn records(session: &Session) -> RecordSets {
    let recipe = &session.recipe;
    let open = |d: &framework_engine::recipe::Dataset| {
        let dataset = session.entry(Kind::Dataset, &d.plugin).unwrap().dataset(&d.options.clone().into()).unwrap();
        Source { name: d.plugin.clone(), dataset, limit: d.limit, split: d.split, weight: d.weight }
    };
    let sources: Vec<_> = recipe.dataset.iter().map(open).collect();
    let augmenter = |name: &str| session.entry(Kind::Augmenter, name).unwrap();
    let augmenters = recipe.augment.iter().map(|a| augmenter(&a.plugin).augmenter(&a.options.clone().into()).unwrap());
    let augmenters: Vec<_> = augmenters.collect();
    let validation_fraction = recipe.validation.fraction;
    data::records(&Inputs { sources: &sources, augmenters: &augmenters, validation_fraction, seed: recipe.seed })
        .unwrap()
}

fn lines(records: &[Record]) -> String {
    records.iter().map(|record| format!("{}\n", Value::Object(record.clone()))).collect()
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

/// How often each type occurs.
fn types(records: &[Record]) -> BTreeMap<&str, usize> {
    let mut types = BTreeMap::new();
    records.iter().for_each(|record| *types.entry(record["type"].as_str().unwrap()).or_default() += 1);
    types
}

#[test]
fn answers_have_the_magazines_form_and_no_markup() {
    for name in RECIPES {
        let session = session(name, &[]);
        let sets = records(&session);
        assert!(!sets.validation.is_empty());
        let tokenizer = Tokenizer::load(&recipes().join("quickstart-base")).unwrap();
        let template = Template::of(&session.recipe.prompt, &tokenizer).unwrap();
        for record in sets.train.iter().chain(&sets.validation) {
            assert_form(&record["answer"]);
            for text in data::texts(record) {
                assert!(!text.contains(['<', '>', '&', '\u{a0}']), "markup is left: {text}");
            }
            // What is learned is the answer as JSON, Chinese as it is.
            let Example::Turns { turns, .. } = &template.examples(record).unwrap()[0] else {
                panic!("{name}: no turns")
            };
            let response = &turns[0].response;
            assert_eq!(serde_json::from_str::<Value>(response).unwrap(), record["answer"]);
            assert!(response.contains("文章信息") && !response.contains("\\u"), "{response}");
            assert!(
                turns[0].prompt.ends_with(&format!("Question: {}\n\nAnswer:", record["question"].as_str().unwrap()))
            );
        }
    }
}

#[test]
fn types_are_balanced() {
    for name in RECIPES {
        let at = session(name, &[]).recipe.augment.iter().position(|a| a.plugin == "qa-pairs").unwrap();
        // Of overviews there are four wordings and of the others three, so that left alone there would be more.
        for per_type in [1, 4] {
            let sets = records(&session(name, &[&format!("augment.{at}.per_type={per_type}")]));
            for (set, enough) in [(&sets.train, 15), (&sets.validation, 1)] {
                let types = types(set);
                assert_eq!(types.len(), 5, "{name}: {types:?}");
                let (least, most) = (types.values().min().unwrap(), types.values().max().unwrap());
                assert!(
                    *least >= enough * per_type.min(3) && *most as f64 <= 1.05 * *least as f64,
                    "{name}: {types:?}"
                );
            }
        }
    }
}

#[test]
fn the_same_recipe_gives_the_same_bytes() {
    for name in RECIPES {
        let all = |overrides: &[&str]| {
            let sets = records(&session(name, overrides));
            lines(&sets.train) + &lines(&sets.validation)
        };
        assert_eq!(all(&[]), all(&[]), "{name}");
        assert_ne!(all(&[]), all(&["seed=7"]), "{name}: the seed draws");
    }
}

/// The sample has what the pipeline is for: markup, volumes beyond the tenth, an article that was printed twice.
#[test]
fn volumes_are_chosen_and_reprints_left_out() {
    let sample: Vec<Record> =
        serde_json::from_str(&fs::read_to_string(recipes().join("data/magazine_sample.json")).unwrap()).unwrap();
    let content = |part: &str| sample.iter().filter(|a| a["content"].as_str().unwrap().contains(part)).count();
    assert!(content("<p>") == sample.len() && content("<script") > 0 && content("&ldquo;") > 0 && content("&#") > 0);
    let info = |name: &str, key: &str| -> BTreeSet<String> {
        let sets = records(&session(name, &["validation.fraction=0", "train={epochs=1}"]));
        sets.train.iter().map(|r| r["answer"]["文章信息"][key].as_str().unwrap().to_owned()).collect()
    };
    let volumes = |numbers: &[u32]| numbers.iter().map(|n| format!("第{n}期")).collect::<BTreeSet<_>>();
    let first = [1, 2, 3, 4, 5, 6, 8, 9, 10];
    assert_eq!(info("bythestream-small", "卷期"), volumes(&first));
    assert_eq!(info("bythestream-standard", "卷期"), volumes(&[&first[..], &[11, 12]].concat()));
    for name in RECIPES {
        let titles = info(name, "标题");
        assert!(titles.contains("老桥") && !titles.contains("老桥（重刊）"), "{titles:?}");
    }
}
