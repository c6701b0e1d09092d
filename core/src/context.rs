//! What a plugin may ask of the run that it takes part in.

use crate::{CtxOp, PluginError, Rotary, Site, Tensor, ffi::RawContext, raise};

/// The run, as models and adapters see it during one pass.
pub struct Ctx {
    pub(crate) raw: RawContext,
}

impl Ctx {
    /// Wraps the host's side.
    pub fn new(raw: RawContext) -> Self {
        Self { raw }
    }

    pub(crate) fn request<const N: usize>(&self, op: CtxOp, operands: [Tensor; N]) -> Tensor {
        Tensor(crate::ffi::request(&self.raw, op, operands.map(|t| t.0)).unwrap_or_else(|e| raise(e)))
    }

    /// The base model's own projection at an adapter's site: `x · Wᵀ + b`.
    pub fn base(&self, site: Site, x: impl Into<Tensor>) -> Tensor {
        self.request(CtxOp::Base { id: site.weight.id() }, [x.into()])
    }

    /// See [`crate::supports`].
    pub fn supports(&self, feature: &str) -> bool {
        crate::supports(feature)
    }

    /// Ends the present call with an error.
    pub fn fail(&self, message: impl Into<String>) -> ! {
        raise(PluginError::new(message))
    }

    /// Rotary position embedding of `[batch, heads, time, size]` at the positions of the pass. Sine and cosine are
    /// computed once a pass for each distinct rotation.
    pub fn rotate(&self, x: Tensor, rotary: &Rotary) -> Tensor {
        self.request(CtxOp::Rotate(rotary.clone()), [x])
    }

    /// The position `[batch, time]` of each token in its sequence, padding and cached tokens accounted for.
    pub fn positions(&self) -> Tensor {
        self.request(CtxOp::Positions, [])
    }

    /// Positions of the longest sequence in this pass, cached tokens included: one more than the largest position.
    /// Rotations that depend on the length ask for it.
    pub fn length(&self) -> usize {
        // Requests answer with tensors: the length crosses as the size of one.
        self.request(CtxOp::Length, []).dim(0)
    }

    /// Inverted dropout (Srivastava et al., 2014) while training, seeded by the run; otherwise `x` itself.
    pub fn dropout(&self, x: Tensor, p: f64) -> Tensor {
        if p <= 0.0 {
            return x;
        }
        self.request(CtxOp::Dropout { p }, [x])
    }

    /// `x`, each element times a random number of its own from `1 - width` to `1 + width` while training, seeded by the
    /// run; otherwise `x` itself. The jitter of routers (Fedus et al., 2021, arXiv:2101.03961).
    pub fn noise(&self, x: Tensor, width: f64) -> Tensor {
        if width <= 0.0 {
            return x;
        }
        self.request(CtxOp::Noise { width }, [x])
    }

    /// Adds a scalar to the training loss, such as a router's balance.
    pub fn add_loss(&self, name: &str, value: Tensor) {
        self.request(CtxOp::AddLoss { name: name.into() }, [value]);
    }

    /// Adds the load balance of routed experts (Fedus et al., 2021, arXiv:2101.03961) to the training loss, once for
    /// all calls of this name in a pass: `weight · experts · Σₑ mean(chosenₑ) · mean(probabilitiesₑ)`.
    ///
    /// Both are `[batch · time, experts]`, a row per token in the order of the ids: how often the token goes to each
    /// expert, and the router's probabilities. The means are over the tokens of all calls, padding left out. No
    /// gradient flows through `chosen`.
    pub fn balance(&self, name: &str, chosen: Tensor, probabilities: Tensor, weight: f64) {
        self.request(CtxOp::Balance { name: name.into(), weight }, [chosen, probabilities]);
    }
}
