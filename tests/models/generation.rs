//! `generation_config.json` of a model folder: tests/reference/generation_config.py.

use crate::{
    golden::{Golden, id, list, repository},
    run::write_tokenizer,
};
use framework_engine::{PluginSources, generate::TextGenerator};
use serde_json::Value;
use std::fs;
use tempfile::TempDir;

/// The model of a case in a folder with a tokenizer and this `generation_config.json`.
fn folder(golden: &Golden, file: &Value) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(golden.path("model")).unwrap().map(Result::unwrap) {
        fs::copy(entry.path(), dir.path().join(entry.file_name())).unwrap();
    }
    // The end token of the tokenizer is one that the model does not have.
    let vocab = golden.network("model", None).spec().vocab_size;
    write_tokenizer(dir.path(), vocab + 1, &format!("t{vocab}"));
    fs::write(dir.path().join("generation_config.json"), file.to_string()).unwrap();
    dir
}

#[test]
fn tokens_are_those_of_transformers() {
    let path = repository().join("tests/golden/generation_config.json");
    let cases: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let mut compared = 0;
    for case in cases["cases"].as_array().unwrap() {
        let golden = Golden::open(case["case"].as_str().unwrap());
        let dir = folder(&golden, &case["file"]);
        let set: Vec<_> =
            case["arguments"].as_object().unwrap().iter().map(|(key, value)| format!("{key}={value}")).collect();
        let generator = TextGenerator::of_folders(dir.path(), None, &set, &PluginSources::default()).unwrap();
        for (prompt, expected) in golden.rows("prompts").into_iter().zip(case["expected"].as_array().unwrap()) {
            let found = generator.answer(prompt, 0, &mut |_| {}).unwrap().token_ids;
            assert_eq!(found, list(expected, id), "{}: {} {set:?}", golden.case, case["file"]);
            compared += 1;
        }
    }
    assert!(compared >= 40);
}
