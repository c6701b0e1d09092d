//! How much a model prefers answers, for whoever watches.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Sums over answers of their rewards: how much likelier the model finds them than the reference, times `beta`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Rewards {
    /// Of answers that are chosen or wanted, and how many they are.
    pub chosen: (f64, u64),
    /// Of answers that are rejected or not wanted.
    pub rejected: (f64, u64),
    /// Pairs, and those whose chosen answer has the higher reward.
    pub pairs: (u64, u64),
}

impl Rewards {
    /// Adds a pair.
    pub fn pair(&mut self, chosen: f64, rejected: f64) {
        self.one(true, chosen);
        self.one(false, rejected);
        self.pairs = (self.pairs.0 + 1, self.pairs.1 + u64::from(chosen > rejected));
    }

    /// Adds an answer.
    pub fn one(&mut self, wanted: bool, reward: f64) {
        let sum = if wanted { &mut self.chosen } else { &mut self.rejected };
        *sum = (sum.0 + reward, sum.1 + 1);
    }

    /// Adds what others are.
    pub fn add(&mut self, other: &Self) {
        let sum = |a: &mut (f64, u64), b: (f64, u64)| *a = (a.0 + b.0, a.1 + b.1);
        sum(&mut self.chosen, other.chosen);
        sum(&mut self.rejected, other.rejected);
        self.pairs = (self.pairs.0 + other.pairs.0, self.pairs.1 + other.pairs.1);
    }

    /// The share of pairs whose chosen answer has the higher reward.
    pub fn accuracy(&self) -> Option<f64> {
        (self.pairs.0 > 0).then(|| self.pairs.1 as f64 / self.pairs.0 as f64)
    }

    /// Means by name; empty if there is nothing.
    pub fn metrics(&self) -> BTreeMap<String, f64> {
        let mean = |(sum, n): (f64, u64)| (n > 0).then(|| sum / n as f64);
        let (chosen, rejected) = (mean(self.chosen), mean(self.rejected));
        let margin = chosen.zip(rejected).map(|(chosen, rejected)| chosen - rejected);
        let all = [
            ("reward_accuracy", self.accuracy()),
            ("reward_chosen", chosen),
            ("reward_margin", margin),
            ("reward_rejected", rejected),
        ];
        all.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
    }
}
