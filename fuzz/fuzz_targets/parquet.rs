#![no_main]

use framework_fuzz::{fuzz_made, table};
use framework_sdk::serde_json::json;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    fuzz_made("parquet", input, |choices, content| {
        let content = if choices.of(&[true, false]) { table(content) } else { content.to_vec() };
        let columns = choices.of(&[json!({}), json!({"x": "prompt"}), json!({"x": "a", "y": "a"})]);
        ("f.parquet", json!({"columns": columns}), content)
    });
});
