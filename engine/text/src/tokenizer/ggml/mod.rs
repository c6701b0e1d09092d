//! Tokenizers as GGUF files hold them, and back.
//!
//! llama.cpp has tokenizers of its own, which a file chooses from. Two of them are used: `gpt2`, byte-level BPE by merges,
//! whose splitting into words is one of a list (`pre`); and `llama`, SentencePiece's BPE by scores, with bytes for what
//! the vocabulary lacks.

mod back;
mod pieces;
mod pre;

use super::Tokenizer;
use framework_base::{Problem, Result};
use pieces::{is_byte, looks_special, merges, scores};
use serde_json::Value;
use std::collections::BTreeMap;

/// A tokenizer as GGUF has it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct GgmlVocab {
    /// `gpt2` or `llama`.
    pub model: String,
    /// How texts are split into words.
    pub pre: String,
    /// The text of each token.
    pub tokens: Vec<String>,
    /// What the tokenizer `llama` prefers; empty for `gpt2`.
    pub scores: Vec<f32>,
    /// What each token is: see [`kind`].
    pub types: Vec<i32>,
    /// The merges of `gpt2`, best first; empty for `llama`.
    pub merges: Vec<String>,
    /// The token that begins a sequence.
    pub bos: Option<u32>,
    /// Tokens that end a sequence: the tokenizer's own, that of a turn, and that of a message; at most three.
    pub ends: Vec<u32>,
    /// The token for what the vocabulary lacks.
    pub unknown: Option<u32>,
    /// The token that fills batches up, where it has no other purpose.
    pub padding: Option<u32>,
    /// Whether the tokenizer itself begins texts with [`GgmlVocab::bos`].
    pub adds_bos: bool,
    /// Whether texts are taken to begin with a space; only for `llama`.
    pub adds_space: bool,
    /// The chat template.
    pub chat_template: Option<String>,
    /// Other chat templates by name.
    pub chat_templates: BTreeMap<String, String>,
}

/// What a token is: the values of `tokenizer.ggml.token_type`.
pub mod kind {
    /// Text.
    pub const NORMAL: i32 = 1;
    /// Stands for what the vocabulary lacks.
    pub const UNKNOWN: i32 = 2;
    /// Is not text.
    pub const CONTROL: i32 = 3;
    /// Text that is found before anything else.
    pub const USER_DEFINED: i32 = 4;
    /// Nothing: the model has more rows than the tokenizer has tokens.
    pub const UNUSED: i32 = 5;
    /// A byte.
    pub const BYTE: i32 = 6;
}

/// Tokens that llama.cpp ends an answer at because of what they are called, whatever a file says.
const ENDS_BY_NAME: &[&str] = &[
    "<|eot_id|>",
    "<|im_end|>",
    "<|end|>",
    "<|return|>",
    "<|call|>",
    "<|flush|>",
    "<|calls|>",
    "<end_of_turn>",
    "<|endoftext|>",
    "</s>",
    "<|eom_id|>",
    "<EOT>",
    "_<EOT>",
    "[EOT]",
    "[EOS]",
    "<|end_of_text|>",
    "<end_of_utterance>",
];
/// Room for end tokens: `eos`, `eot` and `eom`.
const MOST_ENDS: usize = 3;

impl GgmlVocab {
    /// Every token at which llama.cpp ends an answer.
    pub fn stops(&self) -> Vec<u32> {
        let named = |text: &String| ENDS_BY_NAME.contains(&text.as_str());
        let by_name = self.tokens.iter().enumerate().filter(|(_, text)| named(text)).map(|(id, _)| id as u32);
        let mut all = self.ends.clone();
        all.extend(by_name.filter(|id| !self.ends.contains(id)));
        all
    }
}

