//! What Llama and its descendants have in common: embeddings, two norms in each block, a final norm.

use framework_sdk::prelude::*;

/// A decoder's outer parts, under the names of `LlamaForCausalLM`.
pub struct Decoder {
    /// Number of tokens.
    pub vocab: usize,
    /// Width of the hidden states.
    pub hidden: usize,
    /// Number of blocks.
    pub blocks: usize,
    /// The longest sequence.
    pub max_positions: Option<usize>,
    /// The vocabulary projection is the embedding table.
    pub tied: bool,
    /// Added to the mean square in norms.
    pub eps: f64,
    /// Standard deviation of weights at the start.
    pub std: f64,
    /// `pad_token_id`, whose embedding is not trained.
    pub padding: Option<i64>,
}

const EMBEDDING: &str = "model.embed_tokens.weight";
const OUTPUT: &str = "lm_head.weight";

impl Decoder {
    /// How weights start.
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
            return Err(PluginError::new("`vocab_size` and `hidden_size` must be at least 1"));
        }
        self.padding_row().map(drop)
    }

    /// All parameters; `block` declares those of one block besides its norms, below the name it is given.
    pub fn spec(&self, block: impl Fn(&mut ModelSpec, &str)) -> ModelSpec {
        let output = if self.tied { EMBEDDING } else { OUTPUT };
        let mut spec = ModelSpec {
            blocks: self.blocks,
            hidden_size: self.hidden,
            vocab_size: self.vocab,
            max_positions: self.max_positions,
            output: output.into(),
            ..ModelSpec::default()
        };
        spec.param(EMBEDDING, &[self.vocab, self.hidden], self.init(), Role::Embedding);
        for name in (0..self.blocks).map(layer) {
            block(&mut spec, &name);
            nn::declare_rms_norm(&mut spec, &format!("{name}.input_layernorm"), self.hidden);
            nn::declare_rms_norm(&mut spec, &format!("{name}.post_attention_layernorm"), self.hidden);
        }
        nn::declare_rms_norm(&mut spec, "model.norm", self.hidden);
        if self.tied {
            spec.stored_as(EMBEDDING, OUTPUT);
        } else {
            spec.param(OUTPUT, &[self.vocab, self.hidden], self.init(), Role::Output);
        }
        spec
    }

    /// See [`ModelArch::embed`].
    pub fn embed(&self, cx: &Ctx, ids: Tensor) -> Tensor {
        nn::embed(cx, EMBEDDING, ids, self.padding_row().unwrap_or_else(|e| framework_sdk::raise(e)))
    }

    /// See [`ModelArch::block`]: attention, then the feed-forward layer, each on the norm of what it is added to. Both
    /// are given their block's name.
    pub fn block(
        &self,
        cx: &Ctx,
        index: usize,
        hidden: Tensor,
        attention: impl FnOnce(&str, Tensor) -> Tensor,
        feed_forward: impl FnOnce(&str, Tensor) -> Tensor,
    ) -> Tensor {
        let name = layer(index);
        let norm = |module: &str, x: &Tensor| nn::rms_norm(cx, &format!("{name}.{module}"), x, self.eps);
        let mixed = attention(&name, norm("input_layernorm", &hidden));
        let hidden = hidden + mixed;
        let fed = feed_forward(&name, norm("post_attention_layernorm", &hidden));
        hidden + fed
    }

    /// See [`ModelArch::head`].
    pub fn head(&self, cx: &Ctx, hidden: Tensor) -> Tensor {
        nn::rms_norm(cx, "model.norm", hidden, self.eps)
    }
}

fn layer(index: usize) -> String {
    format!("model.layers.{index}")
}

/// The activation if none is given.
pub fn silu() -> nn::HiddenAct {
    nn::HiddenAct::Silu
}

/// The standard deviation of weights at the start if none is given.
pub fn initializer_range() -> f64 {
    0.02
}

/// The elements of a head: those given, or its part of the hidden states.
pub fn head_size(given: Option<usize>, hidden: usize, heads: usize) -> Result<usize> {
    match given {
        Some(size) => Ok(size),
        None if heads > 0 && hidden.is_multiple_of(heads) => Ok(hidden / heads),
        None => {
            let message = format!("`hidden_size` ({hidden}) must be a multiple of `num_attention_heads` ({heads})");
            Err(PluginError::new(message))
        }
    }
}

/// An error if a setting has a value that cannot be expressed here.
pub fn only<T: PartialEq + std::fmt::Debug>(name: &str, value: &T, supported: T) -> Result<()> {
    if *value == supported {
        return Ok(());
    }
    Err(PluginError::new(format!("`{name}` is {value:?}; only {supported:?} is supported")))
}
