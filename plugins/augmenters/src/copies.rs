//! What augmenters that make changed copies of records have in common.

use crate::hash::mix;
use framework_sdk::{PluginError, Record, Records, Result, tracing};
use std::collections::VecDeque;

/// How often a copy that came out like an earlier one is drawn again.
const DRAWS: usize = 16;

/// How many changed copies are made of a record.
pub struct Copies {
    pub plugin: &'static str,
    pub count: usize,
    pub keep_original: bool,
}

/// `copies` if it is not given.
pub fn one() -> usize {
    1
}

/// `keep_original` if it is not given.
pub fn yes() -> bool {
    true
}

impl Copies {
    pub fn validate(&self) -> Result<()> {
        match self.count {
            0 => Err(PluginError::option("copies", "is 0, so that nothing would be changed; give 1 or more")),
            _ => Ok(()),
        }
    }

    /// Each record, if it is kept, and after it the copies that `change` makes with what `find` found in it, if it
    /// found anything.
    ///
    /// Copies that are like the record or like each other are left out. A record of which there is no copy passes as
    /// it is. Says in the log how many were made.
    pub fn make<T>(
        self,
        mut records: Records,
        seed: u64,
        find: impl Fn(&Record) -> Result<Option<T>> + Send + 'static,
        change: impl Fn(&Record, &T, &mut Random) -> Record + Send + 'static,
    ) -> Records {
        let (mut read, mut made, mut unchanged) = (0_u64, 0_u64, 0_u64);
        let mut ready = VecDeque::new();
        Box::new(std::iter::from_fn(move || {
            if let Some(record) = ready.pop_front() {
                return Some(Ok(record));
            }
            let Some(record) = records.next() else {
                let plugin = self.plugin;
                tracing::info!("{plugin} made {made} changed copies of {read} records; {unchanged} gave none");
                return None;
            };
            read += 1;
            let copies = record.and_then(|record| {
                let found = find(&record).map_err(|e| PluginError::new(format!("record {read}: {}", e.message)))?;
                Ok(match found {
                    None => (Some(record), Vec::new()),
                    Some(found) => self.of(record, mix(seed, read), |record, random| change(record, &found, random)),
                })
            });
            match copies {
                Err(e) => return Some(Err(e)),
                Ok((original, copies)) => {
                    made += copies.len() as u64;
                    unchanged += u64::from(copies.is_empty());
                    ready.extend(original.into_iter().chain(copies));
                }
            }
            ready.pop_front().map(Ok)
        }))
    }

    fn of(
        &self,
        record: Record,
        seed: u64,
        change: impl Fn(&Record, &mut Random) -> Record,
    ) -> (Option<Record>, Vec<Record>) {
        let mut copies: Vec<Record> = Vec::new();
        for number in 0..self.count {
            let mut random = Random::new(mix(seed, number as u64));
            let mut draws = (0..DRAWS).map(|_| change(&record, &mut random));
            match draws.find(|copy| *copy != record && !copies.contains(copy)) {
                Some(copy) => copies.push(copy),
                None => break, // nor will there be another
            }
        }
        let original = (self.keep_original || copies.is_empty()).then_some(record);
        (original, copies)
    }
}

/// An error if `rate` is no share.
pub fn share(rate: f64) -> Result<()> {
    match (0.0..=1.0).contains(&rate) {
        true => Ok(()),
        false => Err(PluginError::option("rate", format!("is {rate}; expected a share from 0 to 1, such as 0.3"))),
    }
}

/// Numbers drawn from a seed, the same on every machine.
pub struct Random {
    seed: u64,
    drawn: u64,
}

impl Random {
    pub fn new(seed: u64) -> Self {
        Self { seed, drawn: 0 }
    }

    /// A number below `n`, which is not 0.
    pub fn below(&mut self, n: usize) -> usize {
        self.drawn += 1;
        ((u128::from(mix(self.seed, self.drawn)) * n as u128) >> 64) as usize
    }

    pub fn pick<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.below(list.len())]
    }

    pub fn shuffle<T>(&mut self, list: &mut [T]) {
        for last in (1..list.len()).rev() {
            list.swap(last, self.below(last + 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use framework_sdk::serde_json::json;

    /// Copies with a number from 0 to 2 as `n`, of records of which `n` is 0.
    fn numbers(count: usize, keep_original: bool, seed: u64) -> Vec<u64> {
        let record = json!({"n": 0}).as_object().cloned().unwrap();
        let records: Records = Box::new([record.clone(), record].into_iter().map(Ok));
        let made = Copies { plugin: "test", count, keep_original }.make(
            records,
            seed,
            |_| Ok(Some(())),
            |_, (), random| json!({"n": random.below(3)}).as_object().cloned().unwrap(),
        );
        made.map(|record| record.unwrap()["n"].as_u64().unwrap()).collect()
    }

    #[test]
    fn copies_differ_from_the_record_and_each_other() {
        let mut whole = 0;
        for seed in 0..100 {
            let all = numbers(9, true, seed);
            let second = all.iter().rposition(|n| *n == 0).unwrap();
            for part in [&all[..second], &all[second..]] {
                assert!(matches!(part, [0, 1 | 2] | [0, 1, 2] | [0, 2, 1]), "{all:?}");
                whole += usize::from(part.len() == 3);
            }
            assert_eq!(numbers(1, false, seed).len(), 2);
            assert!(!numbers(1, false, seed).contains(&0));
        }
        assert!(whole > 190, "hardly ever is one missed: {whole}");
        assert!((0..50).any(|seed| numbers(1, false, seed) != numbers(1, false, seed + 1)));
    }

    #[test]
    fn a_record_without_copies_passes() {
        let record = json!({"n": 0}).as_object().cloned().unwrap();
        let copies = || Copies { plugin: "test", count: 2, keep_original: false };
        let stream = || -> Records { Box::new([Ok(record.clone())].into_iter()) };
        let made = copies().make(stream(), 1, |_| Ok(Some(())), |r, (), _| r.clone());
        assert_eq!(made.map(Result::unwrap).collect::<Vec<_>>(), std::slice::from_ref(&record));
        let made = copies().make(stream(), 1, |_| Ok(None), |_, (), _| Record::new());
        assert_eq!(made.map(Result::unwrap).collect::<Vec<_>>(), std::slice::from_ref(&record));
    }

    #[test]
    fn every_order_comes_up() {
        let mut seen = std::collections::BTreeSet::new();
        for seed in 0..200 {
            let mut list = [0, 1, 2];
            Random::new(seed).shuffle(&mut list);
            seen.insert(list);
        }
        assert_eq!(seen.len(), 6);
    }
}
