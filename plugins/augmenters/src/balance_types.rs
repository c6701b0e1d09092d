//! `balance-types`: as many records of one type as of another.

use crate::{hash::mix, keep::field};
use framework_sdk::{prelude::*, serde_json, tracing};
use std::collections::{BTreeMap, BinaryHeap};

options! {
    /// Balances how many records there are for each value of a field, such as the `type` that `qa-pairs` sets.
    ///
    /// Records are dropped or repeated, chosen at random by the seed. The remaining records keep their order; copies
    /// follow at the end, in the order of their originals. The log has the counts before and after. The number of
    /// records of each type is known only after the last one, so all records are held in memory as text until then;
    /// with a `target`, at most that many of each type. Training and validation records are balanced separately.
    pub struct BalanceTypes {
        /// The field whose values are the types; each record must have it.
        #[serde(default = "kind")]
        field: String,
        /// How the types are balanced. Default: `down`, unless `target` is set.
        #[serde(default)]
        method: Option<Method>,
        /// Number of records of each type, instead of `method`. Records of larger types are dropped, and those of
        /// smaller types are repeated.
        #[serde(default)]
        #[schemars(range(min = 1))]
        target: Option<usize>,
        /// How much larger than the smallest type the largest one may be: 0.05 means 5 %.
        #[serde(default)]
        tolerance: f64,
        /// Relative shares of the types, if they should not be equal: `{ overview = 2.0, author = 0.5 }`. Types without
        /// an entry have the weight 1. All records of a type with the weight 0 are dropped.
        #[serde(default)]
        weights: BTreeMap<String, f64>,
    }
}

options! {
    /// How types are balanced.
    #[derive(Copy)]
    #[serde(rename_all = "lowercase")]
    pub enum Method {
        /// Drop records of the larger types.
        Down,
        /// Repeat records of the smaller types.
        Up,
    }
}

fn kind() -> String {
    "type".into()
}

impl Augmenter for BalanceTypes {
    fn validate(&self) -> Result<()> {
        if self.method.is_some() && self.target.is_some() {
            return Err(PluginError::new("has both a `method` and a `target`; give one of them").key("target"));
        }
        if self.target == Some(0) {
            return Err(PluginError::option("target", "is 0; nothing would be left"));
        }
        if !(self.tolerance.is_finite() && self.tolerance >= 0.0) {
            let message = format!("`tolerance` is {}; expected a share such as 0.05", self.tolerance);
            return Err(PluginError::new(message).key("tolerance"));
        }
        match self.weights.iter().find(|(_, weight)| !(weight.is_finite() && **weight >= 0.0)) {
            Some((kind, weight)) => {
                Err(PluginError::new(format!("the weight of `{kind}` is {weight}; expected a number from 0 on"))
                    .key("weights"))
            }
            None => Ok(()),
        }
    }

    fn augment(&self, records: Records, seed: u64) -> Result<Records> {
        let mut types: BTreeMap<String, Type> = BTreeMap::new();
        for (number, record) in records.enumerate() {
            let record = record?;
            let wrong = |message: String| PluginError::new(format!("record {}: {message}", number + 1));
            let kind = match field(&record, &self.field).map_err(|e| wrong(e.message))? {
                Value::String(text) => text.clone(),
                value @ (Value::Bool(_) | Value::Number(_)) => value.to_string(),
                other => return Err(wrong(format!("the field `{}` is no type but {other}", self.field))),
            };
            let text = serde_json::to_string(&record)?.into();
            let kind = types.entry(kind).or_default();
            kind.count += 1;
            kind.held.push(Held { priority: mix(seed, number as u64), number, text });
            // With a target, what is held now of too many can never come back.
            if self.target.is_some_and(|target| kind.held.len() as f64 > self.weight_bound(target)) {
                kind.held.pop();
            }
        }
        Ok(self.balance(types))
    }
}

/// The records of a type: how many there were, and those that are held, the first to leave out on top.
#[derive(Default)]
struct Type {
    count: usize,
    held: BinaryHeap<Held>,
}

/// A record, as text; ordered by what was drawn for it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Held {
    priority: u64,
    number: usize,
    text: Box<str>,
}

