//! Random choices that stay the same: on every machine, and when the run is resumed.

use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};

/// What a stream of random numbers is for; choices for one purpose leave the others as they are.
#[derive(Debug, Clone, Copy)]
pub(super) enum Purpose {
    Validation,
    Mixture(usize),
    Augmenter(usize),
    /// An augmenter's next rounds.
    Again(usize, usize),
    Order(u64),
    Batches(u64),
}

/// Numbers for a purpose.
pub(super) fn stream(seed: u64, purpose: Purpose) -> ChaCha8Rng {
    let (kind, number) = match purpose {
        Purpose::Validation => (0, 0),
        Purpose::Mixture(i) => (1, i as u64),
        Purpose::Augmenter(i) => (2, i as u64),
        Purpose::Again(round, i) => (5, (round as u64) << 16 | i as u64),
        Purpose::Order(epoch) => (3, epoch),
        Purpose::Batches(epoch) => (4, epoch),
    };
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(number << 3 | kind);
    rng
}

/// A seed for a purpose.
pub(super) fn seed(seed: u64, purpose: Purpose) -> u64 {
    stream(seed, purpose).next_u64()
}

/// Shuffles in place (Fisher and Yates, in Durstenfeld's form). Written out so that no library's next version changes
/// the order of a run that is resumed.
pub(super) fn shuffle<T>(items: &mut [T], rng: &mut ChaCha8Rng) {
    for i in (1..items.len()).rev() {
        items.swap(i, below(i as u64 + 1, rng) as usize);
    }
}

/// A number below `n`; the bias of the multiplication is below 2^-32 for every list that fits in memory.
fn below(n: u64, rng: &mut ChaCha8Rng) -> u64 {
    ((u128::from(rng.next_u64()) * u128::from(n)) >> 64) as u64
}

/// The numbers below `n` in a random order.
pub(super) fn shuffled(n: usize, rng: &mut ChaCha8Rng) -> Vec<usize> {
    let mut all: Vec<_> = (0..n).collect();
    shuffle(&mut all, rng);
    all
}

/// `count` of the numbers below `n`, in ascending order.
pub(super) fn choose(n: usize, count: usize, rng: &mut ChaCha8Rng) -> Vec<usize> {
    let mut all = shuffled(n, rng);
    all.truncate(count);
    all.sort_unstable();
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shuffle_is_a_permutation_that_depends_on_seed_and_purpose() {
        let order = |seed, purpose| {
            let mut items: Vec<_> = (0..50).collect();
            shuffle(&mut items, &mut stream(seed, purpose));
            items
        };
        let first = order(1, Purpose::Order(0));
        assert_eq!(first, order(1, Purpose::Order(0)));
        for other in [order(2, Purpose::Order(0)), order(1, Purpose::Order(1)), order(1, Purpose::Batches(0))] {
            assert_ne!(first, other);
        }
        let mut sorted = first;
        sorted.sort_unstable();
        assert!(sorted.into_iter().eq(0..50));
    }

    #[test]
    fn all_places_are_equally_likely() {
        let mut rng = stream(7, Purpose::Validation);
        let mut counts = [0usize; 5];
        for _ in 0..10_000 {
            let mut items = [0, 1, 2, 3, 4];
            shuffle(&mut items, &mut rng);
            counts[items.iter().position(|i| *i == 0).unwrap()] += 1;
        }
        // 2000 each; the standard deviation is 40.
        assert!(counts.iter().all(|n| n.abs_diff(2000) < 200), "{counts:?}");
    }

    #[test]
    fn a_choice_is_sorted_and_of_the_right_size() {
        let chosen = choose(100, 10, &mut stream(3, Purpose::Validation));
        assert!(chosen.len() == 10 && chosen.is_sorted() && chosen.iter().all(|i| *i < 100));
    }
}
