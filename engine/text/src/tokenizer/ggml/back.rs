//! Tokenizers from GGUF files.

use super::{GgmlVocab, kind, pre};
use crate::tokenizer::{Inner, Tokenizer, special::Special};
use framework_base::{Error, Problem, Result};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, HashMap};

impl GgmlVocab {
    /// A tokenizer that makes of texts what llama.cpp makes of them; none where llama.cpp splits by patterns that only it
    /// has.
    ///
    /// # Errors
    /// Tokens that contradict each other.
    pub fn tokenizer(&self) -> Result<Option<Tokenizer>> {
        let Some((file, words)) = self.file() else { return Ok(None) };
        let failed = |e: String| Error::failed(format!("the file's tokenizer cannot be built: {e}"));
        let bytes = serde_json::to_vec(&file).map_err(|e| failed(e.to_string()))?;
        let inner = Inner::from_bytes(&bytes).map_err(|e| failed(e.to_string()))?;
        let special = Special { tokenizer: words, generation: self.generation(), ..Special::default() };
        let mut templates = self.chat_templates.clone();
        templates.extend(self.chat_template.clone().map(|source| ("default".to_owned(), source)));
        let files = BTreeMap::from([("tokenizer.json".to_owned(), bytes)]);
        let named = |problem: Problem| Error::invalid(problem);
        Tokenizer::assemble(inner, special, templates, files).map(Some).map_err(named)
    }

    /// All end tokens, as `generation_config.json` has them.
    fn generation(&self) -> Map<String, Value> {
        Map::from_iter([("eos_token_id".to_owned(), json!(self.stops()))])
    }

    /// `tokenizer.json` and `tokenizer_config.json`.
    fn file(&self) -> Option<(Value, Map<String, Value>)> {
        let (normalizer, splitter, decoder, model) = if self.model == "gpt2" { self.bytes()? } else { self.pieces() };
        let content = |id: u32| self.tokens.get(id as usize).cloned();
        let names = [("bos_token", self.bos), ("eos_token", self.ends.first().copied()), ("unk_token", self.unknown)];
        let names = names.into_iter().chain([("pad_token", self.padding)]);
        let words = names.filter_map(|(name, id)| Some((name.to_owned(), content(id?)?.into()))).collect();
        let bos = self.bos.filter(|_| self.adds_bos).and_then(|id| Some((id, content(id)?)));
        let around = bos.map(|(id, text)| {
            let token = json!({ "SpecialToken": { "id": text, "type_id": 0 } });
            let sequence = |name: &str| json!({ "Sequence": { "id": name, "type_id": 0 } });
            let special = Map::from_iter([(text.clone(), json!({ "id": text, "ids": [id], "tokens": [text] }))]);
            json!({
                "type": "TemplateProcessing",
                "single": [token, sequence("A")],
                "pair": [sequence("A"), sequence("B")],
                "special_tokens": special,
            })
        });
        let file = json!({
            "version": "1.0", "truncation": null, "padding": null, "added_tokens": self.added(), "normalizer": normalizer,
            "pre_tokenizer": splitter, "post_processor": around, "decoder": decoder, "model": model,
        });
        Some((file, words))
    }

    fn added(&self) -> Vec<Value> {
        let is_added = |kind: i32| matches!(kind, kind::CONTROL | kind::USER_DEFINED | kind::UNKNOWN);
        let added = self.types.iter().enumerate().filter(|(_, kind)| is_added(**kind));
        let token = |(id, kind): (usize, &i32)| {
            json!({
                "id": id, "content": self.tokens[id], "single_word": false, "lstrip": false, "rstrip": false,
                "normalized": false, "special": *kind != kind::USER_DEFINED,
            })
        };
        added.map(token).collect()
    }

    /// Tokens of the vocabulary, unused ones aside.
    fn vocab(&self) -> Map<String, Value> {
        let used = self.tokens.iter().enumerate().filter(|(id, _)| self.types[*id] != kind::UNUSED);
        used.map(|(id, token)| (token.clone(), id.into())).collect()
    }

    fn bytes(&self) -> Option<(Value, Value, Value, Value)> {
        let (splitter, whole_words) = pre::splitter(&self.pre)?;
        let decoder =
            json!({ "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true });
        let model = json!({
            "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "ignore_merges": whole_words,
            "vocab": self.vocab(), "merges": self.merges,
        });
        Some((Value::Null, splitter, decoder, model))
    }

    fn pieces(&self) -> (Value, Value, Value, Value) {
        let replace = json!({ "type": "Replace", "pattern": { "String": " " }, "content": "▁" });
        let mut steps = vec![replace];
        if self.adds_space {
            steps.insert(0, json!({ "type": "Prepend", "prepend": "▁" }));
        }
        let mut decoders = vec![
            json!({ "type": "Replace", "pattern": { "String": "▁" }, "content": " " }),
            json!({ "type": "ByteFallback" }),
            json!({ "type": "Fuse" }),
        ];
        if self.adds_space {
            decoders.push(json!({ "type": "Strip", "content": " ", "start": 1, "stop": 0 }));
        }
        let unknown = self.unknown.and_then(|id| self.tokens.get(id as usize));
        let model = json!({
            "type": "BPE", "dropout": null, "unk_token": unknown, "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": true, "byte_fallback": true, "ignore_merges": false,
            "vocab": self.vocab(), "merges": self.merges_by_score(),
        });
        let sequence = |key: &str, steps: Vec<Value>| json!({ "type": "Sequence", key: steps });
        (sequence("normalizers", steps), Value::Null, sequence("decoders", decoders), model)
    }

    /// Every two pieces that together are one, those with the best score first.
    fn merges_by_score(&self) -> Vec<[&str; 2]> {
        let normal = |id: &usize| self.types[*id] == kind::NORMAL;
        let ids: HashMap<&str, usize> =
            (0..self.tokens.len()).filter(normal).map(|id| (self.tokens[id].as_str(), id)).collect();
        let mut merges = Vec::new();
        for (piece, id) in &ids {
            for (i, _) in piece.char_indices().skip(1) {
                let (left, right) = piece.split_at(i);
                if let (Some(a), Some(b)) = (ids.get(left), ids.get(right)) {
                    merges.push((self.scores.get(*id).copied().unwrap_or_default(), *a, *b, [left, right]));
                }
            }
        }
        merges.sort_by(|x, y| y.0.total_cmp(&x.0).then((x.1, x.2).cmp(&(y.1, y.2))));
        merges.into_iter().map(|(.., pair)| pair).collect()
    }
}
