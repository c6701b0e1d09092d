//! Tokenizers: text to token ids and back, and what a tokenizer's files say beside the vocabulary.

mod added;
mod bpe;
mod character;
pub mod ggml;
mod load;
mod memo;
mod special;
mod stream;
mod train;
mod unigram;
mod vocabulary;
mod wordpiece;

pub use stream::TextStream;

use framework_base::{Error, Result};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use std::{collections::BTreeMap, ops::Range, path::Path};
use tokenizers::Tokenizer as Inner;

/// A tokenizer with its special tokens and its files.
#[derive(Debug, Clone)]
pub struct Tokenizer {
    inner: Inner,
    /// Tokens that end a sequence. The first is the one that training appends; generation stops at any. Never empty.
    pub eos: Vec<u32>,
    /// The token that fills batches up; the end token where there is none of its own. What is padding is known by
    /// position, never by this id.
    pub pad: u32,
    /// The token that begins a sequence, if there is one.
    pub bos: Option<u32>,
    /// The tokenizer's chat template, Jinja as Hugging Face has it.
    pub chat_template: Option<String>,
    /// Its other chat templates, by name, e.g. `tool_use`.
    pub chat_templates: BTreeMap<String, String>,
    /// `tokenizer_config.json`.
    pub config: Map<String, Value>,
    /// The special tokens that `tokenizer_config.json` and `special_tokens_map.json` name.
    named: Map<String, Value>,
    /// Whether a text begins otherwise than what follows other text, e.g. with a space.
    spaced: bool,
    /// What the tokenizer itself puts before and after a text.
    prefix: Vec<u32>,
    suffix: Vec<u32>,
    vocab_size: usize,
    files: BTreeMap<String, Vec<u8>>,
    memo: memo::Memo,
}

impl Tokenizer {
    /// The number of token ids: one more than the greatest.
    pub fn vocab_size(&self) -> usize {
        self.vocab_size
    }

    /// Whether [`Tokenizer::encode`] with special tokens begins with [`Tokenizer::bos`].
    pub fn adds_bos(&self) -> bool {
        self.bos.is_some_and(|bos| self.prefix.first() == Some(&bos))
    }

    /// The token that ends a trained response.
    pub fn end(&self) -> u32 {
        self.eos[0]
    }

    /// The text of a token as the vocabulary has it, e.g. `<|endoftext|>`.
    pub fn token(&self, id: u32) -> Option<String> {
        self.inner.id_to_token(id)
    }

    /// The id of a token as the vocabulary has it.
    pub fn id(&self, token: &str) -> Option<u32> {
        self.inner.token_to_id(token)
    }

    /// Whether a token is one of the special ones, which are not text.
    pub fn is_special(&self, id: u32) -> bool {
        self.token(id).is_some_and(|token| self.inner.get_added_vocabulary().is_special_token(&token))
    }

    /// The texts of special tokens by their names in templates: `eos_token`, `bos_token`, `pad_token`, `unk_token`, …
    pub fn special_tokens(&self) -> BTreeMap<String, String> {
        let known = [("eos_token", Some(self.end())), ("bos_token", self.bos), ("pad_token", Some(self.pad))];
        let known = known.into_iter().filter_map(|(name, id)| Some((name.to_owned(), self.token(id?)?)));
        let mut tokens: BTreeMap<_, _> = known.collect();
        tokens.extend(self.named_tokens());
        tokens
    }

    /// Those special tokens that the tokenizer's files name: what transformers hands to chat templates.
    pub fn named_tokens(&self) -> BTreeMap<String, String> {
        let named = self.named.iter().filter(|(name, _)| name.ends_with("_token"));
        named.filter_map(|(name, value)| Some((name.clone(), special::token_text(value)?.to_owned()))).collect()
    }

    /// Token ids of a text; with `add_special`, between the tokens that the tokenizer itself puts around a sequence.
    ///
    /// Special tokens that are spelled out in the text become their ids either way.
    pub fn encode(&self, text: &str, add_special: bool) -> Result<Vec<u32>> {
        let ids = self.plain(text)?;
        Ok(if add_special { [&self.prefix, ids.as_slice(), &self.suffix].concat() } else { ids })
    }

    /// Token ids of a text that something will follow: with `add_special`, what the tokenizer puts before a sequence
    /// but not what it puts after.
    pub fn encode_open(&self, text: &str, add_special: bool) -> Result<Vec<u32>> {
        let ids = self.plain(text)?;
        Ok(if add_special { [&self.prefix, ids.as_slice()].concat() } else { ids })
    }

    /// [`Tokenizer::encode_open`], and where in the text each token stands, in bytes.
    pub fn encode_places(&self, text: &str, add_special: bool) -> Result<(Vec<u32>, Vec<Range<usize>>)> {
        let before = if add_special { self.prefix.as_slice() } else { &[] };
        let (ids, places) = self.places(text)?;
        Ok(([before, &ids].concat(), before.iter().map(|_| 0..0).chain(places).collect()))
    }

    /// [`Tokenizer::encode_places`] of a text that follows other text: no space is put before it.
    pub fn encode_after(&self, text: &str) -> Result<(Vec<u32>, Vec<Range<usize>>)> {
        if self.spaced {
            let line = self.plain("\n")?;
            let (ids, places) = self.places(&format!("\n{text}"))?;
            if ids.starts_with(&line) {
                let places = places[line.len()..].iter().map(|place| place.start - 1..place.end - 1);
                return Ok((ids[line.len()..].to_vec(), places.collect()));
            }
        }
        self.places(text)
    }

