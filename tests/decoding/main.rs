//! Decoders and logit processors together, against what transformers' `generate` returns.

#[path = "../common/golden.rs"]
mod golden;

mod beams;
mod sampling;
mod stopping;
mod table;

// Linked in by naming their crates.
use plugin_adapters as _;
use plugin_decoders as _;
use plugin_models as _;
