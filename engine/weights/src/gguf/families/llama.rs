//! `llama`: Llama, Mistral and Mixtral.

use super::{Config, Family, Found, Order, Unfit, rope};
use crate::gguf::Entries;
use serde_json::{Map, Value, json};

pub struct Llama;

/// What all decoders of this layout call their tensors.
pub(super) const DECODER: &[(&str, &str)] = &[
    ("model.embed_tokens", "token_embd"),
    ("model.norm", "output_norm"),
    ("lm_head", "output"),
    ("model.layers.{}.input_layernorm", "blk.{}.attn_norm"),
    ("model.layers.{}.self_attn.q_proj", "blk.{}.attn_q"),
    ("model.layers.{}.self_attn.k_proj", "blk.{}.attn_k"),
    ("model.layers.{}.self_attn.v_proj", "blk.{}.attn_v"),
    ("model.layers.{}.self_attn.o_proj", "blk.{}.attn_output"),
    ("model.layers.{}.mlp.gate_proj", "blk.{}.ffn_gate"),
    ("model.layers.{}.mlp.up_proj", "blk.{}.ffn_up"),
    ("model.layers.{}.mlp.down_proj", "blk.{}.ffn_down"),
];
/// The second norm of blocks that have two.
pub(super) const SECOND_NORM: (&str, &str) = ("model.layers.{}.post_attention_layernorm", "blk.{}.ffn_norm");
/// Norms of queries and keys.
pub(super) const QUERY_NORMS: [(&str, &str); 2] = [
    ("model.layers.{}.self_attn.q_norm", "blk.{}.attn_q_norm"),
    ("model.layers.{}.self_attn.k_norm", "blk.{}.attn_k_norm"),
];
const EXPERTS: [(&str, &str); 4] = [
    ("model.layers.{}.block_sparse_moe.gate", "blk.{}.ffn_gate_inp"),
    ("model.layers.{}.block_sparse_moe.experts.{}.w1", "blk.{}.ffn_gate_exps"),
    ("model.layers.{}.block_sparse_moe.experts.{}.w2", "blk.{}.ffn_down_exps"),
    ("model.layers.{}.block_sparse_moe.experts.{}.w3", "blk.{}.ffn_up_exps"),
];

/// The base of Mixtral's rotation is another, if none is given.
fn base(kind: &str) -> f64 {
    if kind == "mixtral" { 1_000_000.0 } else { 10_000.0 }
}

impl Family for Llama {
    fn types(&self) -> &'static [&'static str] {
        &["llama", "mistral", "mixtral"]
    }

    fn arch(&self, _kind: &str) -> &'static str {
        "llama"
    }

    fn names(&self, _kind: &str) -> Vec<(&'static str, &'static str)> {
        [DECODER, &[SECOND_NORM], &EXPERTS].concat()
    }

    fn order(&self, module: &str, config: &Config) -> Result<Order, Unfit> {
        let (heads, keys) = config.heads()?;
        Ok(match module.rsplit('.').next() {
            Some("q_proj") => Order::Neighbours(heads),
            Some("k_proj") => Order::Neighbours(keys),
            _ => Order::Same,
        })
    }

    fn describe(&self, config: &Config, out: &mut Entries) -> Result<(), Unfit> {
        config.activation("hidden_act", &["silu"])?;
        decoder(config, out)?;
        config.rope(base(config.kind))?.describe(out, true)?;
        out.put("vocab_size", config.int("vocab_size")? as u32);
        out.put("rope.dimension_count", config.head_size()? as u32);
        if config.kind == "mixtral" {
            out.put("expert_count", config.int("num_local_experts")? as u32);
            out.put("expert_used_count", config.int("num_experts_per_tok")? as u32);
        }
        Ok(())
    }

    fn more(&self, config: &Config) -> Result<Vec<(String, Vec<f32>)>, Unfit> {
        let divisors = config.rope(base(config.kind))?.divisors(config.head_size()?)?;
        Ok(divisors.map(|divisors| (rope::DIVISORS.to_owned(), divisors)).into_iter().collect())
    }

    fn differs(&self, config: &Config) -> Option<(usize, String)> {
        windowed(config.maybe_int("sliding_window"), config)
    }

    fn config(&self, found: &Found) -> Result<Map<String, Value>, Unfit> {
        let mut config = decoder_config(found)?;
        config.insert("rope_parameters".into(), rope::found(found, 10_000.0)?);
        if found.kind == "mixtral" {
            config.insert("num_local_experts".into(), found.int("expert_count")?.into());
            config.insert("num_experts_per_tok".into(), found.int("expert_used_count")?.into());
        } else {
            config.insert("attention_bias".into(), found.has("blk.0.attn_q.bias").into());
            config.insert("mlp_bias".into(), found.has("blk.0.ffn_gate.bias").into());
        }
        Ok(config)
    }
}

/// That llama.cpp sees all tokens where a model sees the last ones.
pub(super) fn windowed(window: Option<usize>, config: &Config) -> Option<(usize, String)> {
    let window =
        window.filter(|window| config.maybe_int("max_position_embeddings").is_none_or(|most| *window < most))?;
    let note = format!(
        "llama.cpp has no sliding window for this architecture: beyond {window} tokens it computes something else than \
         was trained"
    );
    Some((window, note))
}

/// The sizes of a decoder.
pub(super) fn decoder(config: &Config, out: &mut Entries) -> Result<(), Unfit> {
    let (heads, keys) = config.heads()?;
    let sizes = [
        ("block_count", "num_hidden_layers"),
        ("context_length", "max_position_embeddings"),
        ("embedding_length", "hidden_size"),
        ("feed_forward_length", "intermediate_size"),
    ];
    for (key, option) in sizes {
        out.put(key, config.int(option)? as u32);
    }
    out.put("attention.head_count", heads as u32);
    out.put("attention.head_count_kv", keys as u32);
    let eps = config.maybe_float("rms_norm_eps").ok_or("its configuration has no number `rms_norm_eps`")?;
    out.put("attention.layer_norm_rms_epsilon", eps as f32);
    if config.kind != "phi3" {
        out.put("attention.key_length", config.head_size()? as u32);
        out.put("attention.value_length", config.head_size()? as u32);
    }
    Ok(())
}

/// The sizes of a decoder, from a file.
pub(super) fn decoder_config(found: &Found) -> Result<Map<String, Value>, Unfit> {
    let mut config = Map::new();
    let mut set = |key: &str, value: Value| drop(config.insert(key.to_owned(), value));
    set("model_type", found.kind.into());
    set("vocab_size", found.vocab()?.into());
    set("num_hidden_layers", found.int("block_count")?.into());
    set("max_position_embeddings", found.int("context_length")?.into());
    set("hidden_size", found.int("embedding_length")?.into());
    set("intermediate_size", found.int("feed_forward_length")?.into());
    set("num_attention_heads", found.int("attention.head_count")?.into());
    set("num_key_value_heads", found.int("attention.head_count_kv")?.into());
    set("rms_norm_eps", json!(found.float("attention.layer_norm_rms_epsilon")?));
    set("tie_word_embeddings", (!found.has("output.weight")).into());
    if found.kind != "phi3" {
        set("head_dim", found.head_size()?.into());
    }
    Ok(config)
}
