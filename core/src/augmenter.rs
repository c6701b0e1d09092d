//! Augmenters.

use crate::{Options, Records, Result};

/// Turns records into records: none, one or many for each, or whatever the whole set calls for.
///
/// An augmenter that leaves out records that are like an earlier one, and passes the others on in their order and as
/// they are, says so in its schema: `#[schemars(extend("x-keeps" = "first"))]` on its options. Such an augmenter sees
/// the validation records before the training records, and each repetition of a dataset by itself. What it passes on
/// must pass again when it is augmented once more.
pub trait Augmenter: Options {
    /// An error if the options contradict each other or are out of range: what types cannot express.
    fn validate(&self) -> Result<()> {
        Ok(())
    }

    /// Wraps the stream. The same records and the same seed give the same result, on every machine.
    ///
    /// Use [`crate::each`] where one record at a time is enough; collect the stream where it is not.
    fn augment(&self, records: Records, seed: u64) -> Result<Records>;
}