impl BalanceTypes {
    fn weight(&self, kind: &str) -> f64 {
        self.weights.get(kind).copied().unwrap_or(1.0)
    }

    /// As many as any type can want.
    fn weight_bound(&self, target: usize) -> f64 {
        self.weights.values().fold(1.0, |most: f64, weight| most.max(*weight)) * target as f64 + 1.0
    }

    /// The fewest and the most records of a type with weight 1.
    fn range(&self, types: &BTreeMap<String, Type>) -> (f64, f64) {
        let weighed = types.iter().map(|(kind, held)| held.count as f64 / self.weight(kind)).filter(|n| n.is_finite());
        let slack = 1.0 + self.tolerance;
        match (self.target, self.method) {
            (Some(target), _) => (target as f64 / slack, target as f64),
            (None, None | Some(Method::Down)) => {
                let least = weighed.fold(f64::INFINITY, f64::min);
                (least, least * slack)
            }
            (None, Some(Method::Up)) => {
                let most = weighed.fold(0.0, f64::max);
                (most / slack, most)
            }
        }
    }

    fn balance(&self, mut types: BTreeMap<String, Type>) -> Records {
        for kind in self.weights.keys().filter(|kind| !types.contains_key(*kind)) {
            tracing::warn!("balance-types: `weights` has `{kind}`, but no record has it in its field `{}`", self.field);
        }
        let (least, most) = self.range(&types);
        let (mut chosen, mut copies, mut told) = (Vec::new(), Vec::new(), Vec::new());
        for (kind, Type { count, held }) in &mut types {
            let weight = self.weight(kind);
            let (fewest, most) = (up(weight * least), down(weight * most));
            // No whole number may lie within the tolerance; then it is the nearest.
            let wanted = if fewest <= most { (*count).clamp(fewest, most) } else { (weight * least).round() as usize };
            while held.len() > wanted {
                held.pop();
            }
            told.push(format!("{kind} {count} → {wanted}"));
            let held = std::mem::take(held).into_sorted_vec();
            // Whole rounds, then those that were drawn first.
            for round in 1..wanted.div_ceil(held.len().max(1)) {
                let part = &held[..(wanted - round * held.len()).min(held.len())];
                copies.extend(part.iter().map(|record| (round, record.number, record.text.clone())));
            }
            chosen.extend(held.into_iter().map(|record| (0, record.number, record.text)));
        }
        let told = if told.is_empty() { "no records".to_owned() } else { told.join(", ") };
        tracing::info!("balance-types: {told}");
        chosen.extend(copies);
        chosen.sort_unstable();
        Box::new(chosen.into_iter().map(|(.., text)| Ok(serde_json::from_str(&text)?)))
    }
}

/// A number is whole if what is missing comes from dividing and multiplying.
const ROUNDING: f64 = 1e-9;

fn up(n: f64) -> usize {
    (n * (1.0 - ROUNDING)).ceil() as usize
}

fn down(n: f64) -> usize {
    (n * (1.0 + ROUNDING)).floor() as usize
}

