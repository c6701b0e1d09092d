//! Random factors that are made where they are used.
//!
//! A factor is a function of a key and of its place alone. What runs a second time draws the same again, and neither the
//! host nor the memory has anything to do with it.

mod ops;
#[cfg(test)]
mod tests;

use super::value::Value;
use framework_core::Result;
pub(super) use ops::{OnRandom, scale};

/// Random bits of a factor: as many as a 32-bit float holds.
const BITS: u32 = 24;

/// A random factor for each element.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Draw {
    key: [u32; 2],
    factor: Factor,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Factor {
    /// Zero for numbers below the threshold, `kept` for the others.
    Drop { threshold: u32, kept: f32 },
    /// `least + unit · number`.
    Uniform { least: f32, unit: f32 },
}

/// Where the elements of a tensor `[…, rows, columns]` lie in the matrices that are drawn for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Place {
    pub tile: [usize; 2],
    pub whole: [usize; 2],
    pub first: [usize; 2],
}

impl Draw {
    /// Zeros with probability `p`, `1 / (1 - p)` otherwise.
    pub fn dropout(key: u64, p: f64) -> Self {
        let threshold = (p * f64::from(1 << BITS)).round() as u32;
        Self::new(key, Factor::Drop { threshold, kept: (1.0 / (1.0 - p)) as f32 })
    }

    /// Uniform from `1 - width` to `1 + width`.
    pub fn noise(key: u64, width: f64) -> Self {
        let unit = (2.0 * width / f64::from((1 << BITS) - 1)) as f32;
        Self::new(key, Factor::Uniform { least: (1.0 - width) as f32, unit })
    }

    fn new(key: u64, factor: Factor) -> Self {
        Self { key: [key as u32, (key >> 32) as u32], factor }
    }

    /// A hash of the place: two rounds of a mixer without multiplications of more than 32 bits, which GPUs and burn's
    /// integers lack (Wellons, "Hash Prospector", the function lowbias32).
    fn number(&self, place: u32) -> u32 {
        mixed(mixed(place.wrapping_add(self.key[0])) ^ self.key[1]) >> (32 - BITS)
    }

    fn at(&self, place: u32) -> f32 {
        let number = self.number(place);
        match self.factor {
            Factor::Drop { threshold, .. } if number < threshold => 0.0,
            Factor::Drop { kept, .. } => kept,
            Factor::Uniform { least, unit } => least + unit * number as f32,
        }
    }
}

/// The mixer's shifts, and its multipliers between them.
const SHIFTS: [u32; 3] = [16, 15, 16];
const FACTORS: [u32; 2] = [0x7feb_352d, 0x846c_a68b];

fn mixed(mut x: u32) -> u32 {
    x ^= x >> SHIFTS[0];
    x = x.wrapping_mul(FACTORS[0]);
    x ^= x >> SHIFTS[1];
    x = x.wrapping_mul(FACTORS[1]);
    x ^ (x >> SHIFTS[2])
}

/// `x` times its factors.
pub(super) fn multiplied(x: Value, draw: Draw) -> Result<Value> {
    let rank = x.rank;
    Ok(Value::float(ops::multiplied(x.into_float()?, draw), rank))
}
