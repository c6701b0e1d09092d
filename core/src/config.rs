//! The keys of a Hugging Face `config.json` that a model's options do not have.
//!
//! transformers ignores keys that it does not know. A key that changes the computation must not be ignored here,
//! because then the numbers would be wrong and nothing would say so; but real files are full of keys that change
//! nothing. So each unknown key is judged by its name and its value: see [`Verdict`].

use crate::{ErrorKind, Options, PluginError, Result, schema_of};
use serde_json::{Map, Value};

/// What becomes of an unknown key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It has no value, says what is so anyway, or is bookkeeping of transformers: dropped.
    Drop,
    /// Its name is about training, generation or tools, not about the forward pass: dropped with a warning.
    Warn,
    /// It may change the computation: refused.
    Refuse,
}

/// Keys that say nothing about the numbers of a causal language model's forward pass. So do those that begin with `_`.
const IRRELEVANT: &[&str] = &[
    "add_cross_attention",
    "architectures",
    "attn_implementation",
    "auto_map",
    "bad_words_ids",
    "begin_suppress_tokens",
    "bos_token_id",
    "cache_implementation",
    "chunk_size_feed_forward",
    "cross_attention_hidden_size",
    "custom_pipelines",
    "decoder_start_token_id",
    "diversity_penalty",
    "do_sample",
    "dtype",
    "early_stopping",
    "encoder_no_repeat_ngram_size",
    "eos_token_id",
    "exponential_decay_length_penalty",
    "finetuning_task",
    "flash_attn",
    "forced_bos_token_id",
    "forced_decoder_ids",
    "forced_eos_token_id",
    "generation_config",
    "gradient_checkpointing",
    "guidance_scale",
    "id2label",
    "initializer_range",
    "is_decoder",
    "is_encoder_decoder",
    "is_llama_config",
    "keys_to_ignore_at_inference",
    "label2id",
    "length_penalty",
    "low_memory",
    "max_length",
    "max_new_tokens",
    "max_sequence_length",
    "min_length",
    "model_max_length",
    "model_type",
    "name_or_path",
    "no_repeat_ngram_size",
    "num_beam_groups",
    "num_beams",
    "num_labels",
    "num_return_sequences",
    "output_attentions",
    "output_hidden_states",
    "output_scores",
    "pad_token_id",
    "penalty_alpha",
    "prefix",
    "pretraining_tp",
    "problem_type",
    "pruned_heads",
    "quantization_config",
    "remove_invalid_values",
    "repetition_penalty",
    "return_dict",
    "return_dict_in_generate",
    "sep_token_id",
    "suppress_tokens",
    "task_specific_params",
    "temperature",
    "tf_legacy_loss",
    "tie_encoder_decoder",
    "tokenizer_class",
    "tokenizer_name",
    "top_k",
    "top_p",
    "torch_compile",
    "torch_dtype",
    "torchscript",
    "transformers.js_config",
    "transformers_version",
    "typical_p",
    "unsloth_fixed",
    "unsloth_version",
    "use_bfloat16",
    "use_cache",
    "use_flash_attention",
    "use_flash_attn",
    "watermarking_config",
];

/// Words of keys that are about training, generation, files or tools.
const HARMLESS: &[&str] = &[
    "author",
    "cache",
    "checkpoint",
    "checkpointing",
    "chat",
    "compile",
    "data",
    "dataset",
    "date",
    "description",
    "device",
    "dropout",
    "dtype",
    "epoch",
    "epochs",
    "eval",
    "export",
    "flash",
    "generation",
    "gradient",
    "hash",
    "jitter",
    "language",
    "languages",
    "learning",
    "library",
    "license",
    "log",
    "logging",
    "lora",
    "lr",
    "metadata",
    "name",
    "noise",
    "optimizer",
    "path",
    "pdrop",
    "pipeline",
    "pipelines",
    "precision",
    "processor",
    "prompt",
    "revision",
    "save",
    "seed",
    "step",
    "steps",
    "tag",
    "tags",
    "task",
    "template",
    "token",
    "tokenizer",
    "tokens",
    "train",
    "trainer",
    "training",
    "trust",
    "unsloth",
    "url",
    "version",
    "warmup",
];

