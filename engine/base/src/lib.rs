//! What the rooms of the engine share, and nothing that only one of them needs: errors with their places, whole-file
//! writing, hashes, number formats, names on the hub, batches.

pub mod batch;
mod error;
pub mod files;
pub mod float;
pub mod id;
pub mod json;
pub mod memory;
pub mod suggest;

pub use batch::{Batch, IGNORE, Sequence};
pub use error::{Error, Place, Problem, Result};
pub use float::Float;