    fn places(&self, text: &str) -> Result<(Vec<u32>, Vec<Range<usize>>)> {
        let encoding =
            self.inner.encode(text, false).map_err(|e| Error::failed(format!("the tokenizer failed: {e}")))?;
        let places = encoding.get_offsets().iter().map(|&(start, end)| start..end).collect();
        Ok((encoding.get_ids().to_vec(), places))
    }

    fn plain(&self, text: &str) -> Result<Vec<u32>> {
        self.memo.get(text, || {
            let encoding = self.inner.encode_fast(text, false);
            Ok(encoding.map_err(|e| Error::failed(format!("the tokenizer failed: {e}")))?.get_ids().to_vec())
        })
    }

    /// The text of token ids; incomplete characters become U+FFFD.
    pub fn decode(&self, ids: &[u32], skip_special: bool) -> Result<String> {
        self.inner.decode(ids, skip_special).map_err(|e| Error::failed(format!("the tokenizer failed: {e}")))
    }

    /// Starts decoding ids one by one, as they are generated.
    pub fn stream(&self, skip_special: bool) -> TextStream<'_> {
        TextStream::new(self, skip_special)
    }

    /// A hash of everything that encoding and templates depend on.
    pub fn fingerprint(&self) -> String {
        let mut hash = Sha256::new();
        for (name, bytes) in &self.files {
            hash.update((name.len() as u64).to_le_bytes());
            hash.update(name);
            hash.update((bytes.len() as u64).to_le_bytes());
            hash.update(bytes);
        }
        let rest =
            (&self.eos, self.pad, self.bos, &self.chat_template, &self.chat_templates, &self.config, &self.named);
        hash.update(serde_json::to_vec(&rest).unwrap_or_default());
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// SHA-256 of each of the tokenizer's files, by name.
    pub fn hashes(&self) -> BTreeMap<String, String> {
        let hash = |(name, bytes): (&String, &Vec<u8>)| (name.clone(), framework_base::files::sha256_of(bytes));
        self.files.iter().map(hash).collect()
    }

    /// The same tokenizer with another chat template, its files as transformers 5 writes them.
    pub fn with_chat_template(&self, source: &str) -> Self {
        let mut new = self.clone();
        new.chat_template = Some(source.to_owned());
        new.files.remove("chat_template.json");
        new.files.insert("chat_template.jinja".to_owned(), source.as_bytes().to_vec());
        if new.config.remove("chat_template").is_some() {
            let config = serde_json::to_vec_pretty(&new.config).unwrap_or_default();
            new.files.insert("tokenizer_config.json".to_owned(), config);
        }
        new
    }

    /// Writes the tokenizer's files into a folder, which is made if need be: those that it was loaded from, byte for
    /// byte, or those of a trained one; from a `vocab.txt` or `vocab.json`, `tokenizer.json` besides. Hugging Face's
    /// `AutoTokenizer` loads the folder.
    pub fn save(&self, folder: &Path) -> Result<()> {
        for (name, bytes) in &self.files {
            let path = folder.join(name);
            let parent = path.parent().unwrap_or(folder);
            std::fs::create_dir_all(parent).map_err(|e| Error::io("make the folder", parent, e))?;
            framework_base::files::write_bytes(&path, bytes)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod golden_tests;

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use framework_recipe::{TokenizerKind, TokenizerTraining};
    use serde_json::json;

    pub(crate) const CORPUS: &[&str] = &[
        "The quick brown fox jumps over the lazy dog. The dog sleeps; the fox runs over the hill.\n",
        "春天来了，山间的小路开满了花。春天的花园里，月光下的湖泊静静的。\n",
        "Below is an instruction that describes a task. Write a response.\n",
    ];

    /// A byte-level tokenizer of 300 tokens.
    pub(crate) fn trained() -> Tokenizer {
        Tokenizer::train(&TokenizerTraining::new(TokenizerKind::ByteLevelBpe, 300), CORPUS.iter()).unwrap()
    }

    pub(crate) fn write(folder: &Path, name: &str, text: &str) {
        std::fs::write(folder.join(name), text).unwrap();
    }

    /// A folder with a tokenizer of single letters whose post-processor puts `<bos>` before and `</s>` after.
    pub(crate) fn folder(config: &str) -> tempfile::TempDir {
        let added = |id: u32, content: &str| {
            json!({ "id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false,
                "normalized": false, "special": true })
        };
        let special = |id: u32, token: &str| (token.to_owned(), json!({ "id": token, "ids": [id], "tokens": [token] }));
        let specials: Map<_, _> = [special(0, "<bos>"), special(1, "</s>")].into_iter().collect();
        let token = |token: &str| json!({ "SpecialToken": { "id": token, "type_id": 0 } });
        let sequence = |id: &str| json!({ "Sequence": { "id": id, "type_id": 0 } });
        let space = json!({ "type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": true });
        let file = json!({
            "version": "1.0",
            "truncation": { "direction": "Right", "max_length": 3, "strategy": "LongestFirst", "stride": 0 },
            "padding": null,
            "added_tokens": [added(0, "<bos>"), added(1, "</s>"), added(2, "<end>"), added(3, "<pad>")],
            "normalizer": null,
            "pre_tokenizer": space,
            "post_processor": {
                "type": "TemplateProcessing",
                "single": [token("<bos>"), sequence("A"), token("</s>")],
                "pair": [sequence("A"), sequence("B")],
                "special_tokens": specials,
            },
            "decoder": space,
            "model": {
                "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
                "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
                "vocab": { "<bos>": 0, "</s>": 1, "<end>": 2, "<pad>": 3, "▁a": 4, "b": 5, "▁": 6, "a": 7, "▁b": 8, "\n": 9 },
                "merges": [["▁", "a"], ["▁", "b"]],
            },
        });
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), "tokenizer.json", &file.to_string());
        write(dir.path(), "tokenizer_config.json", config);
        dir
    }
}