/// Words that outweigh those: `num_experts_per_tok` or `hidden_dropout_layers` are about the network.
const NETWORK: &[&str] = &[
    "act",
    "attention",
    "attn",
    "bias",
    "block",
    "blocks",
    "conv",
    "depth",
    "dim",
    "embed",
    "embedding",
    "embeddings",
    "expert",
    "experts",
    "head",
    "heads",
    "hidden",
    "intermediate",
    "kv",
    "layer",
    "layers",
    "mixer",
    "mlp",
    "moe",
    "norm",
    "position",
    "positions",
    "rank",
    "residual",
    "rope",
    "rotary",
    "router",
    "scale",
    "scaling",
    "shared",
    "size",
    "softcap",
    "softcapping",
    "state",
    "tie",
    "vocab",
    "width",
    "window",
];

fn words(key: &str) -> impl Iterator<Item = &str> {
    key.split(['_', '.', '-'])
}

/// What becomes of a key that the model's options do not have.
pub fn judge(key: &str, value: &Value, config: &Map<String, Value>) -> Verdict {
    if key.starts_with('_') || IRRELEVANT.contains(&key) || is_neutral(key, value, config) {
        return Verdict::Drop;
    }
    let has = |list: &[&str]| words(key).any(|word| list.contains(&word));
    // Dropout is not applied unless the architecture has it, and then never outside of training.
    let random = has(&["dropout", "pdrop", "jitter"]);
    if random || (has(HARMLESS) && !has(NETWORK)) { Verdict::Warn } else { Verdict::Refuse }
}

/// Whether a value says what is so without the key.
fn is_neutral(key: &str, value: &Value, config: &Map<String, Value>) -> bool {
    let get = |key: &str| config.get(key);
    let has = |list: &[&str]| words(key).any(|word| list.contains(&word));
    match value {
        Value::Null => true,
        Value::Bool(false) => {
            let first = words(key).next().unwrap_or_default();
            let switch = ["use", "enable", "has", "with", "add", "is", "output", "return"].contains(&first);
            // Without positions, or with another mask, the numbers are others.
            let there = has(&["causal", "rope", "rotary", "position", "positions", "residual"]);
            (switch || has(&["bias", "biases"])) && !there
        }
        Value::Bool(true) => key == "is_causal",
        Value::Array(list) if list.is_empty() => true,
        Value::Array(list) if key == "layer_types" => {
            let windowed = get("sliding_window").is_some_and(|window| !window.is_null());
            list.iter().all(|kind| kind == if windowed { "sliding_attention" } else { "full_attention" })
        }
        Value::Object(table) => table.is_empty(),
        Value::Number(number) => {
            let number = number.as_f64().unwrap_or(f64::NAN);
            let size = |key: &str| get(key).and_then(Value::as_f64).unwrap_or(f64::NAN);
            let unused_window = matches!(key, "sliding_window" | "max_window_layers");
            number == 0.0 && has(&["dropout", "pdrop", "jitter", "noise", "softcap", "softcapping", "experts"])
                || number == 1.0 && has(&["factor", "multiplier", "pct", "mod"])
                || key == "head_dim" && number * size("num_attention_heads") == size("hidden_size")
                || unused_window && get("use_sliding_window") == Some(&Value::Bool(false))
        }
        _ => false,
    }
}

/// The keys that the schema does not have, each with its verdict.
pub fn unknown(schema: &Value, config: &Map<String, Value>) -> Vec<(String, Verdict)> {
    let unknown = config.iter().filter(|(key, _)| schema["properties"].get(key.as_str()).is_none());
    unknown.map(|(key, value)| (key.clone(), judge(key, value, config))).collect()
}

