//! Texts that are nearly the same: MinHash (Broder, 1997) with locality-sensitive hashing.

use super::Near;
use crate::{
    hash::{self, mix},
    texts::is_wide,
};
use std::collections::HashMap;

/// Texts that were kept, as what is needed to recognise others like them.
///
/// The share of equal minima of two sets, over many random orders of everything there is, estimates their Jaccard
/// similarity. Minima are compared in bands of several: whatever agrees in a whole band is a candidate, and the
/// estimate from all minima decides. Of each minimum one byte is kept (Li and König, 2010).
pub struct Kept {
    options: Near,
    bands: Bands,
    /// A random order of hashes each: a factor and a summand.
    orders: Vec<(u64, u64)>,
    /// A byte of each minimum, text by text.
    minima: Vec<u8>,
    /// The last text that has a band's minima, by the band's hash.
    last: HashMap<u64, u32>,
    /// The text before it that has them, band by band, text by text.
    before: Vec<u32>,
}

const NONE: u32 = u32::MAX;
/// What texts of a similarity on the threshold are found with at least, as far as bands go.
const FOUND: f64 = 0.99;

impl Kept {
    pub fn new(options: &Near) -> Self {
        let orders = (0..options.permutations as u64).map(|i| (mix(1, i) | 1, mix(2, i))).collect();
        Self {
            bands: Bands::new(options.similarity, options.permutations),
            options: options.clone(),
            orders,
            minima: Vec::new(),
            last: HashMap::new(),
            before: Vec::new(),
        }
    }

    /// Keeps a text, given in pieces, unless it is nearly the same as one that was kept. One without words always is.
    pub fn insert(&mut self, pieces: &[&str]) -> bool {
        let shingles: Vec<_> = pieces.iter().flat_map(|piece| shingles(piece, self.options.shingle)).collect();
        if shingles.is_empty() {
            return true;
        }
        let minima = self.minima(&shingles);
        let keys: Vec<_> = self.bands.keys(&minima).collect();
        let bytes: Vec<_> = minima.iter().map(|minimum| minimum.to_le_bytes()[0]).collect();
        let new = !self.candidates(&keys).into_iter().any(|i| {
            let start = i as usize * bytes.len();
            estimate(&bytes, &self.minima[start..start + bytes.len()]) >= self.options.similarity
        });
        if new {
            let number = (self.minima.len() / bytes.len()) as u32;
            self.minima.extend(bytes);
            for key in keys {
                self.before.push(self.last.insert(key, number).unwrap_or(NONE));
            }
        }
        new
    }

    fn minima(&self, shingles: &[u64]) -> Vec<u32> {
        let mut minima = vec![u32::MAX; self.orders.len()];
        for shingle in shingles {
            for (minimum, (factor, summand)) in minima.iter_mut().zip(&self.orders) {
                *minimum = (*minimum).min((factor.wrapping_mul(*shingle).wrapping_add(*summand) >> 32) as u32);
            }
        }
        minima
    }

    /// Texts that have the minima of a band in common.
    fn candidates(&self, keys: &[u64]) -> Vec<u32> {
        let mut found = Vec::new();
        for (band, key) in keys.iter().enumerate() {
            let mut next = self.last.get(key).copied().unwrap_or(NONE);
            while next != NONE {
                found.push(next);
                next = self.before[next as usize * keys.len() + band];
            }
        }
        found.sort_unstable();
        found.dedup();
        found
    }
}

/// The share of equal bytes, less what is equal by chance.
fn estimate(a: &[u8], b: &[u8]) -> f64 {
    let equal = a.iter().zip(b).filter(|(a, b)| a == b).count() as f64 / a.len() as f64;
    (equal * 256.0 - 1.0) / 255.0
}

/// How minima are put together.
#[derive(Debug, PartialEq)]
struct Bands {
    count: usize,
    rows: usize,
}

impl Bands {
    /// The longest bands with which texts of this similarity still become candidates: they give the fewest others.
    fn new(similarity: f64, minima: usize) -> Self {
        let power = |base: f64, times: usize| (0..times).fold(1.0, |product, _| product * base);
        let found = |rows: &usize| 1.0 - power(1.0 - power(similarity, *rows), minima / rows) >= FOUND;
        let rows = (1..=minima).rev().find(found).unwrap_or(1);
        Self { count: minima / rows, rows }
    }

    fn keys(&self, minima: &[u32]) -> impl Iterator<Item = u64> {
        let bands = minima.chunks_exact(self.rows).take(self.count).enumerate();
        bands.map(|(band, minima)| minima.iter().fold(band as u64, |key, minimum| mix(key, u64::from(*minimum))))
    }
}

/// Hashes of all runs of `length` words, a Chinese character being one. Of a shorter text, the one of all its words.
fn shingles(text: &str, length: usize) -> Vec<u64> {
    let words = words(text);
    let length = length.min(words.len()).max(1);
    words.windows(length).map(|run| run.iter().fold(0, |hash, word| mix(hash, *word))).collect()
}

