//! Counts by pair, from which scores follow.

/// What a metric has counted in each pair.
pub trait Counted: Send + Sync {
    /// The score of the pairs with these numbers, in the order given; a number may come several times. None if the
    /// metric is not defined for them, for example because no reference has what it is about.
    fn score(&self, pairs: &[usize]) -> Option<f64>;

    /// Whether the score of pairs that are drawn with repetition estimates that of other pairs. It does not where pairs are
    /// compared with each other: a repetition is then taken for likeness.
    fn can_be_drawn(&self) -> bool {
        true
    }
}

/// Counts that are summed over the pairs.
pub(crate) struct Sums<const N: usize> {
    pub pairs: Vec<[f64; N]>,
    /// The score of the sums.
    pub finish: fn(&[f64; N]) -> Option<f64>,
}

impl<const N: usize> Counted for Sums<N> {
    fn score(&self, pairs: &[usize]) -> Option<f64> {
        let mut sums = [0.0; N];
        for &pair in pairs {
            sums.iter_mut().zip(self.pairs[pair]).for_each(|(sum, count)| *sum += count);
        }
        (self.finish)(&sums)
    }
}

/// The mean over those pairs that have a value.
pub fn mean(values: impl IntoIterator<Item = Option<f64>>) -> Box<dyn Counted> {
    let pairs = values.into_iter().map(|value| value.map_or([0.0, 0.0], |value| [value, 1.0])).collect();
    Box::new(Sums { pairs, finish: |[sum, count]| (*count > 0.0).then(|| sum / count) })
}
