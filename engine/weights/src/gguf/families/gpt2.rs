//! `gpt2`: GPT-2.

use super::{Config, Family, Found, Order, Unfit};
use crate::gguf::Entries;
use serde_json::{Map, Value, json};

pub struct Gpt2;

const NAMES: &[(&str, &str)] = &[
    ("transformer.wte", "token_embd"),
    ("transformer.wpe", "position_embd"),
    ("transformer.ln_f", "output_norm"),
    ("lm_head", "output"),
    ("transformer.h.{}.ln_1", "blk.{}.attn_norm"),
    ("transformer.h.{}.ln_2", "blk.{}.ffn_norm"),
    ("transformer.h.{}.attn.c_attn", "blk.{}.attn_qkv"),
    ("transformer.h.{}.attn.c_proj", "blk.{}.attn_output"),
    ("transformer.h.{}.mlp.c_fc", "blk.{}.ffn_up"),
    ("transformer.h.{}.mlp.c_proj", "blk.{}.ffn_down"),
];

impl Family for Gpt2 {
    fn types(&self) -> &'static [&'static str] {
        &["gpt2"]
    }

    fn arch(&self, _kind: &str) -> &'static str {
        "gpt2"
    }

    fn names(&self, _kind: &str) -> Vec<(&'static str, &'static str)> {
        NAMES.to_vec()
    }

    /// Folders hold the weights of projections as `[in, out]`.
    fn order(&self, module: &str, _config: &Config) -> Result<Order, Unfit> {
        let turned = [".c_attn", ".c_proj", ".c_fc"].iter().any(|end| module.ends_with(end));
        Ok(if turned { Order::Turned } else { Order::Same })
    }

    fn describe(&self, config: &Config, out: &mut Entries) -> Result<(), Unfit> {
        config.activation("activation_function", &["gelu_new", "gelu", "gelu_fast"])?;
        config.without("scale_attn_by_inverse_layer_idx")?;
        if config.get("scale_attn_weights") == Some(&Value::Bool(false)) {
            return Err("`scale_attn_weights` is false, but llama.cpp scales them".into());
        }
        let width = config.int("n_embd")?;
        out.put("block_count", config.int("n_layer")? as u32);
        out.put("context_length", config.int("n_positions")? as u32);
        out.put("embedding_length", width as u32);
        out.put("feed_forward_length", config.maybe_int("n_inner").unwrap_or(4 * width) as u32);
        out.put("attention.head_count", config.int("n_head")? as u32);
        out.put("attention.layer_norm_epsilon", config.maybe_float("layer_norm_epsilon").unwrap_or(1e-5) as f32);
        Ok(())
    }

    fn config(&self, found: &Found) -> Result<Map<String, Value>, Unfit> {
        let config = json!({
            "model_type": found.kind,
            "vocab_size": found.vocab()?,
            "n_embd": found.int("embedding_length")?,
            "n_layer": found.int("block_count")?,
            "n_head": found.int("attention.head_count")?,
            "n_inner": found.int("feed_forward_length")?,
            "n_positions": found.int("context_length")?,
            // What llama.cpp computes, whatever was trained.
            "activation_function": "gelu_new",
            "layer_norm_epsilon": found.float("attention.layer_norm_epsilon")?,
            "tie_word_embeddings": !found.has("output.weight"),
        });
        Ok(config.as_object().cloned().unwrap_or_default())
    }
}
