//! Reading PEFT's `adapter_config.json`.

use crate::{PluginError, Result};
use serde_json::{Map, Value};

/// Settings that say nothing about what a trained adapter computes.
const HARMLESS: &[&str] = &[
    "auto_mapping",
    "base_model_name_or_path",
    "corda_config",
    "ensure_weight_tying",
    "eva_config",
    "inference_mode",
    "loftq_config",
    "megatron_core",
    "peft_type",
    "peft_version",
    "qalora_group_size",
    "revision",
    "runtime_config",
];

fn is_off(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(on) => !on,
        Value::String(text) => text.is_empty() || text == "none",
        Value::Array(list) => list.is_empty(),
        Value::Object(table) => table.is_empty(),
        Value::Number(_) => false,
    }
}

/// Whether a `layers_pattern` names the list of blocks: `model.layers`, `transformer.h`, …
fn says_layers(value: &Value) -> bool {
    let last = |name: &str| name.rsplit('.').next().is_some_and(|last| ["layers", "h", "blocks"].contains(&last));
    let is = |value: &Value| value.as_str().is_some_and(last);
    match value {
        Value::Array(list) => list.iter().all(is),
        one => is(one),
    }
}

/// Renames the `known` settings to options. Any other that is switched on is refused, rather than passed over.
pub fn options(config: &Value, known: &[(&str, &str)]) -> Result<Map<String, Value>> {
    let config = config.as_object().ok_or_else(|| PluginError::new("adapter_config.json is not a JSON object"))?;
    let mut options = Map::new();
    for (key, value) in config {
        let fine = match (key.as_str(), value.as_str()) {
            ("task_type", task) => value.is_null() || task == Some("CAUSAL_LM"),
            ("fan_in_fan_out", _) => value.is_boolean(), // how the base model's files lie, which the model knows
            // Others change the base model's weights as well.
            ("init_lora_weights", how) => value.is_boolean() || matches!(how, Some("gaussian" | "eva" | "orthogonal")),
            ("init_ia3_weights", _) => value.is_boolean(),
            ("layers_pattern", _) => says_layers(value),
            (key, _) => HARMLESS.contains(&key),
        };
        match known.iter().find(|(name, _)| name == key) {
            Some(_) if is_off(value) => {}
            Some((_, option)) => drop(options.insert((*option).to_owned(), value.clone())),
            None if fine || is_off(value) => {}
            None => {
                let message = format!("adapter_config.json sets `{key}` to {value}, which is not supported here");
                return Err(PluginError::new(message));
            }
        }
    }
    Ok(options)
}

/// An integral number without a decimal point, as PEFT writes it.
pub fn number(value: f64) -> Value {
    if value.fract() == 0.0 && value.abs() < 1e15 { (value as i64).into() } else { value.into() }
}
