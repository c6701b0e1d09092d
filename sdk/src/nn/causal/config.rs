//! What a decoder is, and what its parts are called.

use crate::{Init, Norm, NormConfig, NormKind, PluginError, Result, Scope, nn::dropout_share};

/// What the parts of a decoder are called in files.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Names {
    /// The embeddings.
    pub embedding: &'static str,
    /// The table of learned positions, if there is one; it has a row for each of `max_positions`.
    pub positions: Option<&'static str>,
    /// The blocks, before their numbers.
    pub blocks: &'static str,
    /// In a block, the norms before attention and feed-forward layer.
    pub before: [&'static str; 2],
    /// In a block, the norms of what the two layers give, if there are any.
    pub after: Option<[&'static str; 2]>,
    /// The norm after the last block.
    pub norm: &'static str,
}

impl Names {
    /// Those of `LlamaForCausalLM`.
    pub const LLAMA: Self = Self {
        embedding: "model.embed_tokens",
        positions: None,
        blocks: "model.layers",
        before: ["input_layernorm", "post_attention_layernorm"],
        after: None,
        norm: "model.norm",
    };

    /// Those of `Gemma2ForCausalLM`, which also normalises what the layers give.
    pub const GEMMA: Self = Self {
        before: ["input_layernorm", "pre_feedforward_layernorm"],
        after: Some(["post_attention_layernorm", "post_feedforward_layernorm"]),
        ..Self::LLAMA
    };

    /// Those of `GPT2LMHeadModel`.
    pub const GPT2: Self = Self {
        embedding: "transformer.wte",
        positions: Some("transformer.wpe"),
        blocks: "transformer.h",
        before: ["ln_1", "ln_2"],
        after: None,
        norm: "transformer.ln_f",
    };
}

/// A decoder's outer parts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DecoderConfig {
    /// What the parts are called: [`Names::LLAMA`] unless said otherwise.
    pub names: Names,
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
    /// Factor on the embeddings.
    pub embedding_scale: f64,
    /// Dropout of embeddings and positions, while training; 0 for none.
    pub embedding_dropout: f64,
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
            names: Names::LLAMA,
            vocab: 0,
            hidden: 0,
            blocks: 0,
            max_positions: None,
            cache_until: None,
            tied: false,
            norm: NormKind::Rms,
            eps: 1e-6,
            embedding_scale: 1.0,
            embedding_dropout: 0.0,
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
    pub(super) fn padding_row(&self) -> Result<Option<usize>> {
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

    /// An error if a size is 0, the padding token is none of the vocabulary, or a dropout is out of range.
    pub fn validate(&self) -> Result<()> {
        dropout_share("embd_pdrop", self.embedding_dropout)?;
        if self.vocab == 0 || self.hidden == 0 {
            return Err(PluginError::option("vocab_size", "and `hidden_size` must be at least 1"));
        }
        self.padding_row().map(drop)
    }

    pub(super) fn norm(&self, m: &Scope, name: &str) -> Norm {
        m.norm(name, NormConfig { size: self.hidden, kind: self.norm, eps: self.eps })
    }
}
