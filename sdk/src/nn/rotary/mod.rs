//! Rotary positions and the ways to stretch them over longer sequences.

mod config;
mod scaling;
mod table;

pub use config::RopeConfig;
pub use scaling::Scaling;
pub use table::{RopeTable, RopeType};

use crate::{Ctx, Rotary};

/// Rotary position embedding (Su et al., 2021, arXiv:2104.09864) of a head, as a `config.json` describes it.
#[derive(Debug, Clone, PartialEq)]
pub struct Rope {
    /// Elements of each head that are rotated, the first ones.
    pub size: usize,
    /// Base of the angles: `base^(-2i / size)` per position for pair `i`.
    pub base: f64,
    /// How the angles are changed.
    pub scaling: Scaling,
}

/// Rotary position embedding of the first `size` elements of each head: angle per position `base^(-2i / size)`.
pub fn rotary(size: usize, base: f64) -> Rotary {
    Rope { size, base, scaling: Scaling::None }.at(1)
}

impl Rope {
    /// The rotation in this pass.
    pub fn rotary(&self, cx: &Ctx) -> Rotary {
        self.at(if self.scaling.depends_on_length() { cx.length() } else { 1 })
    }

    /// The rotation in a pass whose longest sequence has this many positions.
    ///
    /// Rounded to `f32` at every step, as transformers computes it: at a late position, angles that differ in the last
    /// digit are far apart.
    pub fn at(&self, length: usize) -> Rotary {
        let (inv_freq, scale) = self.scaling.apply(self.size, self.base, length);
        Rotary { inv_freq: inv_freq.into_iter().map(f64::from).collect(), scale, interleaved: false }
    }

    /// The longest sequence that positions are defined for, in a model made for `max_positions`; none if they are
    /// adapted to any length.
    pub fn limit(&self, max_positions: usize) -> Option<usize> {
        let times = |n: usize, factor: f64| (n as f64 * factor) as usize;
        match self.scaling {
            Scaling::Dynamic { .. } => None,
            Scaling::Linear { factor } => Some(times(max_positions, factor).max(max_positions)),
            Scaling::Yarn { factor, original, .. } => Some(times(original, factor).max(max_positions)),
            _ => Some(max_positions),
        }
    }
}

#[cfg(test)]
mod tests;
