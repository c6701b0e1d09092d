//! Functions of one number, without branches, so that compilers make vectors of them. Errors are those of the tests.

use super::exp::exp;

/// `1 / (1 + e^-x)`.
#[inline(always)]
pub fn sigmoid(x: f32) -> f32 {
    let e = exp(-x.abs());
    let share = 1.0 / (1.0 + e);
    if x >= 0.0 { share } else { e * share }
}

/// The hyperbolic tangent: a polynomial near 0, and `1 - 2 / (e^2x + 1)` elsewhere (coefficients of Cephes' `tanhf`).
#[inline(always)]
pub fn tanh(x: f32) -> f32 {
    let (size, square) = (x.abs(), x * x);
    let p = -5.704_988_7e-3;
    let p = p * square + 2.063_909e-2;
    let p = p * square - 5.373_971_6e-2;
    let p = p * square + 1.333_144_2e-1;
    let p = p * square - 3.333_328e-1;
    let near = p * square * x + x;
    let e = exp(-2.0 * size);
    let far = ((1.0 - e) / (1.0 + e)).copysign(x);
    if size < 0.625 { near } else { far }
}

/// The error function, as a quotient of polynomials between -4 and 4 (Eigen's coefficients).
#[inline(always)]
pub fn erf(x: f32) -> f32 {
    let x = x.clamp(-4.0, 4.0);
    let square = x * x;
    let p = -2.726_142_3e-10;
    let p = p * square + 2.770_681_4e-8;
    let p = p * square - 2.101_024e-6;
    let p = p * square - 5.692_506_4e-5;
    let p = p * square - 7.349_906_3e-4;
    let p = p * square - 2.954_6e-3;
    let p = p * square - 1.609_603_3e-2;
    let q = -1.456_607_2e-5;
    let q = q * square - 2.133_740_6e-4;
    let q = q * square - 1.682_827e-3;
    let q = q * square - 7.373_329e-3;
    let q = q * square - 1.426_473_9e-2;
    x * p / q
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The largest error over numbers from -10 to 10, as a share of the value or of `floor` where that is more.
    fn worst(found: impl Fn(f32) -> f32, exact: impl Fn(f64) -> f64, floor: f64) -> f64 {
        let numbers = (-100_000..=100_000).map(|i| i as f32 / 10_000.0);
        let errors = numbers.map(|x| {
            let (found, exact) = (f64::from(found(x)), exact(f64::from(x)));
            (found - exact).abs() / exact.abs().max(floor)
        });
        errors.fold(0.0, f64::max)
    }

    /// By its series; beyond 4 it is 1 to 32 bits.
    fn exact_erf(x: f64) -> f64 {
        if x.abs() > 4.0 {
            return x.signum();
        }
        let (mut term, mut sum) = (x, x);
        for n in 1..200 {
            term *= -x * x / f64::from(n);
            sum += term / f64::from(2 * n + 1);
        }
        sum * std::f64::consts::FRAC_2_SQRT_PI
    }

    #[test]
    fn are_close_to_those_of_64_bits() {
        const ULP: f64 = f32::EPSILON as f64;
        let found = worst(sigmoid, |x| 1.0 / (1.0 + (-x).exp()), 0.0);
        assert!(found < 3.0 * ULP, "sigmoid: {found:e}");
        let found = worst(tanh, f64::tanh, 0.0);
        assert!(found < 3.0 * ULP, "tanh: {found:e}");
        let found = worst(erf, exact_erf, 1e-6);
        assert!(found < 5.0 * ULP, "erf: {found:e}");
    }

    #[test]
    fn what_is_no_number_stays_none() {
        assert!([sigmoid(f32::NAN), tanh(f32::NAN), erf(f32::NAN)].iter().all(|y| y.is_nan()));
        assert_eq!([sigmoid(1e9), sigmoid(-1e9), tanh(1e9), tanh(-1e9)], [1.0, 0.0, 1.0, -1.0]);
    }
}
