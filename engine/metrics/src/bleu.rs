//! BLEU: precision of n-grams up to four, with a penalty for answers that are too short (Papineni et al., 2002).
//!
//! The score is the corpus score of sacrebleu with its defaults (Post, 2018, arXiv:1804.08771): counts are summed over all
//! pairs before anything is divided, and an order without a match counts as `1 / 2^k` matches, `k` counting such orders.

use crate::{Counted, Pair, Segmentation, counts::Sums};
use std::collections::HashMap;

/// The longest n-grams.
const ORDERS: usize = 4;
/// Lengths of answer and reference; matches and n-grams of each order.
const COUNTS: usize = 2 + 2 * ORDERS;

/// Counts for BLEU. The score is from 0 to 100.
pub fn bleu(pairs: &[Pair], segmentation: Segmentation) -> Box<dyn Counted> {
    let count = |pair: &Pair| counts(&segmentation.tokens(&pair.answer), &segmentation.tokens(&pair.reference));
    Box::new(Sums { pairs: pairs.iter().map(count).collect(), finish: |sums| Some(score(sums)) })
}

fn counts(answer: &[String], reference: &[String]) -> [f64; COUNTS] {
    let mut counts = [0.0; COUNTS];
    (counts[0], counts[1]) = (answer.len() as f64, reference.len() as f64);
    for n in 1..=ORDERS {
        counts[1 + n] = matches(&ngrams(answer, n), &ngrams(reference, n)) as f64;
        counts[1 + ORDERS + n] = (answer.len() + 1).saturating_sub(n) as f64;
    }
    counts
}

/// How often each n-gram occurs.
pub(crate) fn ngrams<T: std::hash::Hash + Eq>(tokens: &[T], n: usize) -> HashMap<&[T], usize> {
    let mut counts = HashMap::new();
    tokens.windows(n).for_each(|ngram| *counts.entry(ngram).or_insert(0) += 1);
    counts
}

/// Occurrences that both have.
pub(crate) fn matches<T: std::hash::Hash + Eq>(a: &HashMap<&[T], usize>, b: &HashMap<&[T], usize>) -> usize {
    a.iter().map(|(ngram, count)| b.get(ngram).map_or(0, |other| *count.min(other))).sum()
}

fn score(sums: &[f64; COUNTS]) -> f64 {
    let (length, expected) = (sums[0], sums[1]);
    let (matches, totals) = (&sums[2..2 + ORDERS], &sums[2 + ORDERS..]);
    if matches.iter().all(|count| *count == 0.0) {
        return 0.0;
    }
    let (mut logs, mut smoothing) = (0.0, 1.0);
    for (&matched, &total) in matches.iter().zip(totals) {
        logs += match () {
            // What the logarithm of zero is in sacrebleu: there are no n-grams of this order or of longer ones.
            () if total == 0.0 => -9_999_999_999.0,
            () if matched == 0.0 => {
                smoothing *= 2.0;
                (100.0 / (smoothing * total)).ln()
            }
            () => (100.0 * matched / total).ln(),
        };
    }
    let penalty = if length < expected { (1.0 - expected / length).exp() } else { 1.0 };
    penalty * (logs / ORDERS as f64).exp()
}