/// Reads a `config.json` into a model's options.
pub(crate) fn from_hf_config<T: Options>(config: Map<String, Value>) -> Result<T> {
    let schema = schema_of::<T>();
    let mut known = config.clone();
    known.retain(|key, _| schema["properties"].get(key.as_str()).is_some() || !IRRELEVANT.contains(&key.as_str()));
    let mut refused = Vec::new();
    // Which keys a type has under other names only serde knows.
    loop {
        let error = match serde_json::from_value(Value::Object(known.clone())) {
            Ok(options) if refused.is_empty() => return Ok(options),
            Ok(_) => return Err(not_known(&refused)),
            Err(error) => PluginError::from(error),
        };
        let unknown =
            error.key.as_deref().filter(|key| error.kind == ErrorKind::UnknownKey && known.contains_key(*key));
        let Some(key) = unknown else {
            return Err(if refused.is_empty() { error } else { not_known(&refused) });
        };
        let value = known.remove(key).unwrap_or_default();
        if judge(key, &value, &config) == Verdict::Refuse {
            refused.push(key.to_owned());
        }
    }
}

fn not_known(keys: &[String]) -> PluginError {
    let also: String = keys[1..].iter().map(|key| format!(", `{key}`")).collect();
    let it = if keys.len() == 1 { "it" } else { "they" };
    PluginError::new(format!("unknown key `{}`{also}: {it} may change what the model computes", keys[0]))
        .kind(ErrorKind::UnknownKey)
        .key(keys[0].as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn verdicts(config: &Value) -> Vec<Verdict> {
        let config = config.as_object().unwrap();
        config.iter().map(|(key, value)| judge(key, value, config)).collect()
    }

    #[test]
    fn what_says_nothing_or_what_is_so_anyway_is_dropped() {
        let config = json!({
            "sliding_window": null, "quantization_config": null, "attention_bias": false, "mlp_bias": false,
            "layer_types": ["full_attention", "full_attention"], "partial_rotary_factor": 1.0, "resid_pdrop": 0.0,
            "_flash_attn_2_enabled": true, "cache_implementation": "hybrid", "custom_pipelines": {"a": 1},
            "use_qk_norm": false, "embedding_multiplier": 1, "final_logit_softcapping": null, "is_causal": true,
            "head_dim": 8, "hidden_size": null, "output_router_logits": false,
        });
        let mut config = config.as_object().unwrap().clone();
        config.remove("hidden_size");
        let sizes = json!({ "hidden_size": 32, "num_attention_heads": 4 });
        let mut all = config.clone();
        all.extend(sizes.as_object().unwrap().clone());
        for (key, value) in &config {
            assert_eq!(judge(key, value, &all), Verdict::Drop, "{key}");
        }
        let unused = json!({ "use_sliding_window": false, "sliding_window": 4096, "max_window_layers": 21 });
        assert_eq!(verdicts(&unused), [Verdict::Drop; 3]);
        let windows = json!({ "sliding_window": 8, "layer_types": ["sliding_attention"] });
        let windows = windows.as_object().unwrap();
        assert_eq!(judge("layer_types", &windows["layer_types"], windows), Verdict::Drop);
    }

    #[test]
    fn what_cannot_change_the_forward_pass_is_warned_about() {
        let config = json!({
            "num_steps": 3, "training_stage": "sft", "resid_pdrop": 0.1, "dataset_name": "x", "chat_template_version": 2,
        });
        assert_eq!(verdicts(&config), [Verdict::Warn; 5]);
    }

    #[test]
    fn what_may_change_it_is_refused() {
        let config = json!({
            "sliding_window": 8, "attention_bias": true, "layer_types": ["full_attention"],
            "partial_rotary_factor": 0.5, "logit_scale": 0.1, "use_qk_norm": true, "final_logit_softcapping": 30.0,
            "num_token_layers": 2, "altup": 1, "head_dim": 16, "num_hidden_layer": 2, "embedding_multiplier": 12,
            "use_rope": false, "is_causal": false,
        });
        assert_eq!(verdicts(&config), [Verdict::Refuse; 14]);
    }
}
