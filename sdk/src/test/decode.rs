//! Checks of decoders, against a table of scores instead of a model.

use super::{options, plugin};
use crate::{DecodeRequest, Kind, Result, conformance};

/// Decodes with scores that depend on the last token only: `table[t]` holds the logits after token `t`.
/// Returns the new tokens of each prompt.
pub fn decode(name: &str, options_table: &str, table: &[Vec<f32>], request: &DecodeRequest) -> Result<Vec<Vec<u32>>> {
    let (build, label) = plugin(Kind::Decoder, name);
    conformance::decode(&build, &label, &options(options_table), table, request)
}
