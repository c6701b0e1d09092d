//! A block of GPT-2.

use super::Gpt2;
use framework_sdk::prelude::*;

pub struct Block {
    norms: [Norm; 2],
    qkv: Linear,
    attention: Attention,
    project: Linear,
    up: Linear,
    down: Linear,
}

impl Block {
    /// Declares a block in its scope; `scale` is the factor on the scores.
    pub fn new(m: &Scope, config: &Gpt2, scale: f64) -> Self {
        let (width, heads) = (config.n_embd, config.n_head);
        let (inner, init) = (config.n_inner.unwrap_or(4 * width), Init::Normal(config.initializer_range));
        let linear = |name, input, out, layer| {
            m.linear(name, Dense { input, out, bias: true, init, stored: Stored::InOut, layer })
        };
        // Masks, which files of old versions hold.
        m.extra("attn.bias");
        m.extra("attn.masked_bias");
        Self {
            norms: ["ln_1", "ln_2"].map(|name| m.norm(name, config.norm())),
            qkv: linear("attn.c_attn", width, 3 * width, "attention.qkv"),
            attention: m.attention(Heads {
                queries: heads,
                keys: heads,
                size: width / heads,
                scale: Some(scale),
                dropout: config.attn_pdrop,
                ..Heads::default()
            }),
            project: linear("attn.c_proj", width, width, "attention.output"),
            up: linear("mlp.c_fc", width, inner, "mlp.up"),
            down: linear("mlp.c_proj", inner, width, "mlp.down"),
        }
    }

    pub fn forward(&self, cx: &Ctx, config: &Gpt2, hidden: Tensor) -> Tensor {
        let width = config.n_embd;
        let qkv = self.qkv.forward(cx, self.norms[0].forward(cx, &hidden));
        let part = |i: usize| nn::split_heads(qkv.clone().slice(-1, i * width, (i + 1) * width), config.n_head);
        let mixed = nn::merge_heads(self.attention.forward(cx, part(0), part(1), part(2)));
        let hidden = cx.dropout(self.project.forward(cx, mixed), config.resid_pdrop) + hidden;
        let up = self.up.forward(cx, self.norms[1].forward(cx, &hidden)).activate(config.activation_function.into());
        hidden + cx.dropout(self.down.forward(cx, up), config.resid_pdrop)
    }
}
