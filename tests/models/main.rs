//! The model families against transformers and peft: everything that the families' folders in `tests/golden` hold.
//!
//! `cargo test --test models -- --nocapture` prints how near each number comes.

#[path = "../common/golden.rs"]
mod golden;

mod adapters;
mod beams;
mod decoding;
mod exports;
mod folders;
mod forward;
mod generation;
mod gradients;
mod methods;
mod needs;
mod objectives;
mod optimizers;
mod peft_files;
mod quantized;
mod reference;
mod run;
mod sweeps;
mod training;
mod verifying;

use plugin_adapters as _;
use plugin_datasets as _;
use plugin_decoders as _;
use plugin_models as _;
use plugin_optimizers as _;
