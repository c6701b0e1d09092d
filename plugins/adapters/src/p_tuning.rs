//! `p-tuning`: embeddings before each sequence, learned through a network.

use crate::prompt::{self, Dense};
use framework_sdk::prelude::*;

options! {
    /// P-tuning: a small trained network produces the embeddings of virtual tokens before each sequence (Liu et al.,
    /// 2021, arXiv:2103.10385), in PEFT's format.
    ///
    /// The network has three layers with ReLU between them. The saved adapter contains its output, not the network;
    /// training that continues from a saved adapter trains these embeddings directly.
    #[serde(default)]
    pub struct PTuning {
        /// Number of virtual tokens.
        virtual_tokens: usize,
        /// Size of the network's inner layers. Default: the model's hidden size. 0 means no network.
        #[serde(skip_serializing_if = "Option::is_none")]
        encoder_hidden_size: Option<usize>,
    }
}

impl Default for PTuning {
    fn default() -> Self {
        Self { virtual_tokens: 20, encoder_hidden_size: None }
    }
}

/// P-tuning, attached to a model.
pub struct Encoder {
    embeddings: Weight,
    layers: Option<[Dense; 3]>,
}

impl Adapter for PTuning {
    type Net = Encoder;

    fn validate(&self) -> Result<()> {
        prompt::validate(self.virtual_tokens)
    }

    fn from_peft(config: &Value) -> Result<Self> {
        Ok(Self { virtual_tokens: prompt::tokens(config)?, encoder_hidden_size: Some(0) })
    }

    fn build(&self, model: &ModelSpec, a: &Attach) -> Result<Encoder> {
        let (n, width) = (self.virtual_tokens, model.hidden_size);
        let inner = self.encoder_hidden_size.unwrap_or(width);
        a.prompt(n);
        let mut config = prompt::config("P_TUNING", model, n, width);
        config.insert("encoder_reparameterization_type".into(), "MLP".into());
        config.insert("encoder_hidden_size".into(), if inner == 0 { width } else { inner }.into());
        a.peft_config(config.into());
        if inner == 0 {
            let embeddings = a.param(prompt::EMBEDDINGS, &[n, width], Init::Normal(1.0), None);
            return Ok(Encoder { embeddings, layers: None });
        }
        let embeddings = a.param("prompt_encoder.embedding.weight", &[n, width], Init::Normal(1.0), None);
        let layer = |i: usize, input, out| Dense::new(a, &format!("prompt_encoder.mlp_head.{i}"), input, out);
        let layers = [layer(0, width, inner), layer(2, inner, inner), layer(4, inner, width)];
        a.saved(prompt::EMBEDDINGS, &[n, width]);
        Ok(Encoder { embeddings, layers: Some(layers) })
    }
}

impl Adapted for Encoder {
    fn prompt(&self, cx: &Ctx) -> Tensor {
        let x = self.embeddings.get(cx);
        let Some([first, second, third]) = &self.layers else { return x };
        let x = first.forward(cx, x).activate(Activation::Relu);
        third.forward(cx, second.forward(cx, x).activate(Activation::Relu))
    }

    fn saved(&self, cx: &Ctx) -> Vec<Tensor> {
        vec![self.prompt(cx)]
    }
}

register!(adapter "p-tuning" aliases ["P_TUNING"] => PTuning, example = r#"
virtual_tokens = 8
encoder_hidden_size = 128
"#);

#[cfg(test)]
mod tests {
    use framework_sdk::test::adapter;

    #[test]
    fn the_file_is_what_the_network_gives() {
        let plan = adapter("p-tuning", "virtual_tokens = 3\nencoder_hidden_size = 5").unwrap();
        assert_eq!((plan.prompt, plan.params.len()), (3, 7));
        assert_eq!(plan.saved, [("prompt_embeddings".to_owned(), vec![3, 8])]);
        assert!(adapter("p-tuning", "encoder_hidden_size = 0").unwrap().saved.is_empty());
    }
}
