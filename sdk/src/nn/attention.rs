//! Attention over heads.

use super::{declare_rms_norm, rms_norm};
use crate::{Attention, Ctx, Init, ModelSpec, PluginError, Result, Rotary, Tensor};

/// `[batch, time, heads * size]` to `[batch, heads, time, size]`.
pub fn split_heads(x: Tensor, heads: usize) -> Tensor {
    let (batch, time, width) = (x.dim(0), x.dim(1), x.dim(2));
    x.reshape([batch as i64, time as i64, heads as i64, (width / heads) as i64]).swap_dims(1, 2)
}

/// `[batch, heads, time, size]` to `[batch, time, heads * size]`.
pub fn merge_heads(x: Tensor) -> Tensor {
    let (batch, time) = (x.dim(0), x.dim(2));
    x.swap_dims(1, 2).reshape([batch as i64, time as i64, -1])
}

/// An error if a probability of dropout is out of range.
pub fn dropout_share(name: &str, p: f64) -> Result<()> {
    if (0.0..1.0).contains(&p) {
        return Ok(());
    }
    Err(PluginError::new(format!("`{name}` must be at least 0 and less than 1, not {p}")))
}

/// Attention in which groups of heads share keys and values (Ainslie et al., 2023, arXiv:2305.13245), with rotary
/// positions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GroupedAttention {
    /// Heads of the queries.
    pub heads: usize,
    /// Heads of keys and values; a divisor of `heads`.
    pub kv_heads: usize,
    /// Elements of a head.
    pub head_size: usize,
    /// Whether the projections of queries, keys and values have biases.
    pub qkv_bias: bool,
    /// Whether the output projection has a bias.
    pub output_bias: bool,
    /// Queries and keys are normalised per head, with this epsilon (`q_norm`, `k_norm`).
    pub qk_norm: Option<f64>,
    /// Sliding window: a token sees at most this many tokens, itself included.
    pub window: Option<usize>,
    /// Dropout of the attention weights while training; 0 for none.
    pub dropout: f64,
}

impl GroupedAttention {
    /// Elements of all queries of a token.
    pub fn width(&self) -> usize {
        self.heads * self.head_size
    }

    /// Elements of all keys, or of all values, of a token.
    pub fn kv_width(&self) -> usize {
        self.kv_heads * self.head_size
    }

    /// An error if the sizes do not fit each other.
    pub fn validate(&self) -> Result<()> {
        let Self { heads, kv_heads, head_size, .. } = *self;
        dropout_share("attention_dropout", self.dropout)?;
        if heads == 0 || head_size == 0 {
            return Err(PluginError::new(format!("{heads} attention heads of {head_size} elements hold nothing")));
        }
        if kv_heads == 0 || !heads.is_multiple_of(kv_heads) {
            let message = format!(
                "`num_attention_heads` ({heads}) must be a multiple of `num_key_value_heads` ({kv_heads}), which is at least 1"
            );
            return Err(PluginError::new(message));
        }
        if self.window == Some(0) {
            return Err(PluginError::new("`sliding_window` must be at least 1: a token sees itself"));
        }
        Ok(())
    }

    /// Declares `q_proj`, `k_proj`, `v_proj`, `o_proj` and, with them, `q_norm` and `k_norm` of a module.
    pub fn declare(&self, spec: &mut ModelSpec, module: &str, hidden: usize, init: Init) {
        spec.linear(&format!("{module}.q_proj"), self.width(), hidden, self.qkv_bias, init)
            .linear(&format!("{module}.k_proj"), self.kv_width(), hidden, self.qkv_bias, init)
            .linear(&format!("{module}.v_proj"), self.kv_width(), hidden, self.qkv_bias, init)
            .linear(&format!("{module}.o_proj"), hidden, self.width(), self.output_bias, init);
        if self.qk_norm.is_some() {
            declare_rms_norm(spec, &format!("{module}.q_norm"), self.head_size);
            declare_rms_norm(spec, &format!("{module}.k_norm"), self.head_size);
        }
    }

    /// `[batch, time, hidden]` to the same shape, with the parameters that [`Self::declare`] declares.
    pub fn forward(&self, cx: &Ctx, module: &str, x: Tensor, rotary: &Rotary) -> Tensor {
        let project = |name: &str| cx.linear(&format!("{module}.{name}"), &x);
        let mixed = self.mix(cx, module, [project("q_proj"), project("k_proj"), project("v_proj")], rotary);
        cx.linear(&format!("{module}.o_proj"), mixed)
    }

    /// The part between the projections: queries `[batch, time, width]`, keys and values `[batch, time, kv_width]` to
    /// `[batch, time, width]`.
    pub fn mix(&self, cx: &Ctx, module: &str, [q, k, v]: [Tensor; 3], rotary: &Rotary) -> Tensor {
        let positions = cx.positions();
        let placed = |x: Tensor, heads: usize, norm: &str| {
            let x = split_heads(x, heads);
            let x = match self.qk_norm {
                Some(eps) => rms_norm(cx, &format!("{module}.{norm}"), x, eps),
                None => x,
            };
            x.rotary(&positions, rotary.clone())
        };
        let (q, k) = (placed(q, self.heads, "q_norm"), placed(k, self.kv_heads, "k_norm"));
        let how = Attention { scale: None, window: self.window, dropout: self.dropout };
        merge_heads(cx.attention(q, k, split_heads(v, self.kv_heads), how))
    }
}
