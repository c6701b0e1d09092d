//! Lengths of answers in tokens.

use crate::{Counted, Pair, Segmentation, counts::Sums, mean};

/// Tokens of an answer, as a mean.
pub fn length(pairs: &[Pair], segmentation: Segmentation) -> Box<dyn Counted> {
    mean(pairs.iter().map(|pair| Some(segmentation.tokens(&pair.answer).len() as f64)))
}

/// Tokens of all answers as a share of those of all references: 1 where they are as long. None if references are empty.
pub fn length_ratio(pairs: &[Pair], segmentation: Segmentation) -> Box<dyn Counted> {
    let lengths = |pair: &Pair| [&pair.answer, &pair.reference].map(|text| segmentation.tokens(text).len() as f64);
    let finish = |[answers, references]: &[f64; 2]| (*references > 0.0).then(|| answers / references);
    Box::new(Sums { pairs: pairs.iter().map(lengths).collect(), finish })
}
