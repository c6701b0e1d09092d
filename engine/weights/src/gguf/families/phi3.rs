//! `phi3`: Phi-3 and Phi-4-mini, whose projections are fused.

use super::{Config, Family, Found, Unfit, llama, rope};
use crate::gguf::Entries;
use serde_json::{Map, Value, json};

pub struct Phi3;

/// Elements of each head that are rotated, as llama.cpp's converter computes them.
fn rotated(config: &Config) -> Result<usize, Unfit> {
    let share = config.rope(10_000.0)?.number("partial_rotary_factor");
    let share = share.or(config.maybe_float("partial_rotary_factor")).unwrap_or(1.0);
    Ok((share * config.int("hidden_size")? as f64) as usize / config.int("num_attention_heads")?.max(1))
}

/// The length that the model was trained at before LongRoPE.
fn original(config: &Config) -> Result<usize, Unfit> {
    let inner = config.rope(10_000.0)?.number("original_max_position_embeddings").map(|n| n as usize);
    config
        .maybe_int("original_max_position_embeddings")
        .or(inner)
        .map_or_else(|| config.int("max_position_embeddings"), Ok)
}

impl Family for Phi3 {
    fn types(&self) -> &'static [&'static str] {
        &["phi3"]
    }

    fn arch(&self, _kind: &str) -> &'static str {
        "phi3"
    }

    fn names(&self, _kind: &str) -> Vec<(&'static str, &'static str)> {
        let fused = [
            ("model.layers.{}.self_attn.qkv_proj", "blk.{}.attn_qkv"),
            ("model.layers.{}.mlp.gate_up_proj", "blk.{}.ffn_up"),
        ];
        [llama::DECODER, &[llama::SECOND_NORM], &fused].concat()
    }

    fn describe(&self, config: &Config, out: &mut Entries) -> Result<(), Unfit> {
        config.activation("hidden_act", &["silu"])?;
        llama::decoder(config, out)?;
        let rope = config.rope(10_000.0)?;
        out.put("rope.freq_base", rope.base as f32);
        out.put("rope.dimension_count", rotated(config)? as u32);
        let (most, original) = (config.int("max_position_embeddings")? as f64, original(config)? as f64);
        out.put("rope.scaling.original_context_length", original as u32);
        match rope.kind.as_str() {
            "default" => {}
            "longrope" => {
                let ratio = rope.number("factor").unwrap_or(most / original);
                let computed = if ratio > 1.0 { (1.0 + ratio.ln() / original.ln()).sqrt() } else { 1.0 };
                out.put("rope.scaling.attn_factor", rope.number("attention_factor").unwrap_or(computed) as f32);
            }
            other => return Err(format!("llama.cpp does not rotate it by the type {other}")),
        }
        // llama.cpp tells Phi-4 by the zero.
        out.put("attention.sliding_window", config.maybe_int("sliding_window").unwrap_or(0) as u32);
        Ok(())
    }

    fn more(&self, config: &Config) -> Result<Vec<(String, Vec<f32>)>, Unfit> {
        let rope = config.rope(10_000.0)?;
        let factors = [(rope::LONG, "long_factor"), (rope::SHORT, "short_factor")];
        Ok(factors.into_iter().filter_map(|(name, key)| Some((name.to_owned(), rope.numbers(key)?))).collect())
    }

    fn differs(&self, config: &Config) -> Option<(usize, String)> {
        if let Some(note) = llama::windowed(config.maybe_int("sliding_window"), config) {
            return Some(note);
        }
        let original = original(config).ok().filter(|_| config.rope(0.0).is_ok_and(|rope| rope.kind == "longrope"))?;
        let note = format!(
            "llama.cpp chooses LongRoPE's factors by the size of its context, not by the sequence: with --ctx-size up to \
             {original} it computes what was trained on sequences of that length"
        );
        Some((original, note))
    }

    fn config(&self, found: &Found) -> Result<Map<String, Value>, Unfit> {
        let mut config = llama::decoder_config(found)?;
        let mut set = |key: &str, value: Value| drop(config.insert(key.to_owned(), value));
        let (head, rotated) = (found.head_size()?, found.int("rope.dimension_count")?);
        let mut rope = rope::found(found, 10_000.0)?;
        // A little more than the share, so that it is rounded down to the same number of elements.
        let share = if rotated == head { 1.0 } else { (rotated as f64 + 0.25) / head as f64 };
        rope["partial_rotary_factor"] = json!(share);
        set("rope_parameters", rope);
        set("original_max_position_embeddings", found.int("rope.scaling.original_context_length")?.into());
        let window = found.int("attention.sliding_window")?;
        set("sliding_window", if window == 0 { Value::Null } else { window.into() });
        Ok(config)
    }
}
