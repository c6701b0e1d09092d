//! `gpt2`: the GPT-2 architecture.

mod block;

use crate::defaults::{initializer_range, yes};
use block::Block;
use framework_sdk::{nn::causal::only, prelude::*};

options! {
    /// GPT-2 (Radford et al., 2019): learned positions, weights stored as `[in, out]`.
    ///
    /// Numbers and parameter names are those of `GPT2LMHeadModel` in Hugging Face transformers; files may lack the
    /// prefix `transformer.`, as those on the hub do. The options are its `config.json`.
    pub struct Gpt2 {
        /// Size of the vocabulary.
        vocab_size: usize,
        /// Size of the hidden states.
        n_embd: usize,
        /// Number of blocks.
        n_layer: usize,
        /// Number of attention heads.
        n_head: usize,
        /// Size of the feed-forward layers. Default: `4 * n_embd`.
        #[serde(default)]
        n_inner: Option<usize>,
        /// Maximum number of positions in a sequence.
        #[serde(default = "positions")]
        n_positions: usize,
        /// The name of `n_positions` in old files.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        n_ctx: Option<usize>,
        /// Activation of the feed-forward layers: `gelu`, `gelu_new`, `relu` or `silu`.
        #[serde(default = "gelu_new")]
        activation_function: nn::HiddenAct,
        /// Epsilon of the layer norms, added to the variance.
        #[serde(default = "epsilon")]
        layer_norm_epsilon: f64,
        /// Standard deviation of the initial weights when training from scratch.
        #[serde(default = "initializer_range")]
        initializer_range: f64,
        /// Dropout probability after attention and feed-forward layers during training.
        #[serde(default = "dropout")]
        resid_pdrop: f64,
        /// Dropout probability after the embeddings during training.
        #[serde(default = "dropout")]
        embd_pdrop: f64,
        /// Dropout probability of attention weights during training.
        #[serde(default = "dropout")]
        attn_pdrop: f64,
        /// Whether attention scores are divided by the square root of the head size.
        #[serde(default = "yes")]
        scale_attn_weights: bool,
        /// Whether attention scores are also divided by the number of the block, counted from 1.
        #[serde(default)]
        scale_attn_by_inverse_layer_idx: bool,
        /// Whether the vocabulary projection is the embedding table.
        #[serde(default = "yes")]
        tie_word_embeddings: bool,
        /// Whether there is cross-attention to another sequence; must be false.
        #[serde(default)]
        add_cross_attention: bool,
        /// Changes the order of two operations but not the results; ignored.
        #[serde(default)]
        reorder_and_upcast_attn: bool,
        /// Only for classifiers; ignored.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        summary_type: Option<String>,
        /// Only for classifiers; ignored.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        summary_use_proj: Option<bool>,
        /// Only for classifiers; ignored.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        summary_activation: Option<String>,
        /// Only for classifiers; ignored.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        summary_proj_to_labels: Option<bool>,
        /// Only for classifiers; ignored.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        summary_first_dropout: Option<f64>,
    }
}

fn positions() -> usize {
    1024
}
fn gelu_new() -> nn::HiddenAct {
    nn::HiddenAct::GeluNew
}
fn epsilon() -> f64 {
    1e-5
}
fn dropout() -> f64 {
    0.1
}

/// What GPT-2 computes.
pub struct Net {
    config: Gpt2,
    tokens: Embedding,
    positions: Weight,
    blocks: Vec<Block>,
    norm: Norm,
}

impl Gpt2 {
    fn norm(&self) -> NormConfig {
        NormConfig { size: self.n_embd, kind: NormKind::Layer, eps: self.layer_norm_epsilon }
    }
}

impl ModelArch for Gpt2 {
    type Net = Net;

    fn validate(&self) -> Result<()> {
        let (width, heads) = (self.n_embd, self.n_head);
        if heads == 0 || width == 0 || !width.is_multiple_of(heads) {
            return Err(PluginError::option("n_embd", format!("({width}) must be a multiple of `n_head` ({heads})")));
        }
        only("add_cross_attention", &self.add_cross_attention, false)?;
        let dropouts =
            [("resid_pdrop", self.resid_pdrop), ("embd_pdrop", self.embd_pdrop), ("attn_pdrop", self.attn_pdrop)];
        dropouts.iter().try_for_each(|(name, p)| nn::dropout_share(name, *p))
    }

    fn build(&self, m: &Scope) -> Result<Net> {
        let (width, heads, vocab) = (self.n_embd, self.n_head, self.vocab_size);
        let init = Init::Normal(self.initializer_range);
        m.sizes(Sizes { hidden: width, vocab, max_positions: Some(self.n_positions), ..Sizes::default() });
        let t = m.at("transformer");
        let tokens = t.embedding("wte", Table { rows: vocab, width, padding: None, init });
        let positions = t.param("wpe.weight", &[self.n_positions, width], init, Role::Other);
        let blocks = t.blocks("h", self.n_layer, |i, m| {
            let scale = if self.scale_attn_weights { 1.0 / ((width / heads) as f64).sqrt() } else { 1.0 };
            let deep = if self.scale_attn_by_inverse_layer_idx { (i + 1) as f64 } else { 1.0 };
            Ok(Block::new(m, self, scale / deep))
        })?;
        let norm = t.norm("ln_f", self.norm());
        let logits = Logits { init, ..Logits::default() };
        match self.tie_word_embeddings {
            true => m.tied_output(&tokens, "lm_head", logits),
            false => m.output("lm_head", width, vocab, logits),
        }
        Ok(Net { config: self.clone(), tokens, positions, blocks, norm })
    }
}

impl Network for Net {
    fn embed(&self, cx: &Ctx, ids: Tensor) -> Tensor {
        self.tokens.forward(cx, ids)
    }

    fn start(&self, cx: &Ctx, embedded: Tensor) -> Tensor {
        let positions = self.positions.get(cx).embedding(cx.positions());
        cx.dropout(embedded + positions, self.config.embd_pdrop)
    }

    fn block(&self, cx: &Ctx, index: usize, hidden: Tensor) -> Tensor {
        self.blocks[index].forward(cx, &self.config, hidden)
    }

    fn head(&self, cx: &Ctx, hidden: Tensor) -> Tensor {
        self.norm.forward(cx, hidden)
    }
}

register!(model "gpt2" aliases ["GPT2LMHeadModel"] => Gpt2, example = r#"
vocab_size = 50257
n_embd = 256
n_layer = 6
n_head = 8
n_positions = 512
"#);

#[cfg(test)]
mod tests;
