//! chrF: how much n-grams of characters agree, recall counting twice as much as precision (Popović, 2015).
//!
//! The score is that of sacrebleu with its defaults, chrF2: orders 1 to 6, without white space.

use crate::{
    Counted, Pair,
    bleu::{matches, ngrams},
    counts::Sums,
    tokens::squeezed,
};

/// The longest n-grams.
const ORDERS: usize = 6;
/// How much recall counts, squared.
const BETA_SQUARED: f64 = 4.0;

/// Counts for chrF. The score is from 0 to 100.
pub fn chrf(pairs: &[Pair]) -> Box<dyn Counted> {
    Box::new(Sums { pairs: pairs.iter().map(counts).collect(), finish: |sums| Some(score(sums)) })
}

/// N-grams of the answer and of the reference, and matches, of each order.
fn counts(pair: &Pair) -> [f64; 3 * ORDERS] {
    let [answer, reference] = [&pair.answer, &pair.reference].map(|text| squeezed(text).chars().collect::<Vec<_>>());
    let mut counts = [0.0; 3 * ORDERS];
    for (n, counts) in (1..).zip(counts.chunks_exact_mut(3)) {
        let [ours, theirs] = [&answer, &reference].map(|text| (text.len() + 1).saturating_sub(n));
        // What the reference has no n-gram for is not held against the answer.
        counts[0] = if theirs == 0 { 0.0 } else { ours as f64 };
        counts[1] = theirs as f64;
        counts[2] = matches(&ngrams(&answer, n), &ngrams(&reference, n)) as f64;
    }
    counts
}

fn score(sums: &[f64; 3 * ORDERS]) -> f64 {
    let (mut precision, mut recall, mut orders) = (0.0, 0.0, 0.0);
    for counts in sums.chunks_exact(3).filter(|counts| counts[0] > 0.0 && counts[1] > 0.0) {
        precision += counts[2] / counts[0];
        recall += counts[2] / counts[1];
        orders += 1.0;
    }
    if orders == 0.0 {
        return 0.0;
    }
    (precision, recall) = (precision / orders, recall / orders);
    if precision + recall == 0.0 {
        return 0.0;
    }
    100.0 * ((1.0 + BETA_SQUARED) * precision * recall / (BETA_SQUARED * precision + recall))
}