impl Tokenizer {
    /// The tokenizer as GGUF has it, for a model with `rows` embeddings that ends answers at `stops`.
    ///
    /// # Errors
    /// llama.cpp has no such tokenizer; more end tokens than GGUF has room for; more tokens than rows.
    pub fn ggml(&self, rows: usize, stops: &[u32]) -> Result<GgmlVocab, Problem> {
        let unfit = |reason: String| {
            let help = "export it as a Hugging Face folder: --format hf";
            Problem::new(format!("the tokenizer cannot be written to GGUF: {reason}")).key("--format").help(help)
        };
        if self.vocab_size() > rows {
            let (tokens, most) = (self.vocab_size(), rows);
            return Err(unfit(format!("it has {tokens} tokens, but the model has {most} embeddings")));
        }
        let file = self.inner.to_string(false).map_err(|e| unfit(e.to_string()))?;
        let file: Value = serde_json::from_str(&file).map_err(|e| unfit(e.to_string()))?;
        let (model, pre, adds_space) = self.described(&file).map_err(unfit)?;
        let bytes = model == "gpt2";
        let mut tokens: Vec<String> = (0..rows).map(|id| format!("[PAD{id}]")).collect();
        let mut types = vec![kind::UNUSED; rows];
        for (token, id) in self.inner.get_vocab(true) {
            types[id as usize] = if !bytes && is_byte(&token) { kind::BYTE } else { kind::NORMAL };
            tokens[id as usize] = token;
        }
        let named = self.named_tokens();
        let of = |name: &str| named.get(name).and_then(|token| self.id(token));
        let unknown = of("unk_token").or_else(|| self.id(file["model"]["unk_token"].as_str()?));
        for (id, token) in self.inner.get_added_tokens_decoder() {
            let control = token.special || looks_special(&token.content);
            types[id as usize] = if control { kind::CONTROL } else { kind::USER_DEFINED };
            // llama.cpp looks for these in the text as it is, before spaces become marks.
            tokens[id as usize] = if control { token.content } else { token.content.replace('▁', " ") };
        }
        if let Some(unknown) = unknown.filter(|_| !bytes) {
            types[unknown as usize] = kind::UNKNOWN;
        }
        let mut vocab = GgmlVocab {
            model: model.to_owned(),
            pre,
            tokens,
            types,
            bos: self.bos,
            ends: self.ends(stops).map_err(unfit)?,
            unknown,
            padding: of("pad_token"),
            adds_bos: self.adds_bos(),
            adds_space,
            chat_template: self.chat_template.clone(),
            chat_templates: self.chat_templates.clone(),
            ..GgmlVocab::default()
        };
        let merges = merges(&file).ok_or_else(|| unfit("its merges cannot be read".into()))?;
        if bytes {
            let escaped = |part: &String| part.replace(' ', "Ġ");
            vocab.merges = merges.iter().map(|[a, b]| format!("{} {}", escaped(a), escaped(b))).collect();
        } else {
            vocab.scores = scores(&vocab, &merges);
        }
        Ok(vocab)
    }

    /// Which of llama.cpp's tokenizers it is, how it splits texts, and whether it puts a space before them.
    fn described(&self, file: &Value) -> Result<(&'static str, String, bool), String> {
        let (model, normalizer) = (&file["model"], &file["normalizer"]);
        let kind = model["type"].as_str().unwrap_or("BPE");
        if kind != "BPE" {
            return Err(format!("it is of the kind {kind}; llama.cpp has byte-level BPE and BPE with byte fallback"));
        }
        let affix = ["continuing_subword_prefix", "end_of_word_suffix"];
        if let Some(key) = affix.iter().find(|key| model[**key].as_str().is_some_and(|text| !text.is_empty())) {
            return Err(format!("its vocabulary has a `{key}`"));
        }
        if model["byte_fallback"] == true {
            return Ok(("llama", "default".to_owned(), pre::space(normalizer, &file["pre_tokenizer"])?));
        }
        // NFC is left out by llama.cpp, too: texts are expected to have it.
        if !normalizer.is_null() && normalizer["type"] != "NFC" {
            return Err(format!("it changes texts by {} first", normalizer["type"]));
        }
        let merging = model["ignore_merges"] != true;
        match pre::named(&file["pre_tokenizer"], merging).or_else(|| pre::by_hash(self)) {
            Some(pre) => Ok(("gpt2", pre.to_owned(), false)),
            None => Err(format!(
                "it splits texts into words as llama.cpp does not: {}; known are {}",
                file["pre_tokenizer"],
                pre::known()
            )),
        }
    }

    /// The end tokens, the tokenizer's own first; those that llama.cpp knows by their names need no room.
    fn ends(&self, stops: &[u32]) -> Result<Vec<u32>, String> {
        let own = self.end();
        let mut more: Vec<u32> = stops.iter().copied().filter(|id| *id != own).collect();
        let by_name = |id: &u32| self.token(*id).is_some_and(|token| ENDS_BY_NAME.contains(&token.as_str()));
        more.sort_by_key(|id| by_name(id));
        let needed = more.iter().filter(|id| !by_name(id)).count();
        if needed + 1 > MOST_ENDS {
            let names: Vec<_> = more.iter().filter_map(|id| self.token(*id)).collect();
            return Err(format!("GGUF has room for {MOST_ENDS} end tokens, and there are more: {}", names.join(", ")));
        }
        more.truncate(MOST_ENDS - 1);
        Ok([&[own], more.as_slice()].concat())
    }
}

#[cfg(test)]
mod tests;
