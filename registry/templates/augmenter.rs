//! The augmenter `__name__`.

use framework_sdk::prelude::*;

options! {
    /// Writes a field in capitals.
    pub struct __Type__ {
        /// The field to change.
        #[serde(default = "output")]
        field: String,
    }
}

fn output() -> String {
    "output".into()
}

impl Augmenter for __Type__ {
    fn augment(&self, records: Records, _seed: u64) -> Result<Records> {
        let field = self.field.clone();
        Ok(each(records, move |mut record| {
            if let Some(Value::String(text)) = record.get_mut(&field) {
                *text = text.to_uppercase();
            }
            Ok(vec![record])
        }))
    }
}

register!(augmenter "__name__" => __Type__, example = r#"field = "output""#);

#[cfg(test)]
mod tests {
    use framework_sdk::{prelude::*, test};

    #[test]
    fn shouts() {
        let records = test::augmenter("__name__", r#"field = "text""#, [json!({"text": "hello"})], 1);
        assert_eq!(records[0]["text"], "HELLO");
    }

    #[test]
    fn conforms() {
        test::all_plugins();
    }
}
