//! Attention over heads.

use super::{Layer, Rotation};
use crate::{
    Attention, Ctx, Dense, Heads, Init, Linear, Norm, NormConfig, NormKind, PluginError, Result, Scope, Stored, Tensor,
};

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
    Err(PluginError::option(name, format!("must be at least 0 and less than 1, not {p}")))
}

/// Attention in which groups of heads share keys and values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GroupedAttentionConfig {
    /// Width of the hidden states.
    pub hidden: usize,
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
    /// Names of the projections of queries, keys and values, and of the output projection. Where the first three are the
    /// same, they are one projection, which gives queries, keys and values one after the other.
    pub names: [&'static str; 4],
    /// How files hold the weights of the projections.
    pub stored: Stored,
    /// Queries and keys are normalised per head, with this epsilon (`q_norm`, `k_norm`).
    pub qk_norm: Option<(NormKind, f64)>,
    /// Factor on the scores; `1 / sqrt(head_size)` if not given.
    pub scale: Option<f64>,
    /// The scores stay within plus and minus this.
    pub softcap: Option<f64>,
    /// Sliding window: a token sees at most this many tokens, itself included.
    pub window: Option<usize>,
    /// Dropout of the attention weights while training; 0 for none.
    pub dropout: f64,
    /// Dropout of what the layer gives, while training; 0 for none.
    pub residual_dropout: f64,
    /// How weights start from scratch.
    pub init: Init,
}

impl Default for GroupedAttentionConfig {
    fn default() -> Self {
        Self {
            hidden: 0,
            heads: 0,
            kv_heads: 0,
            head_size: 0,
            qkv_bias: false,
            output_bias: false,
            names: ["q_proj", "k_proj", "v_proj", "o_proj"],
            stored: Stored::OutIn,
            qk_norm: None,
            scale: None,
            softcap: None,
            window: None,
            dropout: 0.0,
            residual_dropout: 0.0,
            init: Init::Normal(0.02),
        }
    }
}

impl GroupedAttentionConfig {
    /// Heads that share nothing and together are as wide as the hidden states.
    pub fn new(hidden: usize, heads: usize, init: Init) -> Self {
        let head_size = hidden.checked_div(heads).unwrap_or_default();
        Self { hidden, heads, kv_heads: heads, head_size, init, ..Self::default() }
    }

    /// Elements of all queries of a token.
    fn width(&self) -> usize {
        self.heads * self.head_size
    }

    /// Elements of all keys, or of all values, of a token.
    fn kv_width(&self) -> usize {
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
            return Err(PluginError::new(message).key("num_attention_heads"));
        }
        if self.window == Some(0) {
            return Err(PluginError::option("sliding_window", "must be at least 1: a token sees itself"));
        }
        Ok(())
    }

    fn heads(&self) -> Heads {
        let Self { heads: queries, kv_heads: keys, head_size: size, scale, softcap, window, dropout, .. } = *self;
        Heads { queries, keys, size, scale, softcap, window, dropout, ..Heads::default() }
    }
}

/// Attention in which groups of heads share keys and values (Ainslie et al., 2023, arXiv:2305.13245), with rotary
/// positions or without.
#[derive(Debug)]
pub struct GroupedAttention {
    config: GroupedAttentionConfig,
    projections: Projections,
    norms: Option<[Norm; 2]>,
    rotation: Option<Rotation>,
    attention: Attention,
    output: Linear,
}

/// What gives queries, keys and values.
#[derive(Debug)]
enum Projections {
    Each([Linear; 3]),
    Fused(Linear),
}

impl GroupedAttention {
    /// Declares the projections and, with norms of queries and keys, `q_norm` and `k_norm`.
    pub fn new(m: &Scope, config: GroupedAttentionConfig, rotation: impl Into<Option<Rotation>>) -> Self {
        let GroupedAttentionConfig { hidden, names: [query, key, value, output], stored, init, .. } = config;
        let (width, kv) = (config.width(), config.kv_width());
        let project = |name, input, out, bias, layer| m.linear(name, Dense { input, out, bias, init, stored, layer });
        let read = |name, out, layer| project(name, hidden, out, config.qkv_bias, layer);
        let projections = match query == key && key == value {
            true => Projections::Fused(read(query, width + 2 * kv, "attention.qkv")),
            false => Projections::Each([
                read(query, width, "attention.query"),
                read(key, kv, "attention.key"),
                read(value, kv, "attention.value"),
            ]),
        };
        let output = project(output, width, hidden, config.output_bias, "attention.output");
        let norm = |name, (kind, eps)| m.norm(name, NormConfig { size: config.head_size, kind, eps });
        let norms = config.qk_norm.map(|how| [norm("q_norm", how), norm("k_norm", how)]);
        let (rotation, attention) = (rotation.into(), m.attention(config.heads()));
        Self { config, projections, norms, rotation, attention, output }
    }

    fn projected(&self, cx: &Ctx, x: Tensor) -> [Tensor; 3] {
        match &self.projections {
            Projections::Each(each) => each.map(|projection| projection.forward(cx, &x)),
            Projections::Fused(all) => {
                let (all, q, kv) = (all.forward(cx, x), self.config.width(), self.config.kv_width());
                [(0, q), (q, q + kv), (q + kv, q + 2 * kv)].map(|(from, to)| all.clone().slice(-1, from, to))
            }
        }
    }
}

impl Layer for GroupedAttention {
    fn forward(&self, cx: &Ctx, x: Tensor) -> Tensor {
        let [q, k, v] = self.projected(cx, x);
        let GroupedAttentionConfig { heads, kv_heads, residual_dropout, .. } = self.config;
        let placed = |x: Tensor, heads: usize, norm: usize| {
            let x = split_heads(x, heads);
            let x = match &self.norms {
                Some(norms) => norms[norm].forward(cx, x),
                None => x,
            };
            match &self.rotation {
                Some(rotation) => rotation.apply(cx, x),
                None => x,
            }
        };
        let (q, k) = (placed(q, heads, 0), placed(k, kv_heads, 1));
        let mixed = merge_heads(self.attention.forward(cx, q, k, split_heads(v, kv_heads)));
        cx.dropout(self.output.forward(cx, mixed), residual_dropout)
    }
}
