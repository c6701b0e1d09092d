#![no_main]

use framework_fuzz::fuzz;
use framework_sdk::serde_json::json;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    fuzz("text", input, |choices| {
        let name = choices.of(&["f.jsonl", "f.json", "f.txt"]);
        (name, json!({"encoding": choices.encoding(), "unit": choices.of(&["paragraph", "line", "file"])}))
    });
});
