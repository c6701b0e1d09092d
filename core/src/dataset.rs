//! Datasets.

use crate::{Options, Records, Result, Skipped};

/// Opens what the recipe points at and yields records, without holding them all.
///
/// Errors name the file and, where there is one, the line ([`crate::PluginError::at`]).
/// `limit`, `split` and `weight` are the engine's and are not passed on.
pub trait Dataset: Options {
    /// An error if the options contradict each other or are out of range: what types cannot express.
    fn validate(&self) -> Result<()> {
        Ok(())
    }

    /// Starts reading from the beginning; called once per use, always with the same result.
    ///
    /// Rows and fields that are left out are reported to `skipped` when they are met, which may be while the records
    /// are read; keep a clone of it for that.
    fn open(&self, skipped: &Skipped) -> Result<Records>;
}
