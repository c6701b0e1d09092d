#![no_main]

use framework_fuzz::fuzz;
use framework_sdk::serde_json::json;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    fuzz("instruction-csv", input, |choices| {
        let name = choices.of(&["f.csv", "f.tsv"]);
        let mut options = json!({
            "encoding": choices.encoding(),
            "delimiter": choices.of(&[",", "\t", ";", " "]),
            "skip_empty": choices.of(&[false, true]),
        });
        if choices.of(&[false, true]) {
            options["input"] = json!("a");
        }
        (name, options)
    });
});
