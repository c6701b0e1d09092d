//! A dataset and an augmenter.

use framework_sdk::prelude::*;

options! {
    /// Counts: the records have the fields `instruction` and `output`.
    pub struct Counting {
        /// The last number.
        to: u64,
        /// The first number.
        #[serde(default = "one")]
        from: u64,
    }
}

fn one() -> u64 {
    1
}

impl Dataset for Counting {
    fn open(&self, _skipped: &Skipped) -> Result<Records> {
        let count = |n: u64| json!({"instruction": format!("What comes after {n}?"), "output": (n + 1).to_string()});
        let records = (self.from..=self.to).filter_map(move |n| count(n).as_object().cloned());
        Ok(Box::new(records.map(Ok)))
    }
}

register!(dataset "counting" => Counting, example = "to = 3");

options! {
    /// Writes a field in capitals, with a number that depends on the seed.
    pub struct Shout {
        /// The field to change.
        #[serde(default = "output")]
        field: String,
    }
}

fn output() -> String {
    "output".into()
}

impl Augmenter for Shout {
    fn augment(&self, records: Records, seed: u64) -> Result<Records> {
        let (field, mut state) = (self.field.clone(), seed);
        Ok(each(records, move |mut record| {
            if let Some(Value::String(text)) = record.get_mut(&field) {
                state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                *text = format!("{} {}", text.to_uppercase(), state >> 60);
            }
            Ok(vec![record])
        }))
    }
}

register!(augmenter "shout" => Shout, example = r#"field = "output""#);
