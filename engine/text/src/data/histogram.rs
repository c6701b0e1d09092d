//! How many examples have which length.

use serde::{Deserialize, Serialize};

/// At most so many bins.
const BINS: usize = 30;

/// Numbers of examples by length, in bins of equal width.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Histogram {
    /// Lengths in a bin: the first has the lengths 1 to `width`.
    pub width: usize,
    /// Examples in each bin, up to the last that has any.
    pub counts: Vec<usize>,
}

impl Histogram {
    /// The width of bins for lengths up to this: the least of 1, 2, 5, 10, 20, 50, … with which 30 bins are enough.
    pub fn width(longest: usize) -> usize {
        let widths = (0..).flat_map(|power| [1, 2, 5].map(|n: usize| n.saturating_mul(10usize.saturating_pow(power))));
        widths.into_iter().find(|width| width.saturating_mul(BINS) >= longest).unwrap_or(1)
    }

    /// Counts lengths, each given with how often it occurs. A length of 0 belongs to the first bin.
    pub fn of(width: usize, lengths: impl Iterator<Item = (usize, usize)>) -> Self {
        let mut counts = Vec::new();
        for (length, times) in lengths {
            let bin = length.saturating_sub(1) / width;
            counts.resize(counts.len().max(bin + 1), 0);
            counts[bin] += times;
        }
        Self { width, counts }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_are_round_and_few() {
        assert_eq!([0, 30, 31, 60, 61, 150, 2048, 100_000].map(Histogram::width), [1, 1, 2, 2, 5, 5, 100, 5000]);
    }

    #[test]
    fn every_length_is_counted_once() {
        let lengths = [(0, 1), (1, 2), (10, 3), (11, 4), (25, 5)];
        let histogram = Histogram::of(10, lengths.into_iter());
        assert_eq!(histogram.counts, [6, 4, 5]);
        assert_eq!(Histogram::of(10, std::iter::empty()).counts, [0; 0]);
    }
}
