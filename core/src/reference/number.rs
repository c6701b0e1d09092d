//! Numbers that know their derivative.

use crate::{Activation, PluginError, Result};
use std::{
    f64::consts::{FRAC_2_SQRT_PI, PI, SQRT_2},
    ops::{Add, Div, Mul, Neg, Sub},
};

/// A number in 64 bits with its derivative along one direction (forward-mode differentiation).
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Dual {
    /// The number.
    pub value: f64,
    /// By how much it moves along the direction.
    pub slope: f64,
}

impl From<f64> for Dual {
    fn from(value: f64) -> Self {
        Self { value, slope: 0.0 }
    }
}

impl Add for Dual {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self { value: self.value + other.value, slope: self.slope + other.slope }
    }
}

impl Sub for Dual {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        self + -other
    }
}

impl Mul for Dual {
    type Output = Self;
    fn mul(self, other: Self) -> Self {
        let slope = self.slope * other.value + self.value * other.slope;
        Self { value: self.value * other.value, slope }
    }
}

impl Div for Dual {
    type Output = Self;
    fn div(self, other: Self) -> Self {
        let value = self.value / other.value;
        Self { value, slope: (self.slope - value * other.slope) / other.value }
    }
}

impl Neg for Dual {
    type Output = Self;
    fn neg(self) -> Self {
        Self { value: -self.value, slope: -self.slope }
    }
}

impl Dual {
    /// A function's value and its derivative there. What does not move stays still, even where the derivative is
    /// infinite.
    fn chain(self, value: f64, derivative: f64) -> Self {
        Self { value, slope: if self.slope == 0.0 { 0.0 } else { self.slope * derivative } }
    }

    pub(crate) fn still(self) -> Self {
        self.value.into()
    }

    pub(crate) fn recip(self) -> Self {
        self.chain(self.value.recip(), -self.value.recip().powi(2))
    }

    pub(crate) fn pow(self, exponent: f64) -> Self {
        self.chain(self.value.powf(exponent), exponent * self.value.powf(exponent - 1.0))
    }

    pub(crate) fn exp(self) -> Self {
        self.chain(self.value.exp(), self.value.exp())
    }

    pub(crate) fn ln(self) -> Self {
        self.chain(self.value.ln(), self.value.recip())
    }

    pub(crate) fn sqrt(self) -> Self {
        self.chain(self.value.sqrt(), 0.5 / self.value.sqrt())
    }

    pub(crate) fn abs(self) -> Self {
        self.chain(self.value.abs(), sign(self.value))
    }

    pub(crate) fn sin(self) -> Self {
        self.chain(self.value.sin(), self.value.cos())
    }

    pub(crate) fn cos(self) -> Self {
        self.chain(self.value.cos(), -self.value.sin())
    }

    pub(crate) fn tanh(self) -> Self {
        let tanh = self.value.tanh();
        self.chain(tanh, 1.0 - tanh * tanh)
    }

    pub(crate) fn sigmoid(self) -> Self {
        let sigmoid = (1.0 + (-self.value).exp()).recip();
        self.chain(sigmoid, sigmoid * (1.0 - sigmoid))
    }

    pub(crate) fn erf(self) -> Self {
        self.chain(erf(self.value), FRAC_2_SQRT_PI * (-self.value * self.value).exp())
    }

    pub(crate) fn activate(self, activation: Activation) -> Result<Self> {
        let number = |value: f64| Self::from(value);
        Ok(match activation {
            Activation::Relu => {
                if self.value > 0.0 {
                    self
                } else {
                    number(0.0)
                }
            }
            Activation::Gelu => self * number(0.5) * (number(1.0) + (self * number(1.0 / SQRT_2)).erf()),
            Activation::GeluTanh => {
                let inner = number((2.0 / PI).sqrt()) * (self + number(0.044_715) * self * self * self);
                self * number(0.5) * (number(1.0) + inner.tanh())
            }
            Activation::Silu => self * self.sigmoid(),
            // log(1 + e^x) without overflow
            Activation::Softplus => {
                let softplus = self.value.max(0.0) + (-self.value.abs()).exp().ln_1p();
                self.chain(softplus, self.sigmoid_value())
            }
            other => return Err(PluginError::new(format!("{other:?} is not known here"))),
        })
    }

    fn sigmoid_value(self) -> f64 {
        Self::from(self.value).sigmoid().value
    }
}

/// -1, 0 or 1.
pub(crate) fn sign(x: f64) -> f64 {
    if x > 0.0 {
        1.0
    } else if x < 0.0 {
        -1.0
    } else {
        0.0
    }
}

/// The error function by its series `2/√π · e^{-x²} · Σ 2ⁿ x^{2n+1} / (1 · 3 · … · (2n+1))` (Abramowitz and Stegun,
/// 7.1.6), whose terms are all of one sign.
fn erf(x: f64) -> f64 {
    if x.abs() > 6.0 {
        return sign(x);
    }
    let (mut term, mut sum, mut n) = (x, x, 1.0);
    while term.abs() > 1e-17 * sum.abs() {
        term *= 2.0 * x * x / (2.0 * n + 1.0);
        sum += term;
        n += 1.0;
    }
    FRAC_2_SQRT_PI * (-x * x).exp() * sum
}

#[cfg(test)]
mod tests;
