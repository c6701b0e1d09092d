//! How good answers are, given what was expected.
//!
//! Every metric first counts what it needs of each pair of answer and reference ([`Counted`]). The score of a set of pairs
//! follows from these counts, and so does that of any sample of them, which is what [`bootstrap`] draws.

pub mod bleu;
pub mod bootstrap;
pub mod chrf;
mod counts;
pub mod exact;
pub mod json;
pub mod length;
pub mod magazine;
pub mod repetition;
pub mod rouge;
pub mod schema;
pub mod tokens;

pub use counts::{Counted, mean};
pub use tokens::Segmentation;

/// An answer and what was expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// What the model gave.
    pub answer: String,
    /// What the data has.
    pub reference: String,
}
