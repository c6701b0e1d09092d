//! `select-fields`: some fields of a record, maybe under other names.

use crate::keep::field;
use framework_sdk::prelude::*;
use std::collections::BTreeMap;

options! {
    /// Keeps, removes or renames fields of records.
    ///
    /// Fields are renamed first, so `keep` and `drop` refer to the new names. The order of fields does not change.
    pub struct SelectFields {
        /// The fields to keep, which every record must have. All other fields are removed.
        #[serde(default)]
        keep: Vec<String>,
        /// The fields to remove. A record may lack them.
        #[serde(default)]
        drop: Vec<String>,
        /// Fields to rename, as a table from old to new names. A record must have the old fields and must not have the
        /// new ones.
        #[serde(default)]
        rename: BTreeMap<String, String>,
    }
}

impl Augmenter for SelectFields {
    fn validate(&self) -> Result<()> {
        let Self { keep, drop, rename } = self;
        let wrong = |key: &str, message: String| Err(PluginError::new(message).key(key));
        if keep.is_empty() && drop.is_empty() && rename.is_empty() {
            return wrong("keep", "has nothing to do; give `keep`, `drop` or `rename`".into());
        }
        if let Some(both) = keep.iter().find(|name| drop.contains(name)) {
            return wrong("drop", format!("`{both}` is in `keep` and in `drop`"));
        }
        let mut names: Vec<_> = rename.values().collect();
        names.sort();
        match names.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) => wrong("rename", format!("two fields would be called `{}` (`rename`)", pair[0])),
            None => Ok(()),
        }
    }

    fn augment(&self, records: Records, _seed: u64) -> Result<Records> {
        let (options, mut number) = (self.clone(), 0);
        Ok(each(records, move |record| {
            number += 1;
            let selected = options.select(record);
            Ok(vec![selected.map_err(|e| PluginError::new(format!("record {number}: {}", e.message)))?])
        }))
    }
}

impl SelectFields {
    fn select(&self, record: Record) -> Result<Record> {
        self.rename.keys().try_for_each(|old| field(&record, old).map(drop))?;
        let mut selected = Record::new();
        for (name, value) in record {
            let name = self.rename.get(&name).unwrap_or(&name).clone();
            if selected.insert(name.clone(), value).is_some() {
                return Err(PluginError::new(format!("there is a field `{name}` already (`rename`)")).key("rename"));
            }
        }
        self.keep.iter().try_for_each(|name| field(&selected, name).map(drop))?;
        selected.retain(|name, _| (self.keep.is_empty() || self.keep.contains(name)) && !self.drop.contains(name));
        Ok(selected)
    }
}

register!(augmenter "select-fields" => SelectFields, example = r#"
keep = ["instruction", "output"]
rename = { question = "instruction", answer = "output" }
"#);

#[cfg(test)]
mod tests {
    use super::*;
    use framework_sdk::test;

    fn selected(options: &str) -> Value {
        let record = json!({"b": 1, "question": "q", "answer": {"x": 2}});
        Value::Object(test::augmenter("select-fields", options, [record], 1).remove(0))
    }

    #[test]
    fn fields_are_chosen_and_renamed_in_their_order() {
        assert_eq!(selected("keep = [\"answer\", \"question\"]"), json!({"question": "q", "answer": {"x": 2}}));
        assert_eq!(selected("drop = [\"b\", \"c\"]"), json!({"question": "q", "answer": {"x": 2}}));
        let renamed = selected("drop = [\"b\"]\nrename = { question = \"instruction\", answer = \"question\" }");
        assert_eq!(renamed.to_string(), r#"{"instruction":"q","question":{"x":2}}"#);
    }

    #[test]
    #[should_panic(expected = "record 1: there is no field `c`; the record has `b`, `question`, `answer`")]
    fn a_field_that_is_kept_must_be_there() {
        selected("keep = [\"c\"]");
    }

    #[test]
    #[should_panic(expected = "record 1: there is a field `b` already (`rename`)")]
    fn no_field_is_overwritten() {
        selected("rename = { answer = \"b\" }");
    }

    #[test]
    #[should_panic(expected = "`b` is in `keep` and in `drop`")]
    fn options_may_not_contradict_each_other() {
        selected("keep = [\"b\"]\ndrop = [\"b\"]");
    }
}
