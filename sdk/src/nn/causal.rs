//! What Llama and its descendants have in common: embeddings, blocks of attention and feed-forward layer, a final norm.

use super::Layer;
use crate::{
    Ctx, Embedding, Init, Logits, Network, Norm, NormConfig, NormKind, PluginError, Result, Scope, Sizes, Table, Tensor,
};

/// A decoder's outer parts, under the names of `LlamaForCausalLM`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DecoderConfig {
    /// Number of tokens.
    pub vocab: usize,
    /// Width of the hidden states.
    pub hidden: usize,
    /// Number of blocks.
    pub blocks: usize,
    /// The longest sequence, if there is a limit.
    pub max_positions: Option<usize>,
    /// See [`crate::ModelSpec::cache_until`].
    pub cache_until: Option<usize>,
    /// The vocabulary projection is the embedding table.
    pub tied: bool,
    /// How norms are computed.
    pub norm: NormKind,
    /// Added to the mean square in norms.
    pub eps: f64,
    /// What the layers give is normalised, too (`post_attention_layernorm` and `post_feedforward_layernorm`), as in
    /// Gemma 2.
    pub post_norms: bool,
    /// Factor on the embeddings.
    pub embedding_scale: f64,
    /// The logits stay within plus and minus this.
    pub softcap: Option<f64>,
    /// Standard deviation of weights at the start.
    pub std: f64,
    /// `pad_token_id`, whose embedding is not trained.
    pub padding: Option<i64>,
}

impl Default for DecoderConfig {
    fn default() -> Self {
        Self {
            vocab: 0,
            hidden: 0,
            blocks: 0,
            max_positions: None,
            cache_until: None,
            tied: false,
            norm: NormKind::Rms,
            eps: 1e-6,
            post_norms: false,
            embedding_scale: 1.0,
            softcap: None,
            std: 0.02,
            padding: None,
        }
    }
}

impl DecoderConfig {
    /// How weights start from scratch.
    pub fn init(&self) -> Init {
        Init::Normal(self.std)
    }

    /// The row of the padding token; negative ids count from the end, as in PyTorch.
    fn padding_row(&self) -> Result<Option<usize>> {
        let Some(id) = self.padding else { return Ok(None) };
        let row = if id < 0 { self.vocab as i64 + id } else { id };
        match usize::try_from(row).ok().filter(|row| *row < self.vocab) {
            Some(row) => Ok(Some(row)),
            None => {
                let message =
                    format!("`pad_token_id` is {id}, but there are only {} tokens (`vocab_size`)", self.vocab);
                Err(PluginError::new(message))
            }
        }
    }

    /// An error if a size is 0 or the padding token is none of the vocabulary.
    pub fn validate(&self) -> Result<()> {
        if self.vocab == 0 || self.hidden == 0 {
            return Err(PluginError::option("vocab_size", "and `hidden_size` must be at least 1"));
        }
        self.padding_row().map(drop)
    }

    fn norm(&self, m: &Scope, name: &str) -> Norm {
        m.norm(name, NormConfig { size: self.hidden, kind: self.norm, eps: self.eps })
    }
}

/// The layers of a block: attention in the scope `self_attn`, feed-forward layer wherever it is called.
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
}

/// A decoder in the manner of Llama.
pub struct Decoder {
    embedding: Embedding,
    scale: f64,
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
        let DecoderConfig { vocab, hidden, max_positions, cache_until, .. } = config;
        m.sizes(Sizes { hidden, vocab, max_positions, cache_until });
        let table = Table { rows: vocab, width: hidden, padding: config.padding_row()?, init: config.init() };
        let embedding = m.embedding("model.embed_tokens", table);
        let blocks = m.blocks("model.layers", config.blocks, |i, m| {
            let parts = parts(i, m)?;
            let norm = |name| config.norm(m, name);
            Ok(match config.post_norms {
                false => {
                    Block { parts, before: [norm("input_layernorm"), norm("post_attention_layernorm")], after: None }
                }
                true => Block {
                    parts,
                    before: [norm("input_layernorm"), norm("pre_feedforward_layernorm")],
                    after: Some([norm("post_attention_layernorm"), norm("post_feedforward_layernorm")]),
                },
            })
        })?;
        let norm = config.norm(m, "model.norm");
        let logits = Logits { softcap: config.softcap, init: config.init(), ..Logits::default() };
        match config.tied {
            true => m.tied_output(&embedding, "lm_head", logits),
            false => m.output("lm_head", hidden, vocab, logits),
        }
        Ok(Self { embedding, scale: config.embedding_scale, blocks, norm })
    }
}

impl Network for Decoder {
    fn embed(&self, cx: &Ctx, ids: Tensor) -> Tensor {
        let hidden = self.embedding.forward(cx, ids);
        if self.scale == 1.0 { hidden } else { hidden * self.scale }
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
