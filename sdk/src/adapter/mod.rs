//! What adapters share: choosing modules and blocks, and reading PEFT's `adapter_config.json`.

mod layers;
mod names;
mod peft;
#[cfg(feature = "targets")]
mod select;

pub use layers::Layers;
pub use names::{names_module, suffixes};
pub use peft::{number, options};
#[cfg(feature = "targets")]
pub use select::{ALL, Pattern, Targets, target_modules};
