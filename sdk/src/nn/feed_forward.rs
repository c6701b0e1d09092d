//! Feed-forward layers.

use super::{HiddenAct, Layer};
use crate::{Ctx, Dense, Init, Linear, Scope, Stored, Tensor};

/// What a gated feed-forward layer is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GatedMlpConfig {
    /// Width of the hidden states.
    pub hidden: usize,
    /// Elements between the projections.
    pub size: usize,
    /// The gate's activation.
    pub act: HiddenAct,
    /// Whether the projections have biases.
    pub bias: bool,
    /// Names of gate, up and down projection. Where the first two are the same, they are one projection.
    pub names: [&'static str; 3],
    /// Dropout of what the layer gives, while training; 0 for none.
    pub dropout: f64,
    /// How weights start from scratch.
    pub init: Init,
}

impl Default for GatedMlpConfig {
    fn default() -> Self {
        let names = ["gate_proj", "up_proj", "down_proj"];
        Self { hidden: 0, size: 0, act: HiddenAct::Silu, bias: false, names, dropout: 0.0, init: Init::Normal(0.02) }
    }
}

impl GatedMlpConfig {
    /// A layer of these sizes without biases, under the names of Llama's.
    pub fn new(hidden: usize, size: usize, act: HiddenAct, init: Init) -> Self {
        Self { hidden, size, act, init, ..Self::default() }
    }
}

/// Gated feed-forward layer (Shazeer, 2020, arXiv:2002.05202): `down(act(gate(x)) * up(x))`.
#[derive(Debug)]
pub struct GatedMlp {
    config: GatedMlpConfig,
    gate: Linear,
    /// None: the gate's projection gives both, one after the other.
    up: Option<Linear>,
    down: Linear,
}

impl GatedMlp {
    /// Declares the projections.
    pub fn new(m: &Scope, config: GatedMlpConfig) -> Self {
        let GatedMlpConfig { hidden, size, bias, names: [gate, up, down], init, .. } = config;
        let project =
            |name, input, out, layer| m.linear(name, Dense { input, out, bias, init, layer, ..Dense::default() });
        let fused = gate == up;
        let first =
            project(gate, hidden, if fused { 2 * size } else { size }, if fused { "mlp.gate_up" } else { "mlp.gate" });
        let up = (!fused).then(|| project(up, hidden, size, "mlp.up"));
        Self { config, gate: first, up, down: project(down, size, hidden, "mlp.down") }
    }
}

impl Layer for GatedMlp {
    fn forward(&self, cx: &Ctx, x: Tensor) -> Tensor {
        let size = self.config.size;
        let (gate, up) = match &self.up {
            Some(up) => (self.gate.forward(cx, &x), up.forward(cx, x)),
            None => {
                let both = self.gate.forward(cx, x);
                (both.clone().slice(-1, 0, size), both.slice(-1, size, 2 * size))
            }
        };
        cx.dropout(self.down.forward(cx, gate.gated(self.config.act.into(), up)), self.config.dropout)
    }
}

/// What a feed-forward layer without a gate is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MlpConfig {
    /// Width of the hidden states.
    pub hidden: usize,
    /// Elements between the projections.
    pub size: usize,
    /// The activation between the projections.
    pub act: HiddenAct,
    /// Whether the projections have biases.
    pub bias: bool,
    /// Names of up and down projection.
    pub names: [&'static str; 2],
    /// How files hold the weights of the projections.
    pub stored: Stored,
    /// Dropout of what the layer gives, while training; 0 for none.
    pub dropout: f64,
    /// How weights start from scratch.
    pub init: Init,
}

impl Default for MlpConfig {
    fn default() -> Self {
        let (names, stored, init) = (["up_proj", "down_proj"], Stored::OutIn, Init::Normal(0.02));
        Self { hidden: 0, size: 0, act: HiddenAct::default(), bias: true, names, stored, dropout: 0.0, init }
    }
}

impl MlpConfig {
    /// A layer of these sizes with biases.
    pub fn new(hidden: usize, size: usize, act: HiddenAct, init: Init) -> Self {
        Self { hidden, size, act, init, ..Self::default() }
    }
}

/// Feed-forward layer: `down(act(up(x)))`.
#[derive(Debug)]
pub struct Mlp {
    config: MlpConfig,
    up: Linear,
    down: Linear,
}

impl Mlp {
    /// Declares the projections.
    pub fn new(m: &Scope, config: MlpConfig) -> Self {
        let MlpConfig { hidden, size, bias, names: [up, down], stored, init, .. } = config;
        let project = |name, input, out, layer| m.linear(name, Dense { input, out, bias, init, stored, layer });
        Self { config, up: project(up, hidden, size, "mlp.up"), down: project(down, size, hidden, "mlp.down") }
    }
}

impl Layer for Mlp {
    fn forward(&self, cx: &Ctx, x: Tensor) -> Tensor {
        let between = self.up.forward(cx, x).activate(self.config.act.into());
        cx.dropout(self.down.forward(cx, between), self.config.dropout)
    }
}
