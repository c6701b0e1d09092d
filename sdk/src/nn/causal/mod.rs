//! What Llama and its descendants have in common: embeddings, blocks of attention and feed-forward layer, a final norm.

mod common;
mod config;
pub mod defaults;
mod described;
mod layer_type;

pub use common::Common;
pub use config::{DecoderConfig, Names};
pub use described::described;
pub use layer_type::LayerType;

use super::{GatedMlp, GatedMlpConfig, GroupedAttention, GroupedAttentionConfig, Layer, Rotation};
use crate::{Ctx, Embedding, Logits, Network, Norm, PluginError, Result, Role, Scope, Sizes, Table, Tensor, Weight};

/// The layers of a block.
pub struct Parts {
    /// Mixes tokens.
    pub attention: Box<dyn Layer>,
    /// Looks at each token by itself.
    pub feed_forward: Box<dyn Layer>,
}

impl Parts {
    /// The layers of a block.
    pub fn new(attention: impl Layer, feed_forward: impl Layer) -> Self {
        Self { attention: Box::new(attention), feed_forward: Box::new(feed_forward) }
    }

    /// Llama's: attention in the scope `self_attn` and a gated feed-forward layer in `mlp`.
    pub fn gated(m: &Scope, attention: GroupedAttentionConfig, rotation: Rotation, mlp: GatedMlpConfig) -> Self {
        Self::new(GroupedAttention::new(&m.at("self_attn"), attention, rotation), GatedMlp::new(&m.at("mlp"), mlp))
    }
}

/// A decoder in the manner of Llama.
pub struct Decoder {
    config: DecoderConfig,
    embedding: Embedding,
    positions: Option<Weight>,
    blocks: Vec<Block>,
    norm: Norm,
}

struct Block {
    parts: Parts,
    before: [Norm; 2],
    after: Option<[Norm; 2]>,
}

impl Decoder {
    /// Declares the decoder; `parts` declares the layers of a block.
    pub fn new(m: &Scope, config: DecoderConfig, parts: impl Fn(usize, &Scope) -> Result<Parts>) -> Result<Self> {
        let DecoderConfig { names, vocab, hidden, max_positions, cache_until, .. } = config;
        m.sizes(Sizes { hidden, vocab, max_positions, cache_until });
        let table = Table { rows: vocab, width: hidden, padding: config.padding_row()?, init: config.init() };
        let embedding = m.embedding(names.embedding, table);
        let table = |name| -> Result<Weight> {
            let rows = max_positions.ok_or_else(|| PluginError::new("learned positions need `max_positions`"))?;
            Ok(m.param(&format!("{name}.weight"), &[rows, hidden], config.init(), Role::Other))
        };
        let positions = names.positions.map(table).transpose()?;
        let blocks = m.blocks(names.blocks, config.blocks, |i, m| {
            let (parts, norm) = (parts(i, m)?, |name| config.norm(m, name));
            Ok(Block { parts, before: names.before.map(norm), after: names.after.map(|after| after.map(norm)) })
        })?;
        let norm = config.norm(m, names.norm);
        let logits = Logits { softcap: config.softcap, init: config.init(), ..Logits::default() };
        match config.tied {
            true => m.tied_output(&embedding, "lm_head", logits),
            false => m.output("lm_head", hidden, vocab, logits),
        }
        Ok(Self { config, embedding, positions, blocks, norm })
    }
}

impl Network for Decoder {
    fn embed(&self, cx: &Ctx, ids: Tensor) -> Tensor {
        let hidden = self.embedding.forward(cx, ids);
        if self.config.embedding_scale == 1.0 { hidden } else { hidden * self.config.embedding_scale }
    }

    fn start(&self, cx: &Ctx, embedded: Tensor) -> Tensor {
        let placed = match &self.positions {
            Some(positions) => embedded + positions.get(cx).embedding(cx.positions()),
            None => embedded,
        };
        cx.dropout(placed, self.config.embedding_dropout)
    }

    fn block(&self, cx: &Ctx, index: usize, hidden: Tensor) -> Tensor {
        let Block { parts, before, after } = &self.blocks[index];
        let part = |i: usize, layer: &dyn Layer, hidden: Tensor| {
            let given = layer.forward(cx, before[i].forward(cx, &hidden));
            hidden
                + match after {
                    Some(after) => after[i].forward(cx, given),
                    None => given,
                }
        };
        let hidden = part(0, &*parts.attention, hidden);
        part(1, &*parts.feed_forward, hidden)
    }

    fn head(&self, cx: &Ctx, hidden: Tensor) -> Tensor {
        self.norm.forward(cx, hidden)
    }
}

/// The elements of a head: those given, or its part of the hidden states.
pub fn head_size(given: Option<usize>, hidden: usize, heads: usize) -> Result<usize> {
    match given {
        Some(size) => Ok(size),
        None if heads > 0 && hidden.is_multiple_of(heads) => Ok(hidden / heads),
        None => {
            let message = format!("`hidden_size` ({hidden}) must be a multiple of `num_attention_heads` ({heads})");
            Err(PluginError::new(message).key("hidden_size"))
        }
    }
}

/// An error if a setting has a value that cannot be expressed.
pub fn only<T: PartialEq + std::fmt::Debug>(name: &str, value: &T, supported: T) -> Result<()> {
    if *value == supported {
        return Ok(());
    }
    Err(PluginError::option(name, format!("is {value:?}; only {supported:?} is supported")))
}
