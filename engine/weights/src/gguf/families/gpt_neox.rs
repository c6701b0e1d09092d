//! `gptneox`: GPT-NeoX, of which Pythia is one.

use super::{Config, Family, Found, Order, Unfit, rope};
use crate::gguf::{Entries, Meta};
use serde_json::{Map, Value, json};

pub struct GptNeoX;

const NAMES: &[(&str, &str)] = &[
    ("gpt_neox.embed_in", "token_embd"),
    ("gpt_neox.final_layer_norm", "output_norm"),
    ("embed_out", "output"),
    ("gpt_neox.layers.{}.input_layernorm", "blk.{}.attn_norm"),
    ("gpt_neox.layers.{}.post_attention_layernorm", "blk.{}.ffn_norm"),
    ("gpt_neox.layers.{}.attention.query_key_value", "blk.{}.attn_qkv"),
    ("gpt_neox.layers.{}.attention.dense", "blk.{}.attn_output"),
    ("gpt_neox.layers.{}.mlp.dense_h_to_4h", "blk.{}.ffn_up"),
    ("gpt_neox.layers.{}.mlp.dense_4h_to_h", "blk.{}.ffn_down"),
];

impl Family for GptNeoX {
    fn types(&self) -> &'static [&'static str] {
        &["gpt_neox"]
    }

    fn arch(&self, _kind: &str) -> &'static str {
        "gptneox"
    }

    fn names(&self, _kind: &str) -> Vec<(&'static str, &'static str)> {
        NAMES.to_vec()
    }

    fn wants_output(&self) -> bool {
        true
    }

    fn order(&self, module: &str, config: &Config) -> Result<Order, Unfit> {
        let grouped = module.ends_with("query_key_value");
        Ok(if grouped { Order::Grouped(config.int("num_attention_heads")?) } else { Order::Same })
    }

    fn describe(&self, config: &Config, out: &mut Entries) -> Result<(), Unfit> {
        config.activation("hidden_act", &["gelu", "gelu_new", "gelu_fast"])?;
        let sizes = [
            ("block_count", "num_hidden_layers"),
            ("context_length", "max_position_embeddings"),
            ("embedding_length", "hidden_size"),
            ("feed_forward_length", "intermediate_size"),
            ("attention.head_count", "num_attention_heads"),
        ];
        for (key, option) in sizes {
            out.put(key, config.int(option)? as u32);
        }
        let rope = config.rope(10_000.0)?;
        rope.describe(out, false)?;
        let given = ["rotary_pct", "partial_rotary_factor"].iter().find_map(|key| config.maybe_float(key));
        let share = rope.number("partial_rotary_factor").or(given).unwrap_or(0.25);
        out.put("rope.dimension_count", (share * config.head_size()? as f64) as u32);
        let parallel = config.get("use_parallel_residual") != Some(&Value::Bool(false));
        out.put("use_parallel_residual", parallel);
        out.put("attention.layer_norm_epsilon", config.maybe_float("layer_norm_eps").unwrap_or(1e-5) as f32);
        Ok(())
    }

    /// llama.cpp wants biases of the attention; where a model has none, they are zeros.
    fn more(&self, config: &Config) -> Result<Vec<(String, Vec<f32>)>, Unfit> {
        if config.get("attention_bias") != Some(&Value::Bool(false)) {
            return Ok(Vec::new());
        }
        let (blocks, width) = (config.int("num_hidden_layers")?, config.int("hidden_size")?);
        let zeros = |module: &str, block: usize, n: usize| (format!("blk.{block}.{module}.bias"), vec![0.0; n]);
        Ok((0..blocks).flat_map(|i| [zeros("attn_qkv", i, 3 * width), zeros("attn_output", i, width)]).collect())
    }

    fn config(&self, found: &Found) -> Result<Map<String, Value>, Unfit> {
        let (head, rotated) = (found.head_size()?, found.int("rope.dimension_count")?);
        let mut rope = rope::found(found, 10_000.0)?;
        rope["partial_rotary_factor"] =
            json!(if rotated == head { 1.0 } else { (rotated as f64 + 0.25) / head as f64 });
        let parallel = found.get("use_parallel_residual").and_then(Meta::flag);
        let config = json!({
            "model_type": found.kind,
            "vocab_size": found.vocab()?,
            "hidden_size": found.int("embedding_length")?,
            "num_hidden_layers": found.int("block_count")?,
            "num_attention_heads": found.int("attention.head_count")?,
            "intermediate_size": found.int("feed_forward_length")?,
            "max_position_embeddings": found.int("context_length")?,
            // What llama.cpp computes, whatever was trained.
            "hidden_act": "gelu_new",
            "layer_norm_eps": found.float("attention.layer_norm_epsilon")?,
            "use_parallel_residual": parallel.ok_or("it does not say `gptneox.use_parallel_residual`")?,
            "tie_word_embeddings": false,
            "rope_parameters": rope,
        });
        Ok(config.as_object().cloned().unwrap_or_default())
    }
}
