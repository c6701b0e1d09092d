#![no_main]

use framework_fuzz::fuzz;
use framework_sdk::serde_json::json;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    fuzz("instruction-json", input, |choices| {
        let name = choices.of(&["f.jsonl", "f.json"]);
        let mut options = json!({"encoding": choices.encoding(), "skip_empty": choices.of(&[false, true])});
        if let Some(field) = choices.of(&[None, Some("messages"), Some("a")]) {
            options["conversation"] = json!(field);
        }
        (name, options)
    });
});
