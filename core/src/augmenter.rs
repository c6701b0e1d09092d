//! Augmenters.

use crate::{Options, Records, Result};

/// Turns records into records: none, one or many for each, or whatever the whole set calls for.
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
