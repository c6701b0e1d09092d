use super::*;
use crate::tokenizer::tests::{folder, trained};
use serde_json::{Value, json};

/// What the tokenizers library makes of the same file.
fn same(file: &Value) {
    let bytes = file.to_string().into_bytes();
    let mut theirs = Inner::from_bytes(&bytes).unwrap();
    // Are the data pipeline's, and not read here.
    theirs.with_padding(None);
    theirs.with_truncation(None).unwrap();
    assert_eq!(parsed(&bytes).unwrap().to_string(false).unwrap(), theirs.to_string(false).unwrap());
}

#[test]
fn a_file_is_read_as_the_library_reads_it() {
    let dir = folder("{}");
    let single = std::fs::read(dir.path().join("tokenizer.json")).unwrap();
    let bytes = &trained().files["tokenizer.json"];
    for file in [&single, bytes] {
        let mut file: Value = serde_json::from_slice(file).unwrap();
        same(&file);
        // The form of merges in older files, and options that most leave out.
        let old = |merge: &Value| json!(format!("{} {}", merge[0].as_str().unwrap(), merge[1].as_str().unwrap()));
        file["model"]["merges"] = file["model"]["merges"].as_array().unwrap().iter().map(old).collect();
        file["model"]["byte_fallback"] = true.into();
        file["model"]["ignore_merges"] = true.into();
        file["model"]["unk_token"] = "a".into();
        file["model"]["dropout"] = 0.5.into();
        same(&file);
    }
}

#[test]
fn what_is_wrong_is_left_to_the_library() {
    let bytes = trained().files["tokenizer.json"].clone();
    let good: Value = serde_json::from_slice(&bytes).unwrap();
    for (key, value) in
        [("type", json!("WordPiece")), ("merges", json!(["a b c"])), ("merges", json!([["a", "b", "c"]]))]
    {
        let mut file = good.clone();
        file["model"][key] = value;
        assert!(parsed(file.to_string().as_bytes()).is_err(), "{key}");
    }
}
