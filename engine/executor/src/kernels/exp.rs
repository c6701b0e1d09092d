//! `e^x` for numbers that are not positive, written so that compilers make vectors of it.

/// `e^x` for `x <= 0`, within 2 units in the last place; 0 below -87.
///
/// `x = n·ln 2 + r` with `|r| <= ln 2 / 2`, and a polynomial for `e^r` (Cody and Waite, 1980; Cephes' coefficients).
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    /// Added and taken away again, it rounds to an integer.
    const ROUND: f32 = 12_582_912.0;
    let small = x < -87.0;
    let x = if small { 0.0 } else { x };
    let rounded = x * std::f32::consts::LOG2_E + ROUND;
    let n = rounded - ROUND;
    let r = (x - n * 0.693_359_4) + n * 2.121_944_4e-4;
    let p = 1.987_569_1e-4;
    let p = p * r + 1.398_199_9e-3;
    let p = p * r + 8.333_452e-3;
    let p = p * r + 4.166_579_6e-2;
    let p = p * r + 1.666_666_5e-1;
    let p = p * r + 0.5;
    let y = (p * r * r + r) + 1.0;
    // The integer stands in the lowest bits of what was rounded.
    let power = f32::from_bits(rounded.to_bits().wrapping_sub(ROUND.to_bits()).wrapping_add(127) << 23);
    if small { 0.0 } else { y * power }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_close_to_that_of_64_bits() {
        let mut worst = 0.0f64;
        for i in 0..200_000 {
            let x = -87.0 * i as f32 / 200_000.0;
            let (found, expected) = (f64::from(exp(x)), f64::from(x).exp());
            worst = worst.max((found - expected).abs() / expected);
        }
        assert!(worst < 2.0 * f64::from(f32::EPSILON), "{worst:e}");
        assert_eq!([exp(0.0), exp(-100.0), exp(f32::NEG_INFINITY)], [1.0, 0.0, 0.0]);
        assert!(exp(f32::NAN).is_nan());
    }
}
