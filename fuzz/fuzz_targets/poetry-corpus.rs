#![no_main]

use framework_fuzz::fuzz;
use framework_sdk::serde_json::json;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    fuzz("poetry-corpus", input, |choices| {
        let name = choices.of(&["f.jsonl", "f.json", "f.txt"]);
        let mut options = json!({
            "encoding": choices.encoding(),
            "heading": choices.of(&["none", "title", "title-author"]),
            "unit": choices.of(&["paragraph", "line"]),
        });
        if choices.of(&[false, false, true]) {
            options["body"] = json!("a");
        }
        (name, options)
    });
});
