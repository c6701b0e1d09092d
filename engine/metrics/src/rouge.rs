//! ROUGE: what answer and reference have in common, as a mean of F-measures (Lin, 2004).
//!
//! The numbers are those of Google's `rouge-score` without stemming. Its tokens are `[a-z0-9]+` of the text in lower case,
//! which leaves nothing of a Chinese text; other segmentations give the tokens that have a letter or a digit. The crate
//! `rougers` has the same numbers, but takes no tokens that it has not made, and brings ICU's tables.

use crate::{
    Counted, Pair, Segmentation,
    bleu::{matches, ngrams},
    mean,
};

/// What has to agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// N-grams of this order, from 1.
    Ngrams(usize),
    /// The longest common subsequence.
    Longest,
}

/// Counts for ROUGE. The score is from 0 to 1.
pub fn rouge(pairs: &[Pair], kind: Kind, segmentation: Segmentation) -> Box<dyn Counted> {
    mean(f_measures(pairs, kind, segmentation).into_iter().map(Some))
}

/// The F-measure of each pair.
pub fn f_measures(pairs: &[Pair], kind: Kind, segmentation: Segmentation) -> Vec<f64> {
    let of = |pair: &Pair| {
        let [answer, reference] = [&pair.answer, &pair.reference].map(|text| tokens(text, segmentation));
        let (common, ours, theirs) = match kind {
            Kind::Ngrams(n) => {
                let common = matches(&ngrams(&answer, n), &ngrams(&reference, n));
                (common, (answer.len() + 1).saturating_sub(n), (reference.len() + 1).saturating_sub(n))
            }
            Kind::Longest => (longest(&answer, &reference), answer.len(), reference.len()),
        };
        f_measure(common as f64 / ours.max(1) as f64, common as f64 / theirs.max(1) as f64)
    };
    pairs.iter().map(of).collect()
}

fn f_measure(precision: f64, recall: f64) -> f64 {
    if precision + recall > 0.0 { 2.0 * precision * recall / (precision + recall) } else { 0.0 }
}

fn tokens(text: &str, segmentation: Segmentation) -> Vec<String> {
    if segmentation == Segmentation::Words {
        let lower = text.to_lowercase();
        let tokens = lower.split(|c: char| !c.is_ascii_lowercase() && !c.is_ascii_digit());
        return tokens.filter(|token| !token.is_empty()).map(str::to_owned).collect();
    }
    let tokens = segmentation.tokens(text).into_iter().filter(|token| token.chars().any(char::is_alphanumeric));
    tokens.map(|token| token.to_lowercase()).collect()
}

/// The length of the longest common subsequence, with one row of the usual table.
fn longest(a: &[String], b: &[String]) -> usize {
    let mut row = vec![0; b.len() + 1];
    for x in a {
        let mut before = 0;
        for (j, y) in b.iter().enumerate() {
            let above = row[j + 1];
            row[j + 1] = if x == y { before + 1 } else { above.max(row[j]) };
            before = above;
        }
    }
    row[b.len()]
}
