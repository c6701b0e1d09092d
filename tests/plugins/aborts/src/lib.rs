//! A plugin that is built with `panic = "abort"`; there is nothing else wrong with it.

use framework_sdk::prelude::*;

options! {
    /// Passes records on.
    pub struct Same {}
}

impl Augmenter for Same {
    fn augment(&self, records: Records, _seed: u64) -> Result<Records> {
        Ok(records)
    }
}

register!(augmenter "same" => Same, example = "");
