//! Hidden states and their projection to the vocabulary.

use crate::{
    kernels::{
        head::{How, head},
        squash::Squash,
    },
    precision::{Half, product, projected},
    storage::Stored,
    value::{R, Value},
};
use burn::tensor::{Int, Tensor as Burn};
use framework_core::{PluginError, Result};
use std::{ops::Range, sync::Arc};

/// The vocabulary projection.
#[derive(Clone)]
pub(in super::super) struct Head {
    /// `[vocab, width]`.
    pub weight: Value,
    /// `[vocab]`.
    pub bias: Option<Value>,
    /// More features of each row `[rows, r]`, and their projection `[vocab, r]`.
    pub added: Option<(Value, Value)>,
    pub squash: Squash,
    pub half: Half,
}

/// The projection's weight: a stored one is decoded where it is used, some rows at a time.
#[expect(clippy::large_enum_variant, reason = "there is one of them in a pass")]
pub(super) enum Weight {
    Dense(Burn<2>, Half),
    Stored(Arc<Stored>),
}

impl Weight {
    /// `h · wᵀ`.
    fn product(&self, h: Burn<2>) -> Burn<2> {
        match self {
            Weight::Dense(weight, half) => projected(h, weight.clone(), *half),
            Weight::Stored(stored) => stored.linear(h),
        }
    }

    /// Losses, and with a factor gradients of hidden states, without how far targets are below the largest logits.
    pub fn losses(&self, h: Burn<2>, bias: Option<Burn<2>>, targets: Burn<2, Int>, how: How) -> (Burn<2>, Burn<2>) {
        match self {
            Weight::Dense(weight, _) => head(h, weight.clone(), bias, targets, how),
            Weight::Stored(stored) => stored.head(h, bias, targets, how),
        }
    }

    /// `d · w`.
    pub fn back(&self, d: Burn<2>) -> Burn<2> {
        match self {
            Weight::Dense(weight, half) => product(d, weight.clone(), *half),
            Weight::Stored(stored) => stored.back(d),
        }
    }
}

/// Rows of hidden states, and what projects them.
pub(in super::super) struct Projection {
    /// `[rows, width]`.
    pub(super) hidden: Burn<2>,
    pub(super) weight: Weight,
    /// `[1, vocab]`.
    pub(super) bias: Option<Burn<2>>,
    pub(super) added: Option<(Burn<2>, Burn<2>)>,
    pub(super) squash: Squash,
    pub(super) half: Half,
    pub(super) vocab: usize,
}

impl Projection {
    /// Of so many rows of hidden states.
    pub fn new(hidden: Value, head: Head, rows: usize) -> Result<Self> {
        let Head { weight, bias, added, squash, half } = head;
        let (width, vocab) = (hidden.dims()[R - 1], weight.dims()[R - 2]);
        let hidden = hidden.into_float()?.reshape([rows, width]);
        let weight = match weight.as_stored() {
            Some(stored) => Weight::Stored(stored.clone()),
            None => Weight::Dense(weight.into_float()?.reshape([vocab, width]), half),
        };
        let bias = bias.map(|b| Ok::<_, PluginError>(b.into_float()?.reshape([1, vocab]))).transpose()?;
        let added = match added {
            Some((features, more)) => {
                let r = more.dims()[R - 1];
                Some((features.into_float()?.reshape([rows, r]), more.into_float()?.reshape([vocab, r])))
            }
            None => None,
        };
        Ok(Self { hidden, weight, bias, added, squash, half, vocab })
    }

    /// Logits `[n, vocab]` of some of the rows, and their derivative by what is projected unless it is 1.
    pub fn logits(&self, rows: Range<usize>) -> (Burn<2>, Option<Burn<2>>) {
        let mut logits = self.weight.product(self.hidden.clone().slice_dim(0, rows.clone()));
        if let Some(bias) = &self.bias {
            logits = logits + bias.clone();
        }
        if let Some((features, more)) = &self.added {
            let features = features.clone().slice_dim(0, rows);
            logits = logits + product(features, more.clone().transpose(), self.half);
        }
        self.squash.with_slopes(logits)
    }
}