register!(augmenter "balance-types" => BalanceTypes, example = r#"
field = "output"
method = "down"
tolerance = 0.05
"#);

#[cfg(test)]
mod tests {
    use super::*;
    use framework_sdk::{Kind, test};

    /// 40 of a, 10 of b and 21 of c, in turns.
    fn records() -> Vec<Value> {
        let kinds = |i: usize| [("a", i < 40), ("b", i < 10), ("c", i < 21)].into_iter().filter(|(_, there)| *there);
        let all = (0..40).flat_map(|i| kinds(i).map(|(kind, _)| kind)).enumerate();
        all.map(|(n, kind)| json!({"n": n, "type": kind, "x": 0.1})).collect()
    }

    fn balanced(options: &str, seed: u64) -> Vec<u64> {
        let kept = test::augmenter("balance-types", options, records(), seed);
        let number = |record: &Record| record["n"].as_u64().unwrap();
        assert!(kept.iter().all(|record| Value::Object(record.clone()) == records()[number(record) as usize]));
        kept.iter().map(number).collect()
    }

    fn counts(numbers: &[u64]) -> [usize; 3] {
        ["a", "b", "c"].map(|kind| numbers.iter().filter(|n| records()[**n as usize]["type"] == kind).count())
    }

    #[test]
    fn down_leaves_out() {
        let kept = balanced("", 1);
        assert_eq!(counts(&kept), [10, 10, 10]);
        assert!(kept.is_sorted_by(|a, b| a < b), "each once, in order: {kept:?}");
        assert_ne!(kept, balanced("", 2), "the seed draws");
        assert_eq!(counts(&balanced("tolerance = 0.1", 1)), [11, 10, 11]);
        assert_eq!(counts(&balanced("tolerance = 0.05", 1)), [10, 10, 10]);
        assert_eq!(counts(&balanced("tolerance = 9.0", 1)), [40, 10, 21]);
    }

    #[test]
    fn every_record_is_as_likely_to_stay() {
        let mut stayed = [0_u32; 71];
        (0..400).flat_map(|seed| balanced("", seed)).for_each(|n| stayed[n as usize] += 1);
        for (n, record) in records().iter().enumerate().filter(|(_, record)| record["type"] == "a") {
            // A quarter of 400 times, within five standard deviations.
            assert!((57..=143).contains(&stayed[n]), "{record}: {}", stayed[n]);
        }
    }

    #[test]
    fn up_repeats() {
        let kept = balanced("method = \"up\"", 1);
        assert_eq!(counts(&kept), [40, 40, 40]);
        assert!((0..71).eq(kept[..71].iter().copied()), "the originals come first");
        let times = |n: &u64| kept.iter().filter(|m| *m == n).count();
        let c = (0..71).filter(|n| records()[*n as usize]["type"] == "c");
        assert!(c.map(|n| times(&n)).all(|times| (1..=2).contains(&times)), "as evenly as can be");
        assert!(kept[71..90].is_sorted(), "a round of copies is in order");
        assert_eq!(counts(&balanced("method = \"up\"\ntolerance = 0.25", 1)), [40, 32, 32]);
    }

    #[test]
    fn a_target_does_both() {
        assert_eq!(counts(&balanced("target = 20", 1)), [20, 20, 20]);
        assert_eq!(counts(&balanced("target = 22\ntolerance = 0.05", 1)), [22, 21, 21]);
        assert_eq!(counts(&balanced("target = 100", 1)), [100, 100, 100]);
    }

    #[test]
    fn weights_are_shares() {
        assert_eq!(counts(&balanced("weights = { a = 2, c = 0.5 }", 1)), [20, 10, 5]);
        assert_eq!(counts(&balanced("weights = { b = 0 }", 1)), [21, 0, 21]);
        assert_eq!(counts(&balanced("weights = { a = 3, zzz = 1 }\ntarget = 10", 1)), [30, 10, 10]);
    }

    #[test]
    fn what_cannot_be_balanced() {
        assert!(test::augmenter("balance-types", "", [], 1).is_empty());
        assert_eq!(
            test::augmenter("balance-types", "field = \"n\"", [json!({"n": 1}), json!({"n": true})], 1).len(),
            2
        );
    }

    #[test]
    #[should_panic(expected = "record 2: there is no field `type`; the record has `question`")]
    fn a_record_without_type_is_an_error() {
        test::augmenter("balance-types", "", [json!({"type": "a"}), json!({"question": "?"})], 1);
    }

    #[test]
    #[should_panic(expected = "record 1: the field `type` is no type but [1]")]
    fn a_list_is_no_type() {
        test::augmenter("balance-types", "", [json!({"type": [1]})], 1);
    }

    #[test]
    fn options_that_contradict_each_other_are_refused() {
        for (options, expected) in [
            (json!({"method": "up", "target": 3}), "has both a `method` and a `target`"),
            (json!({"target": 0}), "`target` is 0; "),
            (json!({"tolerance": -0.1}), "`tolerance` is -0.1; expected a share"),
            (json!({"weights": {"a": -1.0}}), "the weight of `a` is -1; "),
        ] {
            let declaration = test::declaration(Kind::Augmenter, "balance-types");
            let error = declaration.build.augmenter("balance-types", &options).err().expect(expected);
            assert!(error.message.starts_with(expected), "{}", error.message);
        }
    }
}
