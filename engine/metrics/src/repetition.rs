//! How much answers repeat: each other ([`distinct`]) and themselves ([`repetition`]).

use crate::{Counted, Pair, Segmentation, mean};
use std::collections::HashSet;

/// The n-grams that count as a repetition within an answer.
const REPEATED: usize = 4;

/// Distinct-n: different n-grams of all answers as a share of all their n-grams (Li et al., 2016, arXiv:1510.03055). From 0
/// to 1; low where answers are alike.
pub fn distinct(pairs: &[Pair], n: usize, segmentation: Segmentation) -> Box<dyn Counted> {
    let ngrams = |pair: &Pair| segmentation.tokens(&pair.answer).windows(n).map(<[String]>::to_vec).collect();
    Box::new(Distinct(pairs.iter().map(ngrams).collect()))
}

/// The n-grams of each answer. Which of them are different depends on the answers that are looked at together.
struct Distinct(Vec<Vec<Vec<String>>>);

impl Counted for Distinct {
    fn score(&self, pairs: &[usize]) -> Option<f64> {
        let all = pairs.iter().flat_map(|&pair| &self.0[pair]);
        let count = all.clone().count();
        let different: HashSet<_> = all.collect();
        (count > 0).then(|| different.len() as f64 / count as f64)
    }

    fn can_be_drawn(&self) -> bool {
        false
    }
}

/// The share of an answer's 4-grams that it had before, as a mean over answers that have any (seq-rep-4 of Welleck et al.,
/// 2020, arXiv:1908.04319). From 0 to 1; high where a model goes round in circles.
pub fn repetition(pairs: &[Pair], segmentation: Segmentation) -> Box<dyn Counted> {
    mean(pairs.iter().map(|pair| {
        let tokens = segmentation.tokens(&pair.answer);
        let (all, different) = (tokens.windows(REPEATED).count(), tokens.windows(REPEATED).collect::<HashSet<_>>());
        (all > 0).then(|| 1.0 - different.len() as f64 / all as f64)
    }))
}
