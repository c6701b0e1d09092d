//! `prefix-tuning`: learned keys and values before each sequence.

use crate::prompt::{self, Dense};
use framework_sdk::prelude::*;

options! {
    /// Prefix tuning: learned keys and values of virtual tokens before each sequence, in every attention (Li and Liang,
    /// 2021, arXiv:2101.00190), in PEFT's format.
    ///
    /// With `projection`, a small network with one inner layer and tanh produces them. The saved adapter contains its
    /// output, not the network; training that continues from a saved adapter trains the keys and values directly.
    #[serde(default)]
    pub struct PrefixTuning {
        /// Number of virtual tokens.
        virtual_tokens: usize,
        /// Whether a network produces the keys and values, instead of training them directly.
        projection: bool,
        /// Size of the network's inner layer. Default: the size of a token's keys in one attention.
        #[serde(skip_serializing_if = "Option::is_none")]
        encoder_hidden_size: Option<usize>,
    }
}

impl Default for PrefixTuning {
    fn default() -> Self {
        Self { virtual_tokens: 20, projection: false, encoder_hidden_size: None }
    }
}

/// Prefix tuning, attached to a model.
pub struct Prefix {
    tokens: usize,
    heads: usize,
    size: usize,
    /// `[n, 2 · attentions · heads · size]`: keys of the first attention, its values, keys of the second, …
    embeddings: Weight,
    layers: Option<[Dense; 2]>,
}

impl Adapter for PrefixTuning {
    type Net = Prefix;

    fn validate(&self) -> Result<()> {
        if self.encoder_hidden_size == Some(0) {
            return Err(PluginError::option("encoder_hidden_size", "must be at least 1"));
        }
        prompt::validate(self.virtual_tokens)
    }

    fn from_peft(config: &Value) -> Result<Self> {
        Ok(Self { virtual_tokens: prompt::tokens(config)?, ..Self::default() })
    }

    fn build(&self, model: &ModelSpec, a: &Attach) -> Result<Prefix> {
        let tokens = self.virtual_tokens;
        let Some(first) = model.attentions.first() else {
            return Err(PluginError::new("the model has no attention that a prefix could stand before")
                .help("`prompt-tuning`, `p-tuning` and `lora` do without"));
        };
        let (heads, size) = (first.keys, first.size);
        if model.attentions.iter().any(|other| (other.keys, other.size) != (heads, size)) {
            return Err(PluginError::new(
                "the model's attentions differ in their heads, which PEFT's file cannot hold",
            ));
        }
        let width = heads * size;
        let all = 2 * model.attentions.len() * width;
        a.prefix(tokens);
        let mut config = prompt::config("PREFIX_TUNING", model, tokens, width);
        config.insert("prefix_projection".into(), self.projection.into());
        let inner = self.encoder_hidden_size.unwrap_or(width);
        config.insert("encoder_hidden_size".into(), inner.into());
        a.peft_config(config.into());
        let normal = Init::Normal(1.0);
        let net = |embeddings, layers| Prefix { tokens, heads, size, embeddings, layers };
        if !self.projection {
            return Ok(net(a.param(prompt::EMBEDDINGS, &[tokens, all], normal, None), None));
        }
        let embeddings = a.param("prompt_encoder.embedding.weight", &[tokens, width], normal, None);
        let layer = |i: usize, input, out| Dense::new(a, &format!("prompt_encoder.transform.{i}"), input, out);
        a.saved(prompt::EMBEDDINGS, &[tokens, all]);
        Ok(net(embeddings, Some([layer(0, width, inner), layer(2, inner, all)])))
    }
}

impl Prefix {
    /// Columns `from..to` of the table.
    fn part(&self, cx: &Ctx, from: usize, to: usize) -> Tensor {
        match &self.layers {
            None => self.embeddings.get(cx).slice(1, from, to),
            Some([first, second]) => second.part(cx, first.forward(cx, self.embeddings.get(cx)).tanh(), from, to),
        }
    }
}

impl Adapted for Prefix {
    fn prefix(&self, cx: &Ctx, attention: usize) -> (Tensor, Tensor) {
        let width = self.heads * self.size;
        let split = |x: Tensor| x.reshape([self.tokens as i64, self.heads as i64, self.size as i64]).swap_dims(0, 1);
        let part = |i: usize| split(self.part(cx, i * width, (i + 1) * width));
        (part(2 * attention), part(2 * attention + 1))
    }

    fn saved(&self, cx: &Ctx) -> Vec<Tensor> {
        let Some([first, second]) = &self.layers else { return vec![self.embeddings.get(cx)] };
        vec![second.forward(cx, first.forward(cx, self.embeddings.get(cx)).tanh())]
    }
}

register!(adapter "prefix-tuning" aliases ["PREFIX_TUNING"] => PrefixTuning, example = r#"
virtual_tokens = 8
projection = true
"#);

#[cfg(test)]
mod tests {
    use framework_sdk::test::adapter;

    #[test]
    fn the_file_holds_keys_and_values_of_each_attention() {
        let plan = adapter("prefix-tuning", "virtual_tokens = 3").unwrap();
        assert_eq!(
            (plan.prefix, plan.params[0].name.as_str(), &plan.params[0].shape[..]),
            (3, "prompt_embeddings", &[3, 32][..])
        );
        let plan = adapter("prefix-tuning", "virtual_tokens = 3\nprojection = true").unwrap();
        assert_eq!((plan.params.len(), &plan.saved[..]), (5, &[("prompt_embeddings".to_owned(), vec![3, 32])][..]));
    }
}
