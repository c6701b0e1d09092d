//! Tokens and labels of the shipped chat recipe are those of the tutorials' `process_func`, which
//! `tests/reference/process_func.py` runs.

use crate::setting::{Setting, configured, recipes, rows, said};
use serde_json::Value;

const IGNORED: i64 = -100;

#[test]
fn rows_are_encoded_as_the_tutorials_do() {
    let golden = recipes().join("../tests/golden/process_func");
    let cases: Value = serde_json::from_slice(&std::fs::read(golden.join("expected.json")).unwrap()).unwrap();
    let setting = Setting::new();
    for case in cases.as_array().unwrap() {
        let sets = [
            configured("llama", "deepseek-llm-7b-chat"),
            format!("tokenizer.path={:?}", golden.join("tokenizer")),
            format!("prompt.max_length={}", case["max_length"]),
            "validation.fraction=0.0".to_owned(),
        ];
        let mut prepare = setting.framework();
        prepare.arg("prepare").arg(recipes().join("deepseek-7b-huanhuan.toml"));
        prepare.args(["--to", "rows.jsonl", "--as", "tokens"]);
        said(prepare.args(sets.iter().flat_map(|set| ["--set", set]))).succeeded();
        let mut found = rows(&setting.read("rows.jsonl")).into_iter();
        let mut ended = 0;
        // Rows of which truncation leaves no label have nothing to teach and are dropped.
        let taught = |row: &&Value| row["labels"].as_array().unwrap()[1..].iter().any(|label| *label != IGNORED);
        for expected in case["rows"].as_array().unwrap().iter().filter(taught) {
            let found = found.next().expect("as many rows");
            assert_eq!((&found["input_ids"], &found["labels"]), (&expected["input_ids"], &expected["labels"]));
            let labels = found["labels"].as_array().unwrap();
            ended += usize::from(labels.ends_with(&[1.into(), 1.into()]));
        }
        assert!(found.next().is_none());
        let rows = case["rows"].as_array().unwrap().len();
        match case["max_length"].as_u64() {
            Some(384) => assert_eq!(ended, rows, "the end token is trained, and once more as the padding"),
            _ => assert!(ended < rows, "some are cut off"),
        }
    }
}
