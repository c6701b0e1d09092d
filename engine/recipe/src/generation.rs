//! `generation_config.json`: what a model's authors say of generation becomes the default of `[generate]`.

use super::{
    Catalog, Parsed,
    node::{Content, Entry, Node},
    source::Origin,
};
use framework_core::Kind;
use serde_json::{Map, Value};
use std::path::Path;

/// What transformers' `generate` keeps of the likeliest tokens if it samples and the file does not say.
const TOP_K: u64 = 50;

/// The decoders that do what transformers does with `num_beams` and with `do_sample`.
const DECODERS: [&str; 2] = ["beam", "top-p"];

/// A setting's name, and which values it may have.
type Setting = (&'static str, fn(f64) -> bool);

/// Settings under the same name here, with the range that they have here.
const SETTINGS: [Setting; 8] = [
    ("max_new_tokens", |n| n >= 1.0),
    ("min_new_tokens", |n| n >= 0.0),
    ("temperature", |n| n > 0.0),
    ("top_k", |n| n >= 0.0),
    ("top_p", |n| n > 0.0 && n <= 1.0),
    ("min_p", |n| (0.0..=1.0).contains(&n)),
    ("repetition_penalty", |n| n > 0.0),
    ("no_repeat_ngram_size", |n| n >= 0.0),
];

/// Settings that are read elsewhere, or that do not change which tokens are generated.
const NO_EFFECT: &[&str] = &[
    "bos_token_id",
    "cache_config",
    "cache_implementation",
    "chat_format",
    "compile_config",
    "decoder_start_token_id",
    "disable_compile",
    "do_sample",
    "early_stopping",
    "eos_token_id",
    "length_penalty",
    "low_memory",
    "max_length",
    "num_beams",
    "output_attentions",
    "output_hidden_states",
    "output_logits",
    "output_scores",
    "pad_token_id",
    "prefill_chunk_size",
    "return_dict_in_generate",
    "return_legacy_cache",
    "stop_strings",
    "transformers_version",
    "use_cache",
    "user_token_id",
    "assistant_token_id",
    "_from_model_config",
];

/// Values with which other settings do nothing.
const NEUTRAL: [(&str, f64); 9] = [
    ("diversity_penalty", 0.0),
    ("encoder_no_repeat_ngram_size", 0.0),
    ("encoder_repetition_penalty", 1.0),
    ("epsilon_cutoff", 0.0),
    ("eta_cutoff", 0.0),
    ("min_length", 0.0),
    ("num_beam_groups", 1.0),
    ("num_return_sequences", 1.0),
    ("typical_p", 1.0),
];

/// Settings that act only where tokens are drawn.
const SAMPLING: [&str; 3] = ["epsilon_cutoff", "eta_cutoff", "typical_p"];

/// What a file comes to.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Defaults {
    /// The decoder, if it is not the one that takes the likeliest token.
    decoder: Option<&'static str>,
    /// Options of that decoder.
    options: Vec<(&'static str, Value)>,
    /// Settings that every decoder knows.
    settings: Vec<(&'static str, Value)>,
    /// Settings that change what transformers generates and are not known here.
    unknown: Vec<String>,
}

impl Defaults {
    fn of(file: &Map<String, Value>) -> Self {
        let number = |key: &str| file.get(key).and_then(Value::as_f64);
        let on = |key: &str| file.get(key) == Some(&Value::Bool(true));
        let mut all = Self::default();
        for (key, fits) in SETTINGS {
            match number(key) {
                Some(n) if fits(n) => all.settings.push((key, file[key].clone())),
                // A temperature of 0 stands in files that do not sample.
                Some(_) if key != "temperature" || on("do_sample") => all.unknown.push(key.into()),
                _ => {}
            }
        }
        if on("do_sample") && number("top_k").is_none() {
            all.settings.push(("top_k", TOP_K.into()));
        }
        // As in transformers, the number of new tokens goes before that of all.
        if let (None, Some(most)) = (number("max_new_tokens"), file.get("max_length").filter(|n| n.is_u64())) {
            all.settings.push(("max_new_tokens", most.clone()));
            all.settings.push(("max_length", most.clone()));
        }
        if let Some(stop) = file.get("stop_strings").filter(|stop| !off(stop)) {
            let one = |stop: &Value| if stop.is_string() { vec![stop.clone()].into() } else { stop.clone() };
            all.settings.push(("stop", one(stop)));
        }
        if number("num_beams").is_some_and(|n| n > 1.0) {
            all.decoder = Some(DECODERS[0]);
            for key in ["num_beams", "length_penalty", "early_stopping"] {
                all.options.extend(file.get(key).filter(|v| !v.is_null()).map(|v| (key, v.clone())));
            }
            all.options.push(("sample", on("do_sample").into()));
        } else if on("do_sample") {
            all.decoder = Some(DECODERS[1]);
        }
        let idle = |key: &str| SAMPLING.contains(&key) && !on("do_sample");
        let unknown = file.iter().filter(|(key, value)| changes(key, value) && !idle(key));
        all.unknown.extend(unknown.map(|(key, _)| key.clone()));
        all
    }
}

fn off(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(on) => !on,
        Value::Array(list) => list.is_empty(),
        Value::Object(table) => table.is_empty(),
        _ => false,
    }
}

/// Whether a setting that is not known here may change what transformers generates.
fn changes(key: &str, value: &Value) -> bool {
    let known = SETTINGS.iter().any(|(name, _)| *name == key) || NO_EFFECT.contains(&key);
    let neutral = NEUTRAL.iter().any(|(name, n)| *name == key && value.as_f64() == Some(*n));
    !(known || neutral || off(value))
}

impl Parsed {
    /// The folder of the recipe's weights, if it is on this machine.
    pub fn weights(&self) -> Option<std::path::PathBuf> {
        let node = self.root.at("model.weights")?;
        let path = super::paths::resolve(&self.source, node.origin, node.text()?, Some("model")).ok()?;
        if path.is_absolute() { Some(path) } else { self.from_hub.clone() }
    }

    /// Whether the recipe or an override has a key.
    pub fn has(&self, key: &str) -> bool {
        self.root.at(key).is_some_and(|node| node.origin != Origin::Default)
    }

    /// Takes the settings of a model folder's `generation_config.json` for those that the recipe leaves out, and
    /// returns their keys.
    pub fn default_generation(&mut self, folder: &Path, catalog: &dyn Catalog) -> Vec<String> {
        let file = folder.join("generation_config.json");
        // What is wrong with the file, the tokenizer says, which reads it too.
        let Some(config) =
            std::fs::read(&file).ok().and_then(|b| framework_base::json::from_slice::<Map<_, _>>(&b).ok())
        else {
            return Vec::new();
        };
        let found = Defaults::of(&config);
        let mut taken = Vec::new();
        let mut decoder = self.root.at("generate.plugin").and_then(Node::text).map(str::to_owned);
        if let (None, Some(name)) = (&decoder, found.decoder)
            && catalog.about(Kind::Decoder, name).is_ok()
        {
            decoder = Some(name.to_owned());
            taken.extend(self.add("plugin", &name.into()));
        }
        let settings = found.settings.iter().filter(|(key, _)| *key != "max_length" || self.free("max_new_tokens"));
        let settings: Vec<_> = settings.cloned().collect();
        for (key, value) in &settings {
            taken.extend(self.add(key, value));
        }
        if decoder.as_deref() == found.decoder {
            for (key, value) in &found.options {
                taken.extend(self.add(key, value));
            }
        }
        if !taken.is_empty() {
            let list: Vec<_> = taken.iter().filter_map(|key| Some(format!("{key} = {}", self.shown(key)?))).collect();
            tracing::info!("{}: defaults of [generate]: {}", file.display(), list.join(", "));
        }
        if !found.unknown.is_empty() {
            let names: Vec<_> = found.unknown.iter().map(|name| format!("`{name}`")).collect();
            let (change, have) = if names.len() == 1 { ("changes", "has") } else { ("change", "have") };
            let (file, names) = (file.display(), names.join(", "));
            tracing::warn!("{file}: {names} {change} what transformers generates and {have} no effect here");
        }
        taken
    }

    fn free(&self, key: &str) -> bool {
        self.root.at(&format!("generate.{key}")).is_none()
    }

    fn shown(&self, key: &str) -> Option<Value> {
        Some(self.root.at(&format!("generate.{key}"))?.to_json())
    }

    /// Adds a key to `[generate]`, if it is not there.
    fn add(&mut self, key: &'static str, value: &Value) -> Option<String> {
        let Content::Table(entries) = &mut self.root.content else { return None };
        if !entries.iter().any(|e| e.name == "generate") {
            let node = Node::table(Origin::Default);
            entries.push(Entry { name: "generate".into(), origin: Origin::Default, node });
        }
        let table = entries.iter_mut().find(|e| e.name == "generate")?;
        let Content::Table(keys) = &mut table.node.content else { return None };
        if keys.iter().any(|e| e.name == key) {
            return None;
        }
        keys.push(Entry::from_json(key, value, Origin::Default));
        Some(key.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(file: Value) -> Defaults {
        Defaults::of(file.as_object().unwrap())
    }

    #[test]
    fn files_of_the_hub_become_settings() {
        let llama = of(json!({ "bos_token_id": 1, "do_sample": true, "eos_token_id": [2, 3], "temperature": 0.6,
            "max_length": 4096, "top_p": 0.9, "transformers_version": "4.42.3" }));
        assert_eq!(llama.decoder, Some("top-p"));
        let expected = [
            ("temperature", json!(0.6)),
            ("top_p", json!(0.9)),
            ("top_k", json!(50)),
            ("max_new_tokens", json!(4096)),
            ("max_length", json!(4096)),
        ];
        assert_eq!((llama.settings.as_slice(), llama.unknown.len()), (&expected[..], 0));
        let beams = of(json!({ "num_beams": 3, "length_penalty": 0.5, "early_stopping": "never", "top_k": 4 }));
        assert_eq!(beams.decoder, Some("beam"));
        assert_eq!(beams.options[3], ("sample", json!(false)));
        assert_eq!(of(json!({ "_from_model_config": true, "eos_token_id": 0, "temperature": 0.0 })), of(json!({})));
    }

    #[test]
    fn what_changes_tokens_and_is_not_known_is_named() {
        let file = json!({ "do_sample": true, "typical_p": 0.9, "epsilon_cutoff": 0.0, "suppress_tokens": [5], "bad_words_ids": null,
            "min_length": 0, "num_return_sequences": 2, "guidance_scale": null, "sequence_bias": {} });
        assert_eq!(of(file).unknown, ["typical_p", "suppress_tokens", "num_return_sequences"]);
        assert_eq!(of(json!({ "do_sample": true, "temperature": 0.0 })).unknown, ["temperature"]);
        // Where the likeliest token is taken, they do nothing.
        assert_eq!(
            of(json!({ "typical_p": 0.9, "eta_cutoff": 0.1, "suppress_tokens": [5] })).unknown,
            ["suppress_tokens"]
        );
    }
}
