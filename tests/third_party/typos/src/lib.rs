//! Typing errors: questions as people really type them.

use framework_sdk::prelude::*;

options! {
    /// Adds copies of records in whose field letters are exchanged with the next, doubled or left out.
    pub struct Typos {
        /// The field that is changed.
        #[serde(default = "field")]
        field: String,
        /// Share of the letters that are typed wrongly.
        #[serde(default = "rate")]
        #[schemars(range(min = 0, max = 1))]
        rate: f64,
    }
}

fn field() -> String {
    "instruction".into()
}
fn rate() -> f64 {
    0.03
}

/// Numbers that depend on a seed (SplitMix64; Steele et al., 2014).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn happens(&mut self, share: f64) -> bool {
        ((self.next() >> 11) as f64 / (1u64 << 53) as f64) < share
    }
}

fn typed(text: &str, rate: f64, random: &mut Random) -> String {
    let mut letters = text.chars().peekable();
    let mut out = String::with_capacity(text.len());
    while let Some(letter) = letters.next() {
        if !letter.is_alphabetic() || !random.happens(rate) {
            out.push(letter);
            continue;
        }
        match (random.next() % 3, letters.peek().filter(|next| next.is_alphabetic())) {
            (0, Some(next)) => {
                out.extend([*next, letter]);
                letters.next();
            }
            (1, _) => out.extend([letter, letter]),
            _ => {}
        }
    }
    out
}

impl Augmenter for Typos {
    fn augment(&self, records: Records, seed: u64) -> Result<Records> {
        let (field, rate, mut random) = (self.field.clone(), self.rate, Random(seed));
        Ok(each(records, move |record| {
            let Some(Value::String(text)) = record.get(&field) else { return Ok(vec![record]) };
            let wrong = typed(text, rate, &mut random);
            if wrong == *text {
                return Ok(vec![record]);
            }
            let mut copy = record.clone();
            copy.insert(field.clone(), wrong.into());
            Ok(vec![record, copy])
        }))
    }
}

register!(augmenter "typos" => Typos, example = "field = \"instruction\"\nrate = 0.05");

#[cfg(test)]
mod tests {
    use framework_sdk::{prelude::*, test};

    #[test]
    fn copies_are_near_the_original() {
        let question = "How many vacation days do new employees get?";
        let records = (0..50).map(|_| json!({"instruction": question, "output": "Twenty."}));
        let all = test::augmenter("typos", "rate = 0.1", records, 5);
        let changed: Vec<_> = all.iter().filter(|record| record["instruction"] != question).collect();
        assert!(changed.len() > 40 && all.len() == 50 + changed.len());
        assert!(
            changed.iter().all(|record| record["instruction"].as_str().unwrap().len().abs_diff(question.len()) < 10)
        );
        assert!(test::augmenter("typos", "rate = 0.0", [json!({"instruction": "a"})], 5).len() == 1);
    }

    #[test]
    fn conforms() {
        test::all_plugins();
    }
}
