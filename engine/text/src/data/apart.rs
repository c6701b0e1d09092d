//! What keeps training and validation apart: see `source.rs`.

use super::{Sequence, random::shuffled};
use framework_core::Record;
use framework_recipe::Split;
use rand_chacha::ChaCha8Rng;
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    hash::{DefaultHasher, Hash, Hasher},
};

/// Keys of rows.
pub(super) type Keys = HashSet<u64>;

/// A hash of anything. Only equality within this process depends on it.
pub fn of(value: &(impl Hash + ?Sized)) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// What is trained of a sequence.
pub(super) fn of_sequence(sequence: &Sequence) -> u64 {
    of(&(&sequence.ids, &sequence.labels))
}

/// A hash of a row's content: of all its fields but those that only number it, which data sets add to every row.
pub(super) fn key(record: &Record) -> u64 {
    let mut content: Vec<_> = record.iter().filter(|(name, value)| !value.is_null() && !numbers(name)).collect();
    content.sort_unstable_by_key(|(name, _)| *name);
    if content.is_empty() { of(record) } else { of(&content) }
}

/// Whether a field of this name only tells one row from another.
fn numbers(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["id", "idx", "index", "uuid", "guid", "__index_level_0__"].contains(&name.as_str()) || name.ends_with("_id")
}

/// Numbers of the rows that are held back, ascending: whole groups of equal rows, in a random order, as long as they do
/// not exceed the share.
///
/// If every group exceeds it, a smallest group is held back. One group at least stays for training: if all rows are
/// equal, nothing is held back.
pub(super) fn held_back(keys: &[u64], fraction: f64, rng: &mut ChaCha8Rng) -> Vec<usize> {
    let wanted = share(keys.len(), fraction);
    if wanted == 0 {
        return Vec::new();
    }
    let sizes = repeated(keys);
    let size = |row: usize| sizes.get(&keys[row]).copied().unwrap_or(1);
    let order = shuffled(keys.len(), rng);
    let (mut chosen, mut groups, mut left) = (Vec::new(), Keys::default(), wanted);
    for &row in &order {
        if left == 0 {
            break;
        }
        let size = size(row);
        if size > left || groups.contains(&keys[row]) {
            continue;
        }
        left -= size;
        if size == 1 { chosen.push(row) } else { _ = groups.insert(keys[row]) }
    }
    // What is left may be had by one larger group in the place of one that was chosen.
    if left > 0 && left < wanted {
        let (mut inside, mut outside) = (BTreeMap::new(), BTreeMap::new());
        for &row in order.iter().filter(|row| size(**row) > 1) {
            let side = if groups.contains(&keys[row]) { &mut inside } else { &mut outside };
            side.entry(size(row)).or_insert(keys[row]);
        }
        if let Some((old, new)) = inside.iter().find_map(|(size, old)| Some((old, outside.get(&(size + left))?))) {
            groups.remove(old);
            groups.insert(*new);
        }
    }
    if left == wanted {
        let smallest = order.iter().copied().min_by_key(|row| size(*row)).filter(|row| size(*row) < keys.len());
        groups.extend(smallest.map(|row| keys[row]));
    }
    chosen.extend((0..keys.len()).filter(|row| !groups.is_empty() && groups.contains(&keys[*row])));
    chosen.sort_unstable();
    chosen
}

/// The share, rounded; at least one row if there is a share and one can be spared.
fn share(rows: usize, fraction: f64) -> usize {
    if fraction <= 0.0 || rows < 2 { 0 } else { ((rows as f64 * fraction).round() as usize).clamp(1, rows - 1) }
}

/// Keys that several rows have, with their number.
fn repeated(keys: &[u64]) -> HashMap<u64, usize> {
    let mut sorted = keys.to_vec();
    sorted.sort_unstable();
    let groups = sorted.chunk_by(|a, b| a == b).filter(|group| group.len() > 1);
    groups.map(|group| (group[0], group.len())).collect()
}

/// What is evaluated, as hashes; what is trained is compared with it. The validation set comes first.
#[derive(Default)]
pub struct Apart {
    validation: Keys,
}

impl Apart {
    /// Whether what has this hash stays in the set.
    pub fn keeps(&mut self, set: Split, hash: u64) -> bool {
        if set == Split::Validation {
            self.validation.insert(hash);
            return true;
        }
        !self.validation.contains(&hash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{
        random::{Purpose, stream},
        test::record,
    };
    use serde_json::json;

    fn chosen(keys: &[u64], fraction: f64, seed: u64) -> Vec<usize> {
        held_back(keys, fraction, &mut stream(seed, Purpose::Validation))
    }

    #[test]
    fn a_share_is_rounded_and_leaves_something_to_train_on() {
        assert_eq!([(30, 0.1), (10, 0.0), (5, 0.01), (2, 0.99), (1, 0.5)].map(|(n, f)| share(n, f)), [3, 0, 1, 1, 0]);
    }

    #[test]
    fn equal_rows_stay_together_and_the_share_is_exact() {
        for seed in 0..50 {
            // Ten contents of which one, two or three rows have each; some of one row are left to fill up with.
            let keys: Vec<u64> = (0..60).map(|row| if row < 30 { row % 13 } else { 100 + row }).collect();
            for (fraction, rows) in [(0.1, 6), (0.25, 15), (0.5, 30), (0.75, 45)] {
                let out = chosen(&keys, fraction, seed);
                assert_eq!(out.len(), rows, "{fraction} with {seed}");
                assert!(out.is_sorted());
                let sides: HashSet<_> = out.iter().map(|row| keys[*row]).collect();
                let both = (0..keys.len()).filter(|row| !out.contains(row) && sides.contains(&keys[*row]));
                assert_eq!(both.count(), 0);
            }
        }
    }

    #[test]
    fn groups_that_fit_no_share() {
        let pairs: Vec<u64> = (0..20).map(|row| row / 2).collect();
        assert_eq!(chosen(&pairs, 0.15, 1).len(), 2, "3 of 20 is no number of pairs");
        assert_eq!(chosen(&pairs, 0.01, 1).len(), 2, "a group is the least");
        assert_eq!(chosen(&[7; 10], 0.5, 1), Vec::<usize>::new(), "something must be trained");
        assert_eq!(chosen(&[7, 7, 7, 7, 7, 8], 0.1, 1), [5]);
        assert_eq!(chosen(&[7, 7, 7, 8, 8, 8], 0.9, 1).len(), 3);
    }

    #[test]
    fn the_content_is_what_is_compared() {
        let of = |fields| key(&record(fields));
        let same = [
            [
                json!({"id": 1, "instruction": "a", "output": "b"}),
                json!({"output": "b", "instruction": "a", "Row_ID": 2}),
            ],
            [json!({"text": "a", "note": null}), json!({"text": "a"})],
            [json!({"id": 7}), json!({"id": 7})],
        ];
        for [a, b] in same {
            assert_eq!(of(a.clone()), of(b.clone()), "{a} {b}");
        }
        let different = [
            json!({"instruction": "a", "output": "b"}),
            json!({"instruction": "b", "output": "a"}),
            json!({"instruction": "a", "output": "b", "review": "c"}),
            json!({"instruction": "a", "output": ["b"]}),
            json!({"id": 1}),
            json!({"id": 2}),
            json!({"messages": [{"id": 1}]}),
            json!({"messages": [{"id": 2}]}),
        ];
        let keys: HashSet<_> = different.iter().cloned().map(of).collect();
        assert_eq!(keys.len(), different.len());
    }
}
