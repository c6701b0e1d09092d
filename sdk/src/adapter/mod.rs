//! What adapters share: choosing modules and blocks, and reading PEFT's `adapter_config.json`.

mod peft;
mod select;

pub use peft::{number, options};
pub use select::{ALL, Layers, Pattern, Targets, names_module, suffixes, target_modules};
