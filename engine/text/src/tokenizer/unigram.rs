//! Training the pieces that make texts most likely.

use super::{
    Inner,
    train::{UNKNOWN, Words, alphabet, failed, words},
};
use framework_base::Result;
use framework_recipe::TokenizerTraining;
use rayon::prelude::*;
use std::collections::{BTreeSet, HashMap};
use tokenizers::{
    SplitDelimiterBehavior,
    models::unigram::{Unigram, UnigramTrainer},
    pre_tokenizers::{
        PreTokenizerWrapper,
        metaspace::{Metaspace, PrependScheme},
        sequence::Sequence,
        split::{Split, SplitPattern},
    },
};

/// Longest piece in characters, as in SentencePiece.
const LONGEST: usize = 16;
/// Longer words are cut into parts of so many characters: probabilities of longer ones get too small.
const PART: usize = 512;
/// Rounds in which the probabilities of the chosen pieces are estimated.
const ROUNDS: usize = 4;
/// Words that are looked at side by side; fixed, because the order of a sum changes its last digit.
const CHUNK: usize = 1024;

pub(super) fn train(
    training: &TokenizerTraining,
    room: usize,
    special: &[&str],
    texts: impl Iterator<Item = impl AsRef<str>>,
) -> Result<Inner> {
    let mut inner = Inner::new(Unigram::default());
    let lines = Split::new(SplitPattern::String("\n".into()), SplitDelimiterBehavior::Isolated, false);
    let space = Metaspace::new('▁', PrependScheme::First, true);
    let steps: Vec<PreTokenizerWrapper> = vec![lines.map_err(failed)?.into(), space.clone().into()];
    inner.with_pre_tokenizer(Some(Sequence::new(steps))).with_decoder(Some(space));
    let words = words(&inner, texts)?;
    let letters = alphabet(&words, training.min_frequency, room - 1);
    let words = parts(words, &letters.iter().copied().collect());
    let pieces = estimate(choose(&words, room)?, &words);

    let first = special.iter().map(|token| ((*token).to_owned(), 0.0));
    let unknown = special.iter().position(|token| *token == UNKNOWN);
    inner.with_model(Unigram::from(first.chain(pieces).collect(), unknown, false).map_err(failed)?);
    Ok(inner)
}

/// Words without the characters that are left out, and none too long.
fn parts(words: Words, letters: &BTreeSet<char>) -> Words {
    let mut all = Words::new();
    for (word, count) in words {
        for part in word.split(|c| !letters.contains(&c)) {
            let chars: Vec<char> = part.chars().collect();
            for part in chars.chunks(PART) {
                *all.entry(part.iter().collect()).or_default() += count;
            }
        }
    }
    all
}

/// The pieces of a vocabulary of this size, in alphabetical order.
fn choose(words: &Words, size: usize) -> Result<BTreeSet<String>> {
    let count = |count: &u64| u32::try_from(*count).unwrap_or(u32::MAX);
    let sentences: Vec<_> = words.iter().map(|(word, n)| (word.clone(), count(n))).collect();
    let trainer = UnigramTrainer::builder()
        .vocab_size(u32::try_from(size).unwrap_or(u32::MAX))
        .max_piece_length(LONGEST)
        .show_progress(false)
        .build()
        .map_err(failed)?;
    // On one thread, because the trainer's sums depend on their number.
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().map_err(failed)?;
    let mut model = Unigram::default();
    pool.install(|| trainer.do_train(sentences, &mut model)).map_err(failed)?;
    Ok(model.iter().map(|(piece, _)| piece.clone()).collect())
}

