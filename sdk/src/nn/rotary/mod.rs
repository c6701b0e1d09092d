//! Rotary positions and the ways to stretch them over longer sequences.

mod config;
mod scaling;
mod table;

pub use config::RopeConfig;
pub use scaling::Scaling;
pub use table::{RopeTable, RopeTables, RopeType};

use crate::{Ctx, Rotary, Tensor};
use std::sync::{Arc, Mutex, PoisonError};

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

impl Rope {
    /// The plain rotation of the first `size` elements of each head: angle per position `base^(-2i / size)`.
    pub fn plain(size: usize, base: f64) -> Self {
        Self { size, base, scaling: Scaling::None }
    }

    /// What rotates with it.
    pub fn rotation(self) -> Rotation {
        let fixed = (!self.scaling.depends_on_length()).then(|| self.at(1));
        Rotation(Arc::new(Table { rope: self, fixed, last: Mutex::new(None) }))
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

/// A rotation with its angles, which are computed once. Clones share them.
#[derive(Debug, Clone)]
pub struct Rotation(Arc<Table>);

#[derive(Debug)]
struct Table {
    rope: Rope,
    /// The angles, if they are the same in every pass.
    fixed: Option<Rotary>,
    /// The angles of the last pass that had another length than the one before.
    last: Mutex<Option<(usize, Rotary)>>,
}

impl Rotation {
    /// Rotates `[batch, heads, time, size]` by the positions of the pass.
    pub fn apply(&self, cx: &Ctx, x: Tensor) -> Tensor {
        let Table { rope, fixed, last } = &*self.0;
        if let Some(rotary) = fixed {
            return cx.rotate(x, rotary);
        }
        let length = cx.length();
        let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
        let rotary = match last.take().filter(|(known, _)| *known == length) {
            Some((_, rotary)) => rotary,
            None => rope.at(length),
        };
        let rotated = cx.rotate(x, &last.insert((length, rotary)).1);
        drop(last);
        rotated
    }
}

#[cfg(test)]
mod tests;
