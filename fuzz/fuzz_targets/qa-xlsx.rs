#![no_main]

use framework_fuzz::{fuzz_made, workbook};
use framework_sdk::serde_json::json;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    fuzz_made("qa-xlsx", input, |choices, content| {
        let content = if choices.of(&[true, false]) { workbook(content) } else { content.to_vec() };
        let mut options = json!({"skip_empty": choices.of(&[false, true])});
        if let Some(sheet) = choices.of(&[None, Some("QA")]) {
            options["sheet"] = json!(sheet);
        }
        if let Some(context) = choices.of(&[None, Some("context")]) {
            options["context"] = json!(context);
        }
        ("f.xlsx", options, content)
    });
});
