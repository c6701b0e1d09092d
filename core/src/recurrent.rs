//! Layers with a state that goes from token to token. The engine keeps it: it sees to padding, sequences that share a
//! row, the cache of a generation and beams.

use crate::{Ctx, CtxOp, Init, Tensor, Weight};

/// What a causal convolution is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ConvConfig {
    /// Channels, each of which is convolved by itself.
    pub channels: usize,
    /// Tokens that are looked at, the present one included.
    pub kernel: usize,
    /// Whether there is a bias.
    pub bias: bool,
    /// How the weight starts from scratch.
    pub init: Init,
}

/// A causal convolution of each channel over time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Conv {
    slot: u64,
    weight: Weight,
    bias: Option<Weight>,
    config: ConvConfig,
}

impl Conv {
    pub(crate) fn new(slot: u64, weight: Weight, bias: Option<Weight>, config: ConvConfig) -> Self {
        Self { slot, weight, bias, config }
    }

    /// `[batch, time, channels]` to the same shape: `y[t] = Σⱼ w[j] · x[t - kernel + 1 + j] + b`, where what lies
    /// before the sequence is zero.
    pub fn forward(&self, cx: &Ctx, x: Tensor) -> Tensor {
        let (channels, kernel) = (self.config.channels as i64, self.config.kernel as i64);
        let weight = self.weight.get(cx).reshape([channels, kernel]);
        let y = cx.request(CtxOp::Conv { id: self.slot }, [x, weight]);
        match self.bias {
            Some(bias) => y + bias.get(cx),
            None => y,
        }
    }
}

/// A linear recurrence over time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scan(u64);

impl Scan {
    pub(crate) fn new(slot: u64) -> Self {
        Self(slot)
    }

    /// The states `h[t] = decay[t] · h[t - 1] + input[t]` of each token, from zero at the beginning of a sequence. All
    /// are `[batch, time, …]`, with the state's shape behind.
    pub fn forward(self, cx: &Ctx, decay: Tensor, input: Tensor) -> Tensor {
        cx.request(CtxOp::Scan { id: self.0 }, [decay, input])
    }
}
