//! A model.

use framework_sdk::prelude::*;

options! {
    /// A transformer without rotary embeddings or norms in its blocks: attention and a small feed-forward layer.
    pub struct Plain {
        /// Rows of the embedding table.
        vocab_size: usize,
        /// Width of the hidden states.
        hidden_size: usize,
        /// Number of attention heads, a divisor of the width.
        num_attention_heads: usize,
        /// Number of blocks.
        num_hidden_layers: usize,
    }
}

impl ModelArch for Plain {
    type Net = PlainNet;

    fn validate(&self) -> Result<()> {
        if self.num_attention_heads == 0 || !self.hidden_size.is_multiple_of(self.num_attention_heads) {
            let (width, heads) = (self.hidden_size, self.num_attention_heads);
            return Err(PluginError::new(format!("hidden_size = {width} is no multiple of {heads} heads")));
        }
        Ok(())
    }

    fn build(&self, m: &Scope) -> Result<PlainNet> {
        let (width, vocab, heads) = (self.hidden_size, self.vocab_size, self.num_attention_heads);
        m.sizes(Sizes { hidden: width, vocab, ..Sizes::default() });
        let embedding = m.embedding("embed", Table { rows: vocab, width, padding: None, init: Init::Normal(0.02) });
        let blocks = m.blocks("blocks", self.num_hidden_layers, |_, m| {
            let linear = |name, bias| m.linear(name, Dense { input: width, out: width, bias, ..Dense::default() });
            Ok(Block {
                heads,
                qkv: ["q_proj", "k_proj", "v_proj"].map(|name| linear(name, false)),
                output: linear("o_proj", true),
                attention: m.attention(Heads { queries: heads, keys: heads, size: width / heads, ..Heads::default() }),
            })
        })?;
        let norm = m.norm("norm", NormConfig { size: width, kind: NormKind::Rms, eps: 1e-6 });
        m.tied_output(&embedding, "lm_head", Logits::default());
        Ok(PlainNet { embedding, blocks, norm })
    }
}

/// What [`Plain`] computes.
pub struct PlainNet {
    embedding: Embedding,
    blocks: Vec<Block>,
    norm: Norm,
}

struct Block {
    heads: usize,
    qkv: [Linear; 3],
    output: Linear,
    attention: Attention,
}

impl Network for PlainNet {
    fn embed(&self, cx: &Ctx, ids: Tensor) -> Tensor {
        self.embedding.forward(cx, ids)
    }

    fn block(&self, cx: &Ctx, index: usize, hidden: Tensor) -> Tensor {
        let Block { heads, qkv, output, attention } = &self.blocks[index];
        let [q, k, v] = qkv.map(|linear| nn::split_heads(linear.forward(cx, &hidden), *heads));
        hidden + output.forward(cx, nn::merge_heads(attention.forward(cx, q, k, v)))
    }

    fn head(&self, cx: &Ctx, hidden: Tensor) -> Tensor {
        self.norm.forward(cx, hidden)
    }
}

register!(model "plain" aliases ["plain_lm"] => Plain, example = "vocab_size = 32\nhidden_size = 8\nnum_attention_heads = 2\nnum_hidden_layers = 2");
