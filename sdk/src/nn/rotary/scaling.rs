//! Angles of rotary positions.

use std::f64::consts::PI;

/// A change of the angles by which a model reads longer sequences than it was first trained on.
#[derive(Debug, Clone, PartialEq)]
pub enum Scaling {
    /// The plain angles.
    None,
    /// Positions are divided by a factor (Chen et al., 2023, arXiv:2306.15595).
    Linear {
        /// The divisor.
        factor: f64,
    },
    /// The base grows with the longest sequence, once it is longer than the model was made for.
    Dynamic {
        /// How fast the base grows.
        factor: f64,
        /// The length from which on it grows.
        max_positions: usize,
    },
    /// As in Llama 3.1: slow angles are divided by a factor, fast ones kept, those between interpolated.
    Llama3 {
        /// The divisor.
        factor: f64,
        /// Full turns in the original length below which an angle is slow.
        low: f64,
        /// Full turns in the original length above which an angle is fast.
        high: f64,
        /// The original length.
        original: usize,
    },
    /// YaRN (Peng et al., 2023, arXiv:2309.00071).
    Yarn {
        /// The divisor of slow angles.
        factor: f64,
        /// Turns in the original length above which angles are kept.
        fast: f64,
        /// Turns in the original length below which angles are divided.
        slow: f64,
        /// Round the range between the two to whole dimensions.
        truncate: bool,
        /// The original length.
        original: usize,
        /// Factor on sine and cosine.
        attention: f64,
    },
    /// LongRoPE (Ding et al., 2024, arXiv:2402.13753): a divisor for each angle.
    LongRope {
        /// The divisors while no sequence is longer than the original length.
        short: Vec<f64>,
        /// The divisors for longer ones.
        long: Vec<f64>,
        /// The original length.
        original: usize,
        /// Factor on sine and cosine.
        attention: f64,
    },
}

impl Scaling {
    /// Whether the angles depend on the longest sequence of a pass.
    pub fn depends_on_length(&self) -> bool {
        matches!(self, Self::Dynamic { .. } | Self::LongRope { .. })
    }

    /// The angles per position of the pairs, and the factor on sine and cosine.
    pub(super) fn apply(&self, size: usize, base: f64, length: usize) -> (Vec<f32>, f64) {
        let plain = || periods(size, base).map(|period| 1.0 / period);
        match self {
            Self::None => (plain().collect(), 1.0),
            Self::Linear { factor } => (plain().map(|angle| angle / *factor as f32).collect(), 1.0),
            Self::Dynamic { factor, max_positions } => {
                let base =
                    if length > *max_positions { grown(size, base, *factor, length, *max_positions) } else { base };
                (periods(size, base).map(|period| 1.0 / period).collect(), 1.0)
            }
            Self::Llama3 { factor, low, high, original } => {
                (plain().map(|angle| llama3(angle, *factor as f32, *low, *high, *original as f64)).collect(), 1.0)
            }
            Self::Yarn { factor, fast, slow, truncate, original, attention } => {
                let (low, high) = range(size, base, [*fast, *slow], *original as f64, *truncate);
                let angle = |(i, period): (usize, f32)| {
                    let kept = 1.0 - ((i as f32 - low) / (high - low)).clamp(0.0, 1.0);
                    1.0 / (*factor as f32 * period) * (1.0 - kept) + 1.0 / period * kept
                };
                (periods(size, base).enumerate().map(angle).collect(), *attention)
            }
            Self::LongRope { short, long, original, attention } => {
                let divisors = if length > *original { long } else { short };
                let angles =
                    periods(size, base).zip(divisors).map(|(period, divisor)| 1.0 / (*divisor as f32 * period));
                (angles.collect(), *attention)
            }
        }
    }
}

/// `base^(2i / size)`.
fn periods(size: usize, base: f64) -> impl Iterator<Item = f32> {
    let base = f64::from(base as f32);
    (0..size.div_ceil(2)).map(move |i| base.powf(f64::from((2 * i) as f32 / size as f32)) as f32)
}

/// The base for sequences of `length` in a model made for `max` positions.
fn grown(size: usize, base: f64, factor: f64, length: usize, max: usize) -> f64 {
    let ratio = factor as f32 * length as f32 / max as f32 - (factor - 1.0) as f32;
    let exponent = (size as f64 / (size as f64 - 2.0)) as f32;
    f64::from(base as f32 * f64::from(ratio).powf(f64::from(exponent)) as f32)
}

fn llama3(angle: f32, factor: f32, low: f64, high: f64, original: f64) -> f32 {
    let wave = (2.0 * PI) as f32 / angle;
    if wave > (original / low) as f32 {
        return angle / factor;
    }
    if wave < (original / high) as f32 {
        return angle;
    }
    let smooth = (original as f32 / wave - low as f32) / (high - low) as f32;
    (1.0 - smooth) * angle / factor + smooth * angle
}

/// The pairs between which YaRN interpolates: where angles make so many turns in the original length.
fn range(size: usize, base: f64, turns: [f64; 2], original: f64, truncate: bool) -> (f32, f32) {
    let pair = |turns: f64| size as f64 * (original / (turns * 2.0 * PI)).ln() / (2.0 * base.ln());
    let (low, high) = (pair(turns[0]), pair(turns[1]));
    let (low, high) = if truncate { (low.floor(), high.ceil()) } else { (low, high) };
    let (low, high) = (low.max(0.0), high.min(size as f64 - 1.0));
    (low as f32, if low == high { high + 0.001 } else { high } as f32)
}
