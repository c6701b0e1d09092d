//! A block of GPT-NeoX.

use super::Pythia;
use framework_sdk::prelude::*;

/// A block's layers.
pub(super) struct Block {
    pub norms: [Norm; 2],
    /// In which each head's query, key and value lie side by side.
    query_key_value: Linear,
    attention: Attention,
    rotation: nn::Rotation,
    dense: Linear,
    up: Linear,
    down: Linear,
}

impl Block {
    pub fn new(m: &Scope, config: &Pythia, rotation: nn::Rotation) -> Self {
        let (hidden, inner) = (config.hidden_size, config.intermediate_size);
        let norm = |name| m.norm(name, config.norm());
        let dense =
            Dense { bias: config.attention_bias, init: Init::Normal(config.initializer_range), ..Dense::default() };
        let wide = Dense { bias: true, ..dense };
        Self {
            norms: [norm("input_layernorm"), norm("post_attention_layernorm")],
            query_key_value: m.linear(
                "attention.query_key_value",
                Dense { input: hidden, out: 3 * hidden, layer: "attention.qkv", ..dense },
            ),
            dense: m
                .linear("attention.dense", Dense { input: hidden, out: hidden, layer: "attention.output", ..dense }),
            up: m.linear("mlp.dense_h_to_4h", Dense { input: hidden, out: inner, layer: "mlp.up", ..wide }),
            down: m.linear("mlp.dense_4h_to_h", Dense { input: inner, out: hidden, layer: "mlp.down", ..wide }),
            attention: m.attention(Heads {
                queries: config.num_attention_heads,
                keys: config.num_attention_heads,
                size: config.head_size(),
                dropout: config.attention_dropout,
                ..Heads::default()
            }),
            rotation,
        }
    }

    /// The attention over `[batch, time, hidden]`.
    pub fn attend(&self, cx: &Ctx, heads: usize, x: Tensor) -> Tensor {
        let (batch, time, width) = (x.dim(0) as i64, x.dim(1) as i64, x.dim(2));
        let size = width / heads;
        let fused = self.query_key_value.forward(cx, x);
        let fused = fused.reshape([batch, time, heads as i64, 3 * size as i64]).swap_dims(1, 2);
        let part = |i: usize| fused.clone().slice(-1, i * size, (i + 1) * size);
        let rotate = |x: Tensor| self.rotation.apply(cx, x);
        let mixed = self.attention.forward(cx, rotate(part(0)), rotate(part(1)), part(2));
        self.dense.forward(cx, nn::merge_heads(mixed))
    }

    /// The feed-forward layers.
    pub fn feed(&self, cx: &Ctx, act: nn::HiddenAct, x: Tensor) -> Tensor {
        self.down.forward(cx, self.up.forward(cx, x).activate(act.into()))
    }
}
