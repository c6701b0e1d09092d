//! Hashes and random numbers that are the same on every machine and with every release of Rust.

use framework_sdk::{Record, serde_json::Value};
use siphasher::sip128::{Hasher128, SipHasher13};
use std::hash::Hasher;

/// Steele, Lea and Flood's SplitMix64 (2014), one step from each of two numbers.
pub fn mix(seed: u64, n: u64) -> u64 {
    let mut z = seed.wrapping_add(n.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A hash of a text.
pub fn text(text: &str) -> u64 {
    let mut hasher = SipHasher13::new();
    hasher.write(text.as_bytes());
    hasher.finish128().h1
}

/// A hash of values. Those that are equal have the same, whatever the order of their fields; others, for all that can
/// ever happen, have not.
pub fn values<'a>(values: impl IntoIterator<Item = &'a Value>) -> u128 {
    let mut hasher = SipHasher13::new();
    values.into_iter().for_each(|value| add(&mut hasher, value));
    hasher.finish128().as_u128()
}

/// A hash of a record, whatever the order of its fields.
pub fn record(record: &Record) -> u128 {
    let mut hasher = SipHasher13::new();
    add_fields(&mut hasher, record);
    hasher.finish128().as_u128()
}

/// Adds a value: what it is, how long it is, and its bytes, so that nothing runs together.
fn add(hasher: &mut SipHasher13, value: &Value) {
    match value {
        Value::Null => hasher.write(b"0"),
        Value::Bool(value) => number(hasher, b'b', u64::from(*value)),
        Value::Number(n) => match (n.as_u64(), n.as_i64()) {
            (Some(n), _) => number(hasher, b'u', n),
            (_, Some(n)) => number(hasher, b'i', n.cast_unsigned()),
            // Adding zero makes zeros equal.
            _ => number(hasher, b'f', (n.as_f64().unwrap_or_default() + 0.0).to_bits()),
        },
        Value::String(text) => string(hasher, text),
        Value::Array(list) => {
            number(hasher, b'a', list.len() as u64);
            list.iter().for_each(|value| add(hasher, value));
        }
        Value::Object(fields) => add_fields(hasher, fields),
    }
}

fn add_fields(hasher: &mut SipHasher13, fields: &Record) {
    let mut fields: Vec<_> = fields.iter().collect();
    fields.sort_unstable_by_key(|(name, _)| *name);
    number(hasher, b'o', fields.len() as u64);
    for (name, value) in fields {
        string(hasher, name);
        add(hasher, value);
    }
}

fn number(hasher: &mut SipHasher13, kind: u8, bits: u64) {
    hasher.write(&[kind]);
    hasher.write(&bits.to_le_bytes());
}

fn string(hasher: &mut SipHasher13, text: &str) {
    number(hasher, b's', text.len() as u64);
    hasher.write(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use framework_sdk::serde_json::json;

    #[test]
    fn equal_values_have_equal_hashes_and_others_have_not() {
        let same = [
            json!({"a": [1, -1, 0.5], "b": {"x": null, "y": true}}),
            json!({"b": {"y": true, "x": null}, "a": [1, -1, 0.5]}),
        ];
        assert_eq!(values([&same[0]]), values([&same[1]]));
        assert_eq!(values([&json!(0.0)]), values([&json!(-0.0)]));
        let others = [
            json!(null),
            json!(false),
            json!(true),
            json!(0),
            json!(1),
            json!(-1),
            json!(0.0),
            json!(1.0),
            json!(""),
            json!("1"),
            json!("ab"),
            json!([]),
            json!([[]]),
            json!(["a", "b"]),
            json!(["ab"]),
            json!({}),
            json!({"a": "b"}),
            json!({"b": "a"}),
            json!({"a": null}),
        ];
        let hashes: std::collections::BTreeSet<_> = others.iter().map(|value| values([value])).collect();
        assert_eq!(hashes.len(), others.len());
        assert_ne!(values([&json!("a"), &json!("b")]), values([&json!("ab")]));
    }

    /// Recipes name a seed and expect the same bytes years later. SplitMix64's first two numbers from state 0 are its
    /// published ones; SipHash's under key 0 were computed in Python, after its description.
    #[test]
    fn hashes_never_change() {
        assert_eq!([mix(0, 0), mix(0, 1)], [0xe220_a839_7b1d_cdaf, 0x6e78_9e6a_a1b9_65f4]);
        assert_eq!([text(""), text("春天")], [0x2134_935d_61d9_b40d, 0x2ffd_e5d4_7507_05ae]);
        assert_eq!(values([&json!("春天")]), 0x3e0a_d6ab_7dc0_0f25_e8dd_85ae_4ddd_9bc2);
    }
}
