//! How sure a score is: confidence intervals and significance by drawing pairs anew (Efron, 1979; paired, for the
//! difference of two models: Koehn, 2004).

use crate::Counted;
use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};

/// Samples that are drawn, as sacrebleu has it.
pub const SAMPLES: usize = 1000;
/// The same samples in every program: scores are to be equal.
const SEED: u64 = 12345;

/// The bounds that 95 % of the samples' scores are between; none if the score is not defined for a sample, or if samples
/// say nothing about it.
pub fn interval(counted: &dyn Counted, pairs: usize) -> Option<(f64, f64)> {
    if !counted.can_be_drawn() {
        return None;
    }
    bounds(samples(pairs).map(|sample| counted.score(&sample)).collect::<Option<Vec<_>>>()?)
}

/// The difference of two models over the same pairs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Difference {
    /// The second's score less the first's.
    pub difference: f64,
    /// What it is between in 95 % of the samples.
    pub interval: (f64, f64),
    /// How probable a difference of the other sign, or none, is: twice the share of samples in which there is one, at most
    /// 1. A difference is usually called significant where it is below 0.05.
    pub p: f64,
}

/// Compares two models by their counts over the same pairs; none if a score is not defined, or if samples say nothing about
/// it.
pub fn difference(first: &dyn Counted, second: &dyn Counted, pairs: usize) -> Option<Difference> {
    if !first.can_be_drawn() {
        return None;
    }
    let difference = |pairs: &[usize]| Some(second.score(pairs)? - first.score(pairs)?);
    let whole = difference(&(0..pairs).collect::<Vec<_>>())?;
    let drawn = samples(pairs).map(|sample| difference(&sample)).collect::<Option<Vec<_>>>()?;
    let other = drawn.iter().filter(|drawn| if whole > 0.0 { **drawn <= 0.0 } else { **drawn >= 0.0 }).count();
    let p = (2.0 * other as f64 / SAMPLES as f64).min(1.0);
    Some(Difference { difference: whole, interval: bounds(drawn)?, p })
}

/// Numbers of pairs, as many as there are, drawn with repetition.
fn samples(pairs: usize) -> impl Iterator<Item = Vec<usize>> {
    let mut random = ChaCha8Rng::seed_from_u64(SEED);
    (0..if pairs == 0 { 0 } else { SAMPLES })
        .map(move |_| (0..pairs).map(|_| (random.next_u64() % pairs as u64) as usize).collect())
}

fn bounds(mut scores: Vec<f64>) -> Option<(f64, f64)> {
    scores.sort_by(f64::total_cmp);
    let outside = scores.len() / 40;
    Some((*scores.get(outside)?, *scores.get(scores.len().checked_sub(outside + 1)?)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mean;

    fn shares(hits: usize, of: usize) -> Box<dyn Counted> {
        mean((0..of).map(|i| Some(f64::from(i < hits))))
    }

    /// The interval of a share is about that of the normal approximation, `p ± 1.96 √(p (1 - p) / n)`.
    #[test]
    fn intervals_are_those_of_the_distribution() {
        let (low, high) = interval(&*shares(80, 200), 200).unwrap();
        let half = 1.96 * (0.4f64 * 0.6 / 200.0).sqrt();
        assert!((low - (0.4 - half)).abs() < 0.015 && (high - (0.4 + half)).abs() < 0.015, "{low} {high}");
        assert_eq!(interval(&*shares(200, 200), 200), Some((1.0, 1.0)));
        assert_eq!(interval(&*mean([]), 0), None);
        assert_eq!(interval(&*mean([None, None]), 2), None);
    }

    /// A sample has some answers twice, which are then no variety.
    #[test]
    fn variety_has_no_interval() {
        let pair = |i: usize| crate::Pair { answer: format!("answer {i}"), reference: String::new() };
        let pairs: Vec<_> = (0..20).map(pair).collect();
        let distinct = crate::repetition::distinct(&pairs, 2, crate::Segmentation::Words);
        assert_eq!(distinct.score(&(0..20).collect::<Vec<_>>()), Some(1.0));
        assert_eq!((interval(&*distinct, 20), difference(&*distinct, &*distinct, 20)), (None, None));
    }

    #[test]
    fn differences_are_significant_when_they_are_large() {
        let same = difference(&*shares(80, 200), &*shares(80, 200), 200).unwrap();
        assert_eq!((same.difference, same.p), (0.0, 1.0));
        let more = difference(&*shares(80, 200), &*shares(120, 200), 200).unwrap();
        assert!((more.difference - 0.2).abs() < 1e-9 && more.p < 0.01 && more.interval.0 > 0.0, "{more:?}");
        let little = difference(&*shares(80, 200), &*shares(81, 200), 200).unwrap();
        assert!(little.p > 0.05, "{little:?}");
        let less = difference(&*shares(120, 200), &*shares(80, 200), 200).unwrap();
        assert!(less.p < 0.01 && less.interval.1 < 0.0, "{less:?}");
    }
}