/// Log probabilities of pieces by expectation and maximisation, the likeliest first. The trainer's own are not taken,
/// because it gives letters that it has left out a probability by the order of a hash table.
fn estimate(pieces: BTreeSet<String>, words: &Words) -> Vec<(String, f64)> {
    let index: HashMap<&str, usize> = pieces.iter().map(String::as_str).zip(0..).collect();
    let words: Vec<(&str, f64)> = words.iter().map(|(word, n)| (word.as_str(), *n as f64)).collect();
    let sum = |each: &(dyn Fn(&Lattice, f64, &mut [f64]) + Sync)| {
        let chunk = |chunk: &[(&str, f64)]| {
            let mut counts = vec![0.0; index.len()];
            for (word, n) in chunk {
                each(&Lattice::new(word, &index), *n, &mut counts);
            }
            counts
        };
        let chunks: Vec<Vec<f64>> = words.par_chunks(CHUNK).map(chunk).collect();
        let mut total = vec![0.0; index.len()];
        chunks.iter().for_each(|counts| total.iter_mut().zip(counts).for_each(|(t, n)| *t += n));
        total
    };
    let log = |counts: Vec<f64>| -> Vec<f64> {
        let all: f64 = counts.iter().sum();
        // A piece that is never used stays possible.
        counts.into_iter().map(|n| n.max(0.1).ln() - all.max(1.0).ln()).collect()
    };
    let mut scores = log(sum(&|lattice, n, counts| lattice.arcs.iter().for_each(|arc| counts[arc.piece] += n)));
    for _ in 0..ROUNDS {
        scores = log(sum(&|lattice, n, counts| lattice.expect(&scores, n, counts)));
    }
    // The last digits are the machine's own; rounded, they do not decide which id a piece gets.
    let rounded = scores.into_iter().map(|score| (score * 1e9).round() / 1e9);
    let mut pieces: Vec<_> = pieces.into_iter().zip(rounded).collect();
    pieces.sort_by(|(_, a), (_, b)| b.total_cmp(a));
    pieces
}

/// All pieces of a word.
struct Lattice {
    /// The word's length in characters.
    length: usize,
    /// In the order of where they begin.
    arcs: Vec<Arc>,
}

struct Arc {
    from: usize,
    to: usize,
    piece: usize,
}

impl Lattice {
    fn new(word: &str, index: &HashMap<&str, usize>) -> Self {
        let ends: Vec<usize> = word.char_indices().map(|(at, _)| at).chain([word.len()]).collect();
        let length = ends.len() - 1;
        let mut arcs = Vec::new();
        for from in 0..length {
            for to in from + 1..=length.min(from + LONGEST) {
                if let Some(&piece) = index.get(&word[ends[from]..ends[to]]) {
                    arcs.push(Arc { from, to, piece });
                }
            }
        }
        Self { length, arcs }
    }

    /// Adds how often each piece is to be expected in `n` such words.
    fn expect(&self, scores: &[f64], n: f64, counts: &mut [f64]) {
        let mut before = vec![f64::NEG_INFINITY; self.length + 1];
        let mut after = before.clone();
        (before[0], after[self.length]) = (0.0, 0.0);
        for arc in &self.arcs {
            before[arc.to] = log_add(before[arc.to], before[arc.from] + scores[arc.piece]);
        }
        for arc in self.arcs.iter().rev() {
            after[arc.from] = log_add(after[arc.from], after[arc.to] + scores[arc.piece]);
        }
        let all = before[self.length];
        if all.is_finite() {
            for arc in &self.arcs {
                counts[arc.piece] += n * (before[arc.from] + scores[arc.piece] + after[arc.to] - all).exp();
            }
        }
    }
}

fn log_add(a: f64, b: f64) -> f64 {
    let (most, least) = if a > b { (a, b) } else { (b, a) };
    if least == f64::NEG_INFINITY { most } else { most + (least - most).exp().ln_1p() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `ab` is `a` and `b` or `ab`: with log probabilities 0.2, 0.3 and 0.5 the shares are 0.06 and 0.5 of 0.56.
    #[test]
    fn expectation_weighs_all_ways_to_cut_a_word() {
        let index: HashMap<&str, usize> = ["a", "ab", "b"].into_iter().zip(0..).collect();
        let scores = [0.2f64.ln(), 0.5f64.ln(), 0.3f64.ln()];
        let mut counts = [0.0; 3];
        Lattice::new("ab", &index).expect(&scores, 7.0, &mut counts);
        let expected = [0.06, 0.5, 0.06].map(|share| 7.0 * share / 0.56);
        assert!(counts.iter().zip(expected).all(|(found, expected)| (found - expected).abs() < 1e-12), "{counts:?}");
    }
}
