//! A model.

use framework_sdk::{ModelSpec, prelude::*};

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
    fn validate(&self) -> Result<()> {
        if self.num_attention_heads == 0 || !self.hidden_size.is_multiple_of(self.num_attention_heads) {
            let (width, heads) = (self.hidden_size, self.num_attention_heads);
            return Err(PluginError::new(format!("hidden_size = {width} is no multiple of {heads} heads")));
        }
        Ok(())
    }

    fn spec(&self) -> Result<ModelSpec> {
        let (width, init) = (self.hidden_size, Init::Normal(0.02));
        let mut spec = ModelSpec {
            blocks: self.num_hidden_layers,
            hidden_size: width,
            vocab_size: self.vocab_size,
            output: "embed.weight".into(),
            ..ModelSpec::default()
        };
        spec.param("embed.weight", &[self.vocab_size, width], init, Role::Embedding);
        for i in 0..self.num_hidden_layers {
            for module in ["q_proj", "k_proj", "v_proj", "o_proj"] {
                spec.linear(&format!("blocks.{i}.{module}"), width, width, module == "o_proj", init);
            }
        }
        spec.param("norm.weight", &[width], Init::Ones, Role::Norm);
        Ok(spec)
    }

    fn embed(&self, cx: &Ctx, ids: Tensor) -> Tensor {
        cx.param("embed.weight").embedding(ids)
    }

    fn block(&self, cx: &Ctx, index: usize, hidden: Tensor) -> Tensor {
        let heads = |module: &str| {
            nn::split_heads(cx.linear(&format!("blocks.{index}.{module}"), &hidden), self.num_attention_heads)
        };
        let (q, k, v) = (heads("q_proj"), heads("k_proj"), heads("v_proj"));
        let attended = nn::merge_heads(cx.attention(q, k, v, Attention::default()));
        hidden + cx.linear(&format!("blocks.{index}.o_proj"), attended)
    }

    fn head(&self, cx: &Ctx, hidden: Tensor) -> Tensor {
        hidden.rms_norm(cx.param("norm.weight"), 1e-6)
    }
}

register!(model "plain" aliases ["plain_lm"] => Plain, example = "vocab_size = 32\nhidden_size = 8\nnum_attention_heads = 2\nnum_hidden_layers = 2");
