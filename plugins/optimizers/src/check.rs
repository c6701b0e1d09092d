//! Ranges of options that optimizers share.

use framework_sdk::{PluginError, Result};

fn require(holds: bool, option: &str, range: &str, value: f64) -> Result<()> {
    if holds { Ok(()) } else { Err(PluginError::option(option, format!("must be {range}, not {value}"))) }
}

/// More than 0, and finite.
pub fn positive(option: &str, value: f64) -> Result<()> {
    require(value > 0.0 && value.is_finite(), option, "positive", value)
}

/// 0 or more, and finite.
pub fn not_negative(option: &str, value: f64) -> Result<()> {
    require(value >= 0.0 && value.is_finite(), option, "0 or more", value)
}

/// A decay rate: from 0 up to, but not including, 1.
pub fn below_one(option: &str, value: f64) -> Result<()> {
    require((0.0..1.0).contains(&value), option, "at least 0 and less than 1", value)
}
