//! `deduplicate`: every record once.

use crate::keep::{field, keep};
use framework_sdk::prelude::*;
use std::{
    collections::HashSet,
    hash::{DefaultHasher, Hash, Hasher},
};

options! {
    /// Leaves out records that were seen before, keeping the first of each and the order.
    ///
    /// Two records are the same if the chosen fields are exactly equal. What is remembered of a record is a 128-bit
    /// hash, 16 bytes however long the text.
    pub struct Deduplicate {
        /// The fields to compare; all of them if none is named.
        #[serde(default)]
        fields: Vec<String>,
    }
}

impl Augmenter for Deduplicate {
    fn augment(&self, records: Records, _seed: u64) -> Result<Records> {
        let (fields, mut seen) = (self.fields.clone(), HashSet::new());
        Ok(keep(records, "deduplicate", move |record| {
            let chosen = fields.iter().map(|name| field(record, name)).collect::<Result<Vec<_>>>()?;
            Ok(seen.insert(if fields.is_empty() { hash(record) } else { hash(&chosen) }))
        }))
    }
}

fn hash(value: &impl Hash) -> [u64; 2] {
    [0_u8, 1].map(|half| {
        let mut hasher = DefaultHasher::new();
        half.hash(&mut hasher);
        value.hash(&mut hasher);
        hasher.finish()
    })
}

register!(augmenter "deduplicate" => Deduplicate, example = r#"
fields = ["instruction", "output"]
"#);

#[cfg(test)]
mod tests {
    use super::*;
    use framework_sdk::test;

    fn records() -> [Value; 4] {
        [
            json!({"a": "x", "b": 1}),
            json!({"a": "y", "b": 1}),
            json!({"b": 1, "a": "x"}), // the first with its fields in another order
            json!({"a": "x", "b": 2}),
        ]
    }

    fn kept(options: &str) -> Vec<Value> {
        test::augmenter("deduplicate", options, records(), 1).into_iter().map(Value::Object).collect()
    }

    #[test]
    fn keeps_the_first_of_equal_records() {
        let [first, second, _, last] = records();
        assert_eq!(kept(""), [first.clone(), second.clone(), last]);
        assert_eq!(kept("fields = [\"a\"]"), [first.clone(), second]);
        assert_eq!(kept("fields = [\"b\"]").len(), 2);
        assert_eq!(kept("fields = [\"b\", \"a\"]").len(), 3);
    }

    #[test]
    #[should_panic(expected = "record 1: there is no field `text`; the record has `a`, `b`")]
    fn a_missing_field_is_an_error() {
        kept("fields = [\"text\"]");
    }

    #[test]
    fn fields_are_not_run_together() {
        let pairs = [json!({"a": "xy", "b": "z"}), json!({"a": "x", "b": "yz"})];
        assert_eq!(test::augmenter("deduplicate", "fields = [\"a\", \"b\"]", pairs, 1).len(), 2);
    }
}
