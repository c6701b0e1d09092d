//! Feed-forward layers.

use super::HiddenAct;
use crate::{Ctx, Init, ModelSpec, Tensor};

/// Gated feed-forward layer (Shazeer, 2020, arXiv:2002.05202): `down(act(gate(x)) * up(x))`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GatedMlp {
    /// Elements between the projections.
    pub size: usize,
    /// The gate's activation.
    pub act: HiddenAct,
    /// Whether the projections have biases.
    pub bias: bool,
    /// Names of gate, up and down projection.
    pub names: [&'static str; 3],
}

impl GatedMlp {
    /// A layer without biases whose projections are called `gate_proj`, `up_proj` and `down_proj`.
    pub fn new(size: usize, act: HiddenAct) -> Self {
        Self { size, act, bias: false, names: ["gate_proj", "up_proj", "down_proj"] }
    }

    /// Declares the projections of a module.
    pub fn declare(&self, spec: &mut ModelSpec, module: &str, hidden: usize, init: Init) {
        let [gate, up, down] = self.names.map(|name| format!("{module}.{name}"));
        spec.linear(&gate, self.size, hidden, self.bias, init)
            .linear(&up, self.size, hidden, self.bias, init)
            .linear(&down, hidden, self.size, self.bias, init);
    }

    /// `[…, hidden]` to the same shape.
    pub fn forward(&self, cx: &Ctx, module: &str, x: Tensor) -> Tensor {
        let [gate, up, down] = self.names.map(|name| format!("{module}.{name}"));
        let gate = cx.linear(&gate, &x);
        cx.linear(&down, gate.gated(self.act.into(), cx.linear(&up, x)))
    }
}
