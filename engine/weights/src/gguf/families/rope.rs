//! Rotary positions: from `config.json` to what GGUF says of them, and back.

use super::{Config, Found, Unfit};
use crate::gguf::{Entries, Meta};
use serde_json::{Map, Value, json};

/// The tensor of divisors that Llama 3's rotation comes to.
pub const DIVISORS: &str = "rope_freqs.weight";
/// Those of LongRoPE, for contexts up to the original length and beyond.
pub const SHORT: &str = "rope_factors_short.weight";
pub const LONG: &str = "rope_factors_long.weight";

/// What a configuration says of the rotation.
pub struct Rope {
    /// The base of the angles.
    pub base: f64,
    /// `default`, `linear`, `llama3`, `yarn`, `longrope`, …
    pub kind: String,
    table: Map<String, Value>,
}

impl Rope {
    /// What tables under `tables` say, the first of which goes before the others, and keys beside them.
    pub fn of(config: &Config, tables: &[&str], bases: &[&str], default: f64) -> Result<Self, Unfit> {
        let mut table = Map::new();
        for given in tables.iter().rev().filter_map(|key| config.get(key)) {
            let given = given.as_object().ok_or("its rotation is no table")?;
            table.extend(given.iter().filter(|(_, value)| !value.is_null()).map(|(k, v)| (k.clone(), v.clone())));
        }
        let beside = bases.iter().find_map(|key| config.maybe_float(key));
        Ok(Self::of_table(table, beside.unwrap_or(default)))
    }

    /// What one table says; `base` counts if it has none.
    pub fn of_table(table: Map<String, Value>, base: f64) -> Self {
        let kind = table.get("rope_type").or_else(|| table.get("type")).and_then(Value::as_str).unwrap_or("default");
        let kind = if kind == "su" { "longrope" } else { kind }.to_owned();
        Self { base: table.get("rope_theta").and_then(Value::as_f64).unwrap_or(base), kind, table }
    }

    /// A number of the table.
    pub fn number(&self, key: &str) -> Option<f64> {
        self.table.get(key)?.as_f64()
    }

    /// Numbers of the table.
    pub fn numbers(&self, key: &str) -> Option<Vec<f32>> {
        self.table.get(key)?.as_array()?.iter().map(|x| x.as_f64().map(|x| x as f32)).collect()
    }

    /// Says what rotations of the kinds `default`, `linear`, `yarn` and, where `divided`, `llama3` are.
    pub fn describe(&self, out: &mut Entries, divided: bool) -> Result<(), Unfit> {
        out.put("rope.freq_base", self.base as f32);
        let factor = || self.number("factor").ok_or(format!("its rotation of the type {} has no `factor`", self.kind));
        match self.kind.as_str() {
            "default" => {}
            "linear" => {
                out.put("rope.scaling.type", "linear");
                out.put("rope.scaling.factor", factor()? as f32);
            }
            "yarn" => {
                let odd =
                    ["attention_factor", "mscale", "mscale_all_dim"].iter().find(|key| self.number(key).is_some());
                if let Some(key) = odd {
                    return Err(format!("its rotation has `{key}`, which llama.cpp computes from `factor`"));
                }
                if self.table.get("truncate") == Some(&Value::Bool(false)) {
                    return Err("its rotation has `truncate` false, which llama.cpp does not know".into());
                }
                let original = self.number("original_max_position_embeddings");
                let original = original.ok_or("its rotation has no `original_max_position_embeddings`")?;
                out.put("rope.scaling.type", "yarn");
                out.put("rope.scaling.factor", factor()? as f32);
                out.put("rope.scaling.original_context_length", original as u32);
                for key in ["beta_fast", "beta_slow"] {
                    if let Some(turns) = self.number(key) {
                        out.put(format!("rope.scaling.yarn_{key}"), turns as f32);
                    }
                }
            }
            "llama3" if divided => {}
            other => return Err(format!("llama.cpp does not rotate it by the type {other}")),
        }
        Ok(())
    }

    /// The divisors of Llama 3's rotation, if it is one: see `Scaling::Llama3`.
    pub fn divisors(&self, size: usize) -> Result<Option<Vec<f32>>, Unfit> {
        if self.kind != "llama3" {
            return Ok(None);
        }
        let given = |key: &str| self.number(key).ok_or(format!("its rotation of the type llama3 has no `{key}`"));
        let (factor, low, high) = (given("factor")?, given("low_freq_factor")?, given("high_freq_factor")?);
        let original = given("original_max_position_embeddings")?;
        let divisor = |pair: usize| {
            let wave = std::f64::consts::TAU * self.base.powf(2.0 * pair as f64 / size as f64);
            if wave < original / high {
                1.0
            } else if wave > original / low {
                factor
            } else {
                let smooth = (original / wave - low) / (high - low);
                1.0 / ((1.0 - smooth) / factor + smooth)
            }
        };
        Ok(Some((0..size / 2).map(|pair| divisor(pair) as f32).collect()))
    }
}

/// The rotation that a file describes, as `rope_parameters`.
pub fn found(found: &Found, default: f64) -> Result<Value, Unfit> {
    let mut table = Map::new();
    table.insert("rope_theta".into(), found.maybe_float("rope.freq_base").unwrap_or(default).into());
    let mut set = |key: &str, value: Value| drop(table.insert(key.to_owned(), value));
    let original = || found.int("rope.scaling.original_context_length");
    if let Some(divisors) = found.numbers(DIVISORS) {
        // LongRoPE is the type whose table takes divisors as they are.
        set("rope_type", "longrope".into());
        set("short_factor", json!(divisors));
        set("long_factor", json!(divisors));
        set("attention_factor", 1.0.into());
        return Ok(table.into());
    }
    if let (Some(short), Some(long)) = (found.numbers(SHORT), found.numbers(LONG)) {
        set("rope_type", "longrope".into());
        set("short_factor", json!(short));
        set("long_factor", json!(long));
        set("attention_factor", found.maybe_float("rope.scaling.attn_factor").unwrap_or(1.0).into());
        set("original_max_position_embeddings", original()?.into());
        return Ok(table.into());
    }
    match found.get("rope.scaling.type").and_then(Meta::text) {
        None | Some("none") => set("rope_type", "default".into()),
        Some(kind @ ("linear" | "yarn")) => {
            set("rope_type", kind.into());
            set("factor", found.float("rope.scaling.factor")?.into());
            if kind == "yarn" {
                set("original_max_position_embeddings", original()?.into());
                for key in ["beta_fast", "beta_slow"] {
                    if let Some(turns) = found.maybe_float(&format!("rope.scaling.yarn_{key}")) {
                        set(key, turns.into());
                    }
                }
            }
        }
        Some(other) => return Err(format!("its rotation is of the type {other}, which is not read here")),
    }
    Ok(table.into())
}
