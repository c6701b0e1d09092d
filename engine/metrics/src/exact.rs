//! Exact match: the share of answers that are the reference, white space around them aside.

use crate::{Counted, Pair, mean, tokens::is_space};

/// Counts for exact match. The score is from 0 to 1.
pub fn exact_match(pairs: &[Pair]) -> Box<dyn Counted> {
    let same = |pair: &Pair| pair.answer.trim_matches(is_space) == pair.reference.trim_matches(is_space);
    mean(pairs.iter().map(|pair| Some(f64::from(same(pair)))))
}
