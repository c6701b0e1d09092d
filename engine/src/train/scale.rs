//! The scale of the loss in half precision.

use serde::{Deserialize, Serialize};

/// A factor on the loss, so that gradients are not too small for 16 bits: halved when they overflow, doubled when they
/// have not for a while (Micikevicius et al., 2018, arXiv:1710.03740; PyTorch's settings).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LossScale {
    pub factor: f64,
    /// Steps since it was changed.
    steps: u32,
}

/// Steps without overflow after which the scale is doubled.
const PATIENCE: u32 = 2000;

impl Default for LossScale {
    fn default() -> Self {
        Self { factor: 65_536.0, steps: 0 }
    }
}

impl LossScale {
    /// Notes a step whose gradients were finite.
    pub fn moved(&mut self) {
        self.steps += 1;
        if self.steps == PATIENCE {
            *self = Self { factor: 2.0 * self.factor, steps: 0 };
        }
    }

    /// Notes gradients that overflowed; false if a smaller scale does not help.
    pub fn overflowed(&mut self) -> bool {
        *self = Self { factor: self.factor / 2.0, steps: 0 };
        self.factor >= 1.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn falls_at_once_and_rises_slowly() {
        let mut scale = LossScale::default();
        assert!(scale.overflowed() && scale.factor == 32_768.0);
        (1..PATIENCE).for_each(|_| scale.moved());
        assert_eq!(scale.factor, 32_768.0);
        scale.moved();
        assert_eq!(scale.factor, 65_536.0);
        assert_eq!((0..20).filter(|_| scale.overflowed()).count(), 16);
    }
}
