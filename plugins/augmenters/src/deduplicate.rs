//! `deduplicate`: every record once.

use crate::{
    hash,
    keep::{field, keep_for},
};
use framework_sdk::prelude::*;
use std::collections::HashSet;

mod near;

options! {
    /// Removes duplicate records. The first of each stays, in the original order.
    ///
    /// Two records are duplicates if the chosen fields are exactly equal or, with `near`, if their texts are nearly the
    /// same. Each record takes 128 bits of memory, however long its text. The result depends on the records and these
    /// options only, not on the seed. Validation records come first: a training record that duplicates one of them is
    /// removed. Repetitions due to a dataset's `weight` are not duplicates.
    #[schemars(extend("x-keeps" = "first"))]
    pub struct Deduplicate {
        /// The fields to compare. Empty: all fields.
        #[serde(default)]
        fields: Vec<String>,
        /// Remove near-duplicates as well: `near = { similarity = 0.8 }`, or `near = {}` for the defaults.
        #[serde(default)]
        near: Option<Near>,
    }
}

options! {
    /// What counts as a near-duplicate.
    ///
    /// Compares the sets of runs of words (shingles) in all texts of the chosen fields, including nested ones. Words
    /// are lower-cased, each Chinese character is a word, and white space and punctuation are ignored. The similarity
    /// is Jaccard's: the number of shingles that two texts share, divided by the number that either has. It is
    /// estimated by MinHash (Broder, "On the resemblance and containment of documents", 1997) with a standard error of
    /// `sqrt(similarity * (1 - similarity) / permutations)`, 0.035 by default. Each record that is kept takes a byte
    /// per permutation and about 30 bytes for each of some 20 bands: 0.8 KB by default.
    pub struct Near {
        /// How similar texts are at least, above 0 and up to 1.
        #[serde(default = "similarity")]
        similarity: f64,
        /// How many minima the estimate is made of.
        #[serde(default = "permutations")]
        #[schemars(range(min = 16, max = 4096))]
        permutations: usize,
        /// Number of words in a shingle. A text with fewer words is a single shingle.
        #[serde(default = "shingle")]
        #[schemars(range(min = 1))]
        shingle: usize,
    }
}

fn similarity() -> f64 {
    0.8
}
fn permutations() -> usize {
    128
}
fn shingle() -> usize {
    5
}

impl Augmenter for Deduplicate {
    fn validate(&self) -> Result<()> {
        let Some(near) = &self.near else { return Ok(()) };
        if !(near.similarity > 0.0 && near.similarity <= 1.0) {
            let message = format!("`near.similarity` is {}; expected more than 0 and at most 1", near.similarity);
            return Err(PluginError::new(message).key("near.similarity"));
        }
        if !(16..=4096).contains(&near.permutations) {
            let message = format!("`near.permutations` is {}; expected 16 to 4096", near.permutations);
            return Err(PluginError::new(message).key("near.permutations"));
        }
        match near.shingle {
            0 => Err(PluginError::option("near.shingle", "is 0; a shingle has at least one word")),
            _ => Ok(()),
        }
    }

    fn augment(&self, records: Records, _seed: u64) -> Result<Records> {
        let (fields, mut seen) = (self.fields.clone(), HashSet::new());
        let mut kept = self.near.as_ref().map(near::Kept::new);
        let reasons: &[&str] = if kept.is_some() { &["exact duplicates", "near-duplicates"] } else { &[] };
        Ok(keep_for(records, "deduplicate", reasons, move |record| {
            let (chosen, hash) = if fields.is_empty() {
                (record.values().collect(), hash::record(record))
            } else {
                let chosen = fields.iter().map(|name| field(record, name)).collect::<Result<Vec<_>>>()?;
                let hash = hash::values(chosen.iter().copied());
                (chosen, hash)
            };
            if !seen.insert(hash) {
                return Ok(Some(0));
            }
            let Some(kept) = &mut kept else { return Ok(None) };
            let mut texts = Vec::new();
            chosen.into_iter().for_each(|value| collect(value, &mut texts));
            Ok((!kept.insert(&texts)).then_some(1))
        }))
    }
}

/// The texts of a value, however deep.
fn collect<'a>(value: &'a Value, texts: &mut Vec<&'a str>) {
    match value {
        Value::String(text) => texts.push(text),
        Value::Array(values) => values.iter().for_each(|value| collect(value, texts)),
        Value::Object(fields) => fields.values().for_each(|value| collect(value, texts)),
        _ => {}
    }
}

register!(augmenter "deduplicate" => Deduplicate, example = r#"
fields = ["instruction", "output"]
near = { similarity = 0.8, permutations = 128, shingle = 5 }
"#);

#[cfg(test)]
mod tests {
    use super::*;
    use framework_sdk::{Kind, test};

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

    /// The numbers of the records that are kept.
    fn near(options: &str, texts: &[&str]) -> Vec<u64> {
        let records = texts.iter().enumerate().map(|(i, text)| json!({"text": text, "n": i}));
        let kept = |seed| test::augmenter("deduplicate", options, records.clone(), seed);
        assert_eq!(kept(1), kept(2), "the seed plays no part");
        kept(1).iter().map(|record| record["n"].as_u64().unwrap()).collect()
    }

    const TEXTS: [&str; 6] = [
        "种子埋进土里以后，园丁能做的事情其实很少。浇水不能太勤，翻土不能太急，最要紧的是等待。",
        "种子埋进土里以后, 园丁能做的事情其实很少! 浇水不能太勤,翻土不能太急,最要紧的是等待……",
        "The bridge at the end of the village was mended three times, and its piers are a hundred years old.",
        "the bridge  at the end of the village was mended three times and its piers are a hundred years OLD",
        "The bridge at the end of the village was mended five times, and its piers are a thousand years old.",
        "种子埋进土里以后，园丁能做的事情其实很多。松土、施肥、搭架子，哪一样都不能等。",
    ];

    #[test]
    fn near_duplicates_differ_in_little() {
        let all = [0, 1, 2, 3, 4, 5];
        assert_eq!(near("fields = [\"text\"]", &TEXTS), all);
        assert_eq!(near("fields = [\"text\"]\nnear = {}", &TEXTS), [0, 2, 4, 5]);
        // 16 of the 20 words in either are in both, but only 8 of the 24 runs of five.
        let words = "fields = [\"text\"]\nnear = { shingle = 1, similarity = 0.7, permutations = 512 }";
        assert_eq!(near(words, &TEXTS), [0, 2, 5]);
        assert_eq!(near("fields = [\"text\"]\nnear = {}", &["", "…", "!", ""]), [0, 1, 2]);
    }

    #[test]
    fn options_out_of_range_are_refused() {
        for (near, expected) in [
            (json!({"similarity": 0.0}), "`near.similarity` is 0; expected more than 0"),
            (json!({"similarity": 1.5}), "`near.similarity` is 1.5; "),
            (json!({"permutations": 8}), "`near.permutations` is 8; expected 16 to 4096"),
            (json!({"shingle": 0}), "`near.shingle` is 0; "),
        ] {
            let declaration = test::declaration(Kind::Augmenter, "deduplicate");
            let error = declaration.build.augmenter("deduplicate", &json!({ "near": near })).err().expect(expected);
            assert!(error.message.starts_with(expected), "{}", error.message);
        }
    }
}