/// Hashes of words in small letters, without punctuation.
fn words(text: &str) -> Vec<u64> {
    let (mut words, mut word) = (Vec::new(), String::new());
    let mut end = |word: &mut String| {
        if !word.is_empty() {
            words.push(hash::text(word));
            word.clear();
        }
    };
    for c in text.chars() {
        if !c.is_alphanumeric() || is_wide(c) {
            end(&mut word);
        }
        if c.is_alphanumeric() {
            word.extend(c.to_lowercase());
            if is_wide(c) {
                end(&mut word);
            }
        }
    }
    end(&mut word);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(similarity: f64, permutations: usize) -> Near {
        Near { similarity, permutations, shingle: 1 }
    }

    /// Two sets of 1000 words that have so many in common that their Jaccard similarity is `common / (2000 - common)`.
    fn pair(common: usize, number: usize) -> [Vec<u64>; 2] {
        let word = |i: usize| hash::text(&format!("{number} {i}"));
        [(0..1000).map(word).collect(), (1000 - common..2000 - common).map(word).collect()]
    }

    fn bytes(kept: &Kept, shingles: &[u64]) -> Vec<u8> {
        kept.minima(shingles).iter().map(|minimum| minimum.to_le_bytes()[0]).collect()
    }

    /// The estimate is unbiased, and its error that of so many independent draws: `sqrt(J (1 - J) / permutations)`.
    #[test]
    fn the_error_of_the_estimate() {
        let kept = Kept::new(&near(0.8, 128));
        for common in [0, 200, 500, 800, 950, 1000] {
            let jaccard = common as f64 / (2000 - common) as f64;
            let errors: Vec<f64> = (0..200)
                .map(|number| pair(common, number).map(|set| bytes(&kept, &set)))
                .map(|[a, b]| estimate(&a, &b) - jaccard)
                .collect();
            let mean = errors.iter().sum::<f64>() / 200.0;
            let rms = (errors.iter().map(|e| e * e).sum::<f64>() / 200.0).sqrt();
            // Bytes that are equal by chance add theirs.
            let equal = jaccard + (1.0 - jaccard) / 256.0;
            let expected = (equal * (1.0 - equal) / 128.0).sqrt() * 256.0 / 255.0;
            assert!(mean.abs() <= 4.0 * expected / 200_f64.sqrt(), "J = {jaccard}: biased by {mean}");
            assert!((rms - expected).abs() <= 0.2 * expected, "J = {jaccard}: an error of {rms}, not {expected}");
        }
    }

    #[test]
    fn bands_are_as_long_as_they_may_be() {
        assert_eq!(Bands::new(0.8, 128), Bands { count: 21, rows: 6 });
        assert_eq!(Bands::new(0.5, 128), Bands { count: 42, rows: 3 });
        assert_eq!(Bands::new(1.0, 128), Bands { count: 1, rows: 128 });
        assert_eq!(Bands::new(0.01, 16), Bands { count: 16, rows: 1 });
    }

    #[test]
    fn texts_that_are_alike_are_found_and_others_are_not() {
        let text = |[set, _]: [Vec<u64>; 2]| set.iter().map(|n| format!("{n:x} ")).collect::<String>();
        let other = |[_, set]: [Vec<u64>; 2]| set.iter().map(|n| format!("{n:x} ")).collect::<String>();
        // Jaccard similarities of 0.905 and 0.667, five errors of the estimate away from 0.8 and more.
        for (common, expected) in [(950, 0), (800, 100)] {
            let mut kept = Kept::new(&near(0.8, 256));
            assert!((0..100).all(|i| kept.insert(&[&text(pair(common, i))])));
            let new = (0..100).filter(|i| kept.insert(&[&other(pair(common, *i))])).count();
            assert_eq!(new, expected, "{common} in common");
        }
    }

    #[test]
    fn chinese_characters_and_words_count_and_nothing_else_does() {
        assert_eq!(words("Ab, c3!"), ["ab", "c3"].map(hash::text));
        assert_eq!(words("《春天》ok了。"), ["春", "天", "ok", "了"].map(hash::text));
        assert_eq!(shingles("a b c d", 3).len(), 2);
        assert_eq!(shingles("a b", 3), shingles("B\n A b", 2)[1..].iter().rev().copied().collect::<Vec<_>>()[..1]);
        assert!(shingles("…!", 3).is_empty());
    }

    /// What the documentation says of memory: per text, a byte an order, and a place and a number a band.
    #[test]
    fn memory_is_bounded() {
        let mut kept = Kept::new(&near(0.8, 128));
        for i in 0..1000 {
            assert!(kept.insert(&[&format!("{}", mix(9, i))]));
        }
        assert_eq!((kept.minima.len(), kept.before.len(), kept.last.len()), (128_000, 21_000, 21_000));
    }
}
