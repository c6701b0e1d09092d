//! The model `__name__`: blocks of attention without a feed-forward layer.

use framework_sdk::{ModelSpec, prelude::*};

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
    fn validate(&self) -> Result<()> {
        match self.num_attention_heads {
            heads if heads > 0 && self.hidden_size.is_multiple_of(heads) => Ok(()),
            heads => Err(PluginError::new(format!("{heads} heads do not divide hidden_size = {}", self.hidden_size))),
        }
    }

    fn spec(&self) -> Result<ModelSpec> {
        let (width, init) = (self.hidden_size, Init::Normal(0.02));
        let mut spec = ModelSpec {
            blocks: self.num_hidden_layers,
            hidden_size: width,
            vocab_size: self.vocab_size,
            output: "embed.weight".into(), // tied
            ..ModelSpec::default()
        };
        spec.param("embed.weight", &[self.vocab_size, width], init, Role::Embedding);
        for i in 0..self.num_hidden_layers {
            spec.param(format!("layers.{i}.norm.weight"), &[width], Init::Ones, Role::Norm);
            for module in ["q_proj", "k_proj", "v_proj", "o_proj"] {
                spec.linear(&format!("layers.{i}.{module}"), width, width, false, init);
            }
        }
        spec.param("norm.weight", &[width], Init::Ones, Role::Norm);
        Ok(spec)
    }

    fn embed(&self, cx: &Ctx, ids: Tensor) -> Tensor {
        cx.param("embed.weight").embedding(ids)
    }

    fn block(&self, cx: &Ctx, index: usize, hidden: Tensor) -> Tensor {
        let layer = format!("layers.{index}");
        let heads = self.num_attention_heads;
        let rotary = nn::rotary(self.hidden_size / heads, 10_000.0);
        let x = hidden.clone().rms_norm(cx.param(&format!("{layer}.norm.weight")), 1e-6);
        let split = |module: &str| nn::split_heads(cx.linear(&format!("{layer}.{module}"), &x), heads);
        let q = split("q_proj").rotary(cx.positions(), rotary.clone());
        let k = split("k_proj").rotary(cx.positions(), rotary);
        let attended = cx.attention(q, k, split("v_proj"), Attention::default());
        hidden + cx.linear(&format!("{layer}.o_proj"), nn::merge_heads(attended))
    }

    fn head(&self, cx: &Ctx, hidden: Tensor) -> Tensor {
        hidden.rms_norm(cx.param("norm.weight"), 1e-6)
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
