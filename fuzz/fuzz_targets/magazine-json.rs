#![no_main]

use framework_fuzz::fuzz;
use framework_sdk::serde_json::json;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    fuzz("magazine-json", input, |choices| {
        let name = choices.of(&["f.jsonl", "f.json"]);
        let mut options = json!({"encoding": choices.encoding()});
        if let Some(volumes) = choices.of(&[None, Some("1-10"), Some("3, 5-20")]) {
            options["volumes"] = json!(volumes);
        }
        (name, options)
    });
});
