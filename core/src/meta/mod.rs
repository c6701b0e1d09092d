//! Shapes without data: runs any architecture before anything is allocated.
//!
//! The planner counts parameters, operations and activations with it; the test kit finds undeclared or misshapen
//! parameters.

mod forward;
mod host;
mod infer;
mod keep;
mod layers;
mod tensor;

pub use forward::{embed, forward};
pub use host::MetaHost;
pub use infer::MOST_ELEMENTS;
pub use tensor::{MetaTensor, inferred};

use crate::PluginError;
use std::collections::BTreeSet;

/// What a pass would cost.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cost {
    /// Floating-point operations, a multiplication and an addition counted as two.
    pub flops: u64,
    /// Bytes that differentiation keeps for the way back.
    pub kept: u64,
    /// Bytes of the largest tensor.
    pub largest: u64,
    /// Names of the parameters that were used.
    pub used: BTreeSet<String>,
}

/// The error for positions that are asked for while the embeddings are looked up.
pub const TOO_EARLY: &str = "positions are known in `start` and after it, not in `embed`: virtual tokens come between";

/// The error for a parameter that was not declared.
pub fn undeclared<'a>(name: &str, declared: impl Iterator<Item = &'a String>) -> PluginError {
    let near = declared.filter(|d| d.rsplit('.').next() == name.rsplit('.').next()).take(3).cloned();
    let near: Vec<_> = near.collect();
    let hint =
        if near.is_empty() { String::new() } else { format!("; declared are, for example, {}", near.join(", ")) };
    PluginError::new(format!("parameter `{name}` is used but not declared{hint}"))
}

#[cfg(test)]
mod tests;
