//! A `config.json` as families read it.

use super::{Unfit, rope::Rope};
use serde_json::{Map, Value};

/// The options of a model.
pub struct Config<'a> {
    /// Its `model_type`.
    pub kind: &'a str,
    table: &'a Map<String, Value>,
}

impl<'a> Config<'a> {
    pub fn new(kind: &'a str, table: &'a Map<String, Value>) -> Self {
        Self { kind, table }
    }

    /// An option that is neither left out nor null.
    pub fn get(&self, key: &str) -> Option<&'a Value> {
        self.table.get(key).filter(|value| !value.is_null())
    }

    /// A whole number.
    pub fn int(&self, key: &str) -> Result<usize, Unfit> {
        self.maybe_int(key).ok_or_else(|| format!("its configuration has no number `{key}`"))
    }

    /// A whole number, if it is given.
    pub fn maybe_int(&self, key: &str) -> Option<usize> {
        self.get(key)?.as_u64().map(|n| n as usize)
    }

    /// A number, if it is given.
    pub fn maybe_float(&self, key: &str) -> Option<f64> {
        self.get(key)?.as_f64()
    }

    /// Whether an option is given as true.
    pub fn is(&self, key: &str) -> bool {
        self.get(key) == Some(&Value::Bool(true))
    }

    /// The number of attention heads and of heads of keys.
    pub fn heads(&self) -> Result<(usize, usize), Unfit> {
        let heads = self.int("num_attention_heads")?;
        Ok((heads, self.maybe_int("num_key_value_heads").unwrap_or(heads)))
    }

    /// Elements of a head.
    pub fn head_size(&self) -> Result<usize, Unfit> {
        match self.maybe_int("head_dim") {
            Some(size) => Ok(size),
            None if self.kind == "qwen3" => Ok(128),
            None => Ok(self.int("hidden_size")? / self.int("num_attention_heads")?.max(1)),
        }
    }

    /// The rotation; `default` is the base if none is given.
    pub fn rope(&self, default: f64) -> Result<Rope, Unfit> {
        Rope::of(self, &["rope_parameters", "rope_scaling"], &["rope_theta", "rotary_emb_base"], default)
    }

    /// Refuses activations but one.
    pub fn activation(&self, key: &str, known: &[&str]) -> Result<(), Unfit> {
        let act = self.get(key).and_then(Value::as_str).unwrap_or(known[0]);
        if known.contains(&act) {
            return Ok(());
        }
        Err(format!("`{key}` is {act}; llama.cpp has {} for this architecture", known[0]))
    }

    /// Refuses an option that is true.
    pub fn without(&self, key: &str) -> Result<(), Unfit> {
        if self.is(key) { Err(format!("`{key}` is true, for which llama.cpp has no tensors here")) } else { Ok(()) }
    }
}
