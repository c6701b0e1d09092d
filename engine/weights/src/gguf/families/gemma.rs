//! `gemma2` and `gemma3`.

use super::{Config, Family, Found, Order, Unfit, llama, rope::Rope};
use crate::gguf::{Entries, Meta};
use serde_json::{Map, Value, json};

pub struct Gemma;

const NORMS: [(&str, &str); 3] = [
    ("model.layers.{}.post_attention_layernorm", "blk.{}.post_attention_norm"),
    ("model.layers.{}.pre_feedforward_layernorm", "blk.{}.ffn_norm"),
    ("model.layers.{}.post_feedforward_layernorm", "blk.{}.post_ffw_norm"),
];

/// What llama.cpp divides the scores by the root of: it knows the largest model of each generation by its blocks.
fn scalar(third: bool, blocks: usize, hidden: usize, heads: usize, head: usize) -> usize {
    let largest = if third { 62 } else { 46 };
    if blocks == largest { hidden / heads.max(1) } else { head }
}

/// Every which block sees everything, in llama.cpp's terms: 1 is all of them, 0 is none.
fn pattern(config: &Config, third: bool) -> Result<usize, Unfit> {
    let blocks = config.int("num_hidden_layers")?;
    let given = ["sliding_window_pattern", "_sliding_window_pattern"].iter().find_map(|key| config.maybe_int(key));
    let every = if third { given.unwrap_or(6) } else { 2 };
    let types = config.get("layer_types").and_then(Value::as_array);
    let slides = |i: usize| match types {
        Some(types) => types.get(i).is_some_and(|kind| kind == "sliding_attention"),
        None => !(i + 1).is_multiple_of(every.max(1)),
    };
    let fits = |n: &usize| (0..blocks).all(|i| slides(i) == (*n == 0 || i % n < n - 1));
    // Of several that fit, the architecture's own needs no mention.
    let usual = if third { 6 } else { 2 };
    let none = "its blocks with a window follow no pattern that llama.cpp knows";
    [usual].into_iter().chain(0..=blocks).find(fits).ok_or_else(|| none.to_owned())
}

/// The rotations of blocks that see everything, and of those with a window.
fn rotations(config: &Config, third: bool) -> Result<[Rope; 2], Unfit> {
    let each = config.get("rope_parameters").filter(|table| table.get("full_attention").is_some());
    let base = if third { 1_000_000.0 } else { 10_000.0 };
    if let Some(each) = each {
        let of = |kind: &str, base: f64| {
            let table = each[kind].as_object().cloned().unwrap_or_default();
            Rope::of_table(table.into_iter().filter(|(_, value)| !value.is_null()).collect(), base)
        };
        return Ok([of("full_attention", base), of("sliding_attention", 10_000.0)]);
    }
    let full = config.rope(base)?;
    let local = match third {
        true => Rope::of(config, &["rope_parameters"], &["rope_local_base_freq"], 10_000.0)?,
        false => config.rope(base)?,
    };
    Ok([full, local])
}

impl Family for Gemma {
    fn types(&self) -> &'static [&'static str] {
        &["gemma2", "gemma3_text"]
    }

    fn arch(&self, kind: &str) -> &'static str {
        if kind == "gemma2" { "gemma2" } else { "gemma3" }
    }

    fn names(&self, _kind: &str) -> Vec<(&'static str, &'static str)> {
        [llama::DECODER, &llama::QUERY_NORMS, &NORMS].concat()
    }

    fn order(&self, module: &str, _config: &Config) -> Result<Order, Unfit> {
        Ok(if module.ends_with("norm") { Order::PlusOne } else { Order::Same })
    }

    fn describe(&self, config: &Config, out: &mut Entries) -> Result<(), Unfit> {
        let third = config.kind != "gemma2";
        config.activation("hidden_activation", &["gelu_pytorch_tanh", "gelu_new", "gelu_fast", "gelu"])?;
        config.without("attention_bias")?;
        llama::decoder(config, out)?;
        let (blocks, hidden, heads) =
            (config.int("num_hidden_layers")?, config.int("hidden_size")?, config.int("num_attention_heads")?);
        let divided = scalar(third, blocks, hidden, heads, config.head_size()?);
        if config.maybe_float("query_pre_attn_scalar").unwrap_or(256.0) != divided as f64 {
            return Err(format!("llama.cpp takes {divided} for `query_pre_attn_scalar`, whatever a file says"));
        }
        let limit = |key: &str| config.maybe_float(key);
        if !third {
            if config.get("tie_word_embeddings") == Some(&Value::Bool(false)) {
                return Err("its vocabulary projection is not its embeddings, as llama.cpp expects of gemma2".into());
            }
            let both = limit("attn_logit_softcapping").zip(limit("final_logit_softcapping"));
            let (scores, _) = both.ok_or("it has no soft limits, which llama.cpp expects of gemma2")?;
            out.put("attn_logit_softcapping", scores as f32);
        }
        if let Some(logits) = limit("final_logit_softcapping") {
            out.put("final_logit_softcapping", logits as f32);
        }
        let window = config.maybe_int("sliding_window").map_or_else(|| config.int("max_position_embeddings"), Ok)?;
        out.put("attention.sliding_window", window as u32);
        let every = pattern(config, third)?;
        if every != if third { 6 } else { 2 } {
            out.put("attention.sliding_window_pattern", every as u32);
        }
        let [full, local] = rotations(config, third)?;
        if local.kind != "default"
            || (!third && full.kind != "default")
            || !["default", "linear"].contains(&&*full.kind)
        {
            return Err(format!("llama.cpp does not rotate it by the types {} and {}", full.kind, local.kind));
        }
        full.describe(out, false)?;
        if third {
            out.put("rope.freq_base_swa", local.base as f32);
        }
        Ok(())
    }

    fn config(&self, found: &Found) -> Result<Map<String, Value>, Unfit> {
        let third = found.kind != "gemma2";
        let mut config = llama::decoder_config(found)?;
        let mut set = |key: &str, value: Value| drop(config.insert(key.to_owned(), value));
        let (blocks, head) = (found.int("block_count")?, found.head_size()?);
        let divided = scalar(third, blocks, found.int("embedding_length")?, found.int("attention.head_count")?, head);
        set("query_pre_attn_scalar", divided.into());
        set("sliding_window", found.int("attention.sliding_window")?.into());
        let every = found.get("attention.sliding_window_pattern").and_then(Meta::number);
        let every = every.unwrap_or(if third { 6 } else { 2 });
        let kind = |i: usize| if every == 0 || i % every < every - 1 { "sliding_attention" } else { "full_attention" };
        set("layer_types", (0..blocks).map(kind).collect());
        for key in ["attn_logit_softcapping", "final_logit_softcapping"] {
            set(key, found.maybe_float(key).map_or(Value::Null, Value::from));
        }
        let full = super::rope::found(found, 10_000.0)?;
        let local = match third {
            true => json!({ "rope_type": "default", "rope_theta": found.float("rope.freq_base_swa")? }),
            false => full.clone(),
        };
        set("rope_parameters", json!({ "full_attention": full, "sliding_attention": local }));
        Ok(config)
    }
}
