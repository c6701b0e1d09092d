#![no_main]

use framework_fuzz::fuzz;
use framework_sdk::serde_json::json;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    fuzz("jsonl", input, |choices| {
        let name = choices.of(&["f.jsonl", "f.json"]);
        let columns = choices.of(&[json!({}), json!({"x": "a", "y": "a"})]);
        (name, json!({"encoding": choices.encoding(), "columns": columns}))
    });
});
