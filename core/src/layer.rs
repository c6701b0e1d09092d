//! Layers: what a [`crate::Scope`] gives back, and computes with the parameters that it declared.

use crate::{Ctx, CtxOp, Init, Stored, Tensor};
use serde::{Deserialize, Serialize};

/// A parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Weight(u64);

impl Weight {
    pub(crate) fn new(network: u32, index: usize) -> Self {
        Self(tagged(network, index))
    }

    pub(crate) fn id(self) -> u64 {
        self.0
    }

    /// Its value in this pass.
    pub fn get(self, cx: &Ctx) -> Tensor {
        cx.request(CtxOp::Weight { id: self.0 }, [])
    }
}

/// An index that knows its network.
fn tagged(network: u32, index: usize) -> u64 {
    u64::from(network) << 32 | index as u64
}

/// A projection `x · Wᵀ + b`, as the adapter has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Linear(u64);

/// What a projection is. Sizes are named so that they cannot be swapped.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dense {
    /// Elements that go in.
    pub input: usize,
    /// Elements that come out.
    pub out: usize,
    /// Whether there is a bias.
    pub bias: bool,
    /// How the weight starts from scratch.
    pub init: Init,
    /// How files hold the weight; here it is `[out, input]`.
    pub stored: Stored,
    /// What the projection does in its block, for adapters that choose by it: `attention.query`, `.key`, `.value`,
    /// `.output`, `.qkv` where one projection gives all three; `mlp.gate`, `.up`, `.down`, `.gate_up`; `router`; empty
    /// for anything else.
    pub layer: &'static str,
}

impl Default for Dense {
    fn default() -> Self {
        Self { input: 0, out: 0, bias: false, init: Init::Normal(0.02), stored: Stored::OutIn, layer: "" }
    }
}

impl Linear {
    pub(crate) fn new(weight: Weight) -> Self {
        Self(weight.0)
    }

    /// `[…, input]` to `[…, out]`.
    pub fn forward(self, cx: &Ctx, x: impl Into<Tensor>) -> Tensor {
        cx.request(CtxOp::Project { id: self.0 }, [x.into()])
    }
}

/// A table of token embeddings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Embedding {
    weight: Weight,
    padding: Option<usize>,
    name: String,
}

/// What a table of embeddings is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Table {
    /// Number of tokens.
    pub rows: usize,
    /// Elements of an embedding.
    pub width: usize,
    /// The row that no gradient reaches, as in `torch.nn.Embedding`.
    pub padding: Option<usize>,
    /// How it starts from scratch.
    pub init: Init,
}

impl Embedding {
    pub(crate) fn new(weight: Weight, padding: Option<usize>, name: String) -> Self {
        Self { weight, padding, name }
    }

    /// The whole name of the table.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Ids `[batch, time]` to `[batch, time, width]`.
    pub fn forward(&self, cx: &Ctx, ids: Tensor) -> Tensor {
        let Some(padding) = self.padding else { return self.weight.get(cx).embedding(ids) };
        let (batch, time) = (ids.dim(0) as i64, ids.dim(1) as i64);
        let padded = ids.clone().equal_to(padding as f64).reshape([batch, time, 1]);
        let rows = self.weight.get(cx).embedding(ids);
        padded.choose(rows.clone().detach(), rows)
    }
}

/// How a normalisation is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum NormKind {
    /// Mean 0 and variance 1, then scale and shift (Ba et al., 2016, arXiv:1607.06450).
    Layer,
    /// Root mean square 1, then scale (Zhang and Sennrich, 2019, arXiv:1910.07467).
    Rms,
    /// The same, scaled by `1 + weight` (Gemma).
    RmsPlusOne,
}

impl NormKind {
    pub(crate) fn initial_scale(self) -> Init {
        if self == NormKind::RmsPlusOne { Init::Zeros } else { Init::Ones }
    }

    pub(crate) fn has_bias(self) -> bool {
        self == NormKind::Layer
    }
}

/// What a normalisation is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NormConfig {
    /// Elements of the last dimension.
    pub size: usize,
    /// How it is computed.
    pub kind: NormKind,
    /// Added to the variance, or to the mean square.
    pub eps: f64,
}

/// A normalisation of the last dimension.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Norm {
    weight: Weight,
    bias: Option<Weight>,
    config: NormConfig,
}

impl Norm {
    pub(crate) fn new(weight: Weight, bias: Option<Weight>, config: NormConfig) -> Self {
        Self { weight, bias, config }
    }

    /// `[…, size]` to the same shape.
    pub fn forward(&self, cx: &Ctx, x: impl Into<Tensor>) -> Tensor {
        let (x, weight, eps) = (x.into(), self.weight.get(cx), self.config.eps);
        match (self.config.kind, self.bias) {
            (NormKind::Layer, Some(bias)) => x.layer_norm(weight, bias.get(cx), eps),
            (NormKind::RmsPlusOne, _) => x.rms_norm(weight + 1.0, eps),
            _ => x.rms_norm(weight, eps),
        }
    }
}

/// What an attention is. Part of [`crate::AttentionSpec`], which crosses as JSON: fields may be added with a default.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Heads {
    /// Heads of the queries.
    pub queries: usize,
    /// Heads of keys and values; a divisor of `queries`.
    pub keys: usize,
    /// Elements of a head.
    pub size: usize,
    /// Factor on the scores; `1 / sqrt(size)` if not given.
    pub scale: Option<f64>,
    /// Sliding window: a token sees at most this many tokens, itself included.
    pub window: Option<usize>,
    /// The scores stay within `±softcap` (Gemma 2): `softcap · tanh(score / softcap)`.
    pub softcap: Option<f64>,
    /// A token sees none that follow it.
    pub causal: bool,
    /// Dropout of the attention weights while training; 0 for none.
    pub dropout: f64,
}

impl Default for Heads {
    fn default() -> Self {
        Self { queries: 1, keys: 1, size: 0, scale: None, window: None, softcap: None, causal: true, dropout: 0.0 }
    }
}

/// An attention of queries over keys and values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attention(u64);

impl Attention {
    pub(crate) fn new(network: u32, index: usize) -> Self {
        Self(tagged(network, index))
    }

    /// Queries `[batch, heads, time, size]` over keys and values `[batch, key heads, time, size]` and over whatever the
    /// cache holds, to `[batch, heads, time, size]`. Padding is masked by the engine.
    pub fn forward(self, cx: &Ctx, q: Tensor, k: Tensor, v: Tensor) -> Tensor {
        cx.request(CtxOp::Attend { id: self.0 }, [q, k, v])
    }
}
