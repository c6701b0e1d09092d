//! What the adapters with virtual tokens share: PEFT's configuration, and the tensor that its file holds.

use framework_sdk::{adapter, prelude::*, serde_json};

/// The only tensor of such a file.
pub const EMBEDDINGS: &str = "prompt_embeddings";

/// PEFT's configuration of `tokens` virtual tokens of `width` elements.
pub fn config(kind: &str, model: &ModelSpec, tokens: usize, width: usize) -> serde_json::Map<String, Value> {
    let heads = model.attentions.first().map_or(1, |a| if kind == "PREFIX_TUNING" { a.keys } else { a.queries });
    let config = json!({
        "peft_type": kind,
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": null,
        "revision": null,
        "inference_mode": true,
        "num_virtual_tokens": tokens,
        "token_dim": width,
        "num_transformer_submodules": 1,
        "num_attention_heads": heads,
        "num_layers": model.blocks,
        "modules_to_save": null,
    });
    config.as_object().cloned().unwrap_or_default()
}

/// The number of virtual tokens in PEFT's configuration. What only says how the file's tensor came about is passed over.
pub fn tokens(config: &Value) -> Result<usize> {
    const MADE_BY: [&str; 14] = [
        "encoder_dropout",
        "encoder_hidden_size",
        "encoder_num_layers",
        "encoder_reparameterization_type",
        "init_weights",
        "num_attention_heads",
        "num_layers",
        "num_transformer_submodules",
        "prefix_projection",
        "prompt_tuning_init",
        "prompt_tuning_init_text",
        "token_dim",
        "tokenizer_kwargs",
        "tokenizer_name_or_path",
    ];
    let mut rest = config.clone();
    if let Some(rest) = rest.as_object_mut() {
        rest.retain(|key, _| !MADE_BY.contains(&key.as_str()));
    }
    let options = adapter::options(&rest, &[("num_virtual_tokens", "virtual_tokens")])?;
    let missing = || PluginError::new("adapter_config.json does not give `num_virtual_tokens`");
    options.get("virtual_tokens").and_then(Value::as_u64).map(|n| n as usize).ok_or_else(missing)
}

/// An error unless there is a virtual token.
pub fn validate(tokens: usize) -> Result<()> {
    if tokens == 0 { Err(PluginError::option("virtual_tokens", "must be at least 1")) } else { Ok(()) }
}

/// A projection with a bias, as `torch.nn.Linear` starts.
pub struct Dense {
    weight: Weight,
    bias: Weight,
}

impl Dense {
    /// Declares it.
    pub fn new(a: &Attach, name: &str, input: usize, out: usize) -> Self {
        let start = Init::Uniform(1.0 / (input as f64).sqrt());
        let weight = a.param(format!("{name}.weight"), &[out, input], start, None);
        Self { weight, bias: a.param(format!("{name}.bias"), &[out], start, None) }
    }

    /// `[…, input]` to `[…, out]`.
    pub fn forward(&self, cx: &Ctx, x: Tensor) -> Tensor {
        x.linear(self.weight.get(cx)) + self.bias.get(cx)
    }

    /// Elements `from..to` of what it gives.
    pub fn part(&self, cx: &Ctx, x: Tensor, from: usize, to: usize) -> Tensor {
        x.linear(self.weight.get(cx).slice(0, from, to)) + self.bias.get(cx).slice(0, from, to)
    }
}
