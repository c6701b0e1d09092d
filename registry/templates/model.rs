//! The model `__name__`: blocks of attention without a feed-forward layer.

use framework_sdk::{nn::Layer, prelude::*};

options! {
    /// A small transformer that has attention and nothing else.
    pub struct __Type__ {
        /// Rows of the embedding table.
        vocab_size: usize,
        /// Width of the hidden states.
        hidden_size: usize,
        /// Number of blocks.
        num_hidden_layers: usize,
        /// Number of attention heads; it divides the width.
        num_attention_heads: usize,
    }
}

impl ModelArch for __Type__ {
    type Net = Net;

    fn validate(&self) -> Result<()> {
        match self.num_attention_heads {
            heads if heads > 0 && self.hidden_size.is_multiple_of(heads) => Ok(()),
            heads => Err(PluginError::new(format!("{heads} heads do not divide hidden_size = {}", self.hidden_size))),
        }
    }

    fn build(&self, m: &Scope) -> Result<Net> {
        let (width, vocab, heads) = (self.hidden_size, self.vocab_size, self.num_attention_heads);
        m.sizes(Sizes { hidden: width, vocab, ..Sizes::default() });
        let rotation = nn::Rope::plain(width / heads, 10_000.0).rotation();
        let norm = |m: &Scope| m.norm("norm", NormConfig { size: width, kind: NormKind::Rms, eps: 1e-6 });
        let embedding = m.embedding("embed", Table { rows: vocab, width, padding: None, init: Init::Normal(0.02) });
        let blocks = m.blocks("layers", self.num_hidden_layers, |_, m| {
            let config = nn::GroupedAttentionConfig {
                hidden: width,
                heads,
                kv_heads: heads,
                head_size: width / heads,
                ..nn::GroupedAttentionConfig::default()
            };
            Ok((norm(m), nn::GroupedAttention::new(m, config, rotation.clone())))
        })?;
        let last = norm(m);
        m.tied_output(&embedding, "lm_head", Logits::default());
        Ok(Net { embedding, blocks, last })
    }
}

/// The network that the options describe.
pub struct Net {
    embedding: Embedding,
    blocks: Vec<(Norm, nn::GroupedAttention)>,
    last: Norm,
}

impl Network for Net {
    fn embed(&self, cx: &Ctx, ids: Tensor) -> Tensor {
        self.embedding.forward(cx, ids)
    }

    fn block(&self, cx: &Ctx, index: usize, hidden: Tensor) -> Tensor {
        let (norm, attention) = &self.blocks[index];
        let attended = attention.forward(cx, norm.forward(cx, &hidden));
        hidden + attended
    }

    fn head(&self, cx: &Ctx, hidden: Tensor) -> Tensor {
        self.last.forward(cx, hidden)
    }
}

register!(model "__name__" => __Type__, example = EXAMPLE);

const EXAMPLE: &str = "\
vocab_size = 256
hidden_size = 32
num_hidden_layers = 2
num_attention_heads = 4
";

#[cfg(test)]
mod tests {
    use framework_sdk::{prelude::*, test};

    #[test]
    fn parameters_are_declared_and_used() {
        let config = json!({"vocab_size": 10, "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2});
        let spec = test::model("__name__", &config);
        assert_eq!(spec.params.iter().map(Param::len).sum::<usize>(), 10 * 8 + 8 + 4 * 8 * 8 + 8);
    }

    #[test]
    fn conforms() {
        test::all_plugins();
    }
}
