//! Which tokens begin, end and fill up sequences.

use framework_base::Problem;
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// End tokens of tokenizers that come without a word about them.
const COMMON_ENDS: &[&str] =
    &["<|endoftext|>", "</s>", "<|im_end|>", "<|end_of_text|>", "<eos>", "<|end▁of▁sentence|>", "[SEP]"];

/// What the files of a model folder say about special tokens.
#[derive(Default)]
pub(super) struct Special {
    /// `tokenizer_config.json`
    pub tokenizer: Map<String, Value>,
    /// `special_tokens_map.json`
    pub map: Map<String, Value>,
    /// `generation_config.json`
    pub generation: Map<String, Value>,
    /// `config.json`
    pub model: Map<String, Value>,
    /// `added_tokens.json`
    pub added: Map<String, Value>,
}

impl Special {
    /// End tokens: first the tokenizer's own, which texts are trained to end with, then those at which the model's
    /// generation stops.
    pub fn eos(&self, known: impl Fn(&str) -> Option<u32>, vocab: usize) -> Result<Vec<u32>, Problem> {
        let mut eos = Vec::new();
        let text = self.text("eos");
        if let Some(text) = text {
            eos.push(known(text).ok_or_else(|| unknown(text))?);
        }
        // The model's configuration only counts where there is none for generation, as in transformers.
        let stops = if self.generation.is_empty() { &self.model } else { &self.generation };
        eos.extend(ids(stops.get("eos_token_id"), vocab));
        if eos.is_empty() {
            let other = self.text("sep").and_then(&known).or_else(|| COMMON_ENDS.iter().find_map(|t| known(t)));
            eos.extend(other);
        }
        if eos.is_empty() {
            return Err(Problem::new("no end-of-sequence token is known")
                .help("name it in the `tokenizer_config.json` beside it: `{\"eos_token\": \"…\"}`"));
        }
        let mut seen = BTreeSet::new();
        eos.retain(|id| seen.insert(*id));
        Ok(eos)
    }

    /// The token of another purpose: `bos`, `pad`.
    pub fn one(&self, purpose: &str, known: impl Fn(&str) -> Option<u32>, vocab: usize) -> Option<u32> {
        let key = format!("{purpose}_token_id");
        let id = |file: &Map<String, Value>| ids(file.get(&key), vocab).next();
        self.text(purpose).and_then(known).or_else(|| id(&self.generation)).or_else(|| id(&self.model))
    }

    /// Special tokens without a purpose of their own.
    pub fn more(&self) -> Vec<Value> {
        let lists = ["additional_special_tokens", "extra_special_tokens"].map(|key| self.tokenizer.get(key));
        lists.into_iter().flatten().filter_map(Value::as_array).flatten().cloned().collect()
    }

    /// What the tokenizer's files name a token, e.g. `eos_token`.
    pub fn named(&self) -> Map<String, Value> {
        let named = self.tokenizer.iter().chain(&self.map).filter(|(name, _)| name.ends_with("_token"));
        let mut all = Map::new();
        for (name, token) in named.filter(|(_, value)| token_text(value).is_some()) {
            all.entry(name.clone()).or_insert(token.clone());
        }
        all
    }

    fn text(&self, purpose: &str) -> Option<&str> {
        let key = format!("{purpose}_token");
        [&self.tokenizer, &self.map].into_iter().find_map(|file| token_text(file.get(&key)?))
    }
}

/// A token is written as its text or as an object with its text.
pub(super) fn token_text(value: &Value) -> Option<&str> {
    value.as_str().or_else(|| value.get("content")?.as_str())
}

/// One id or a list of them; what lies outside the vocabulary (some files say -1) is left out.
fn ids(value: Option<&Value>, vocab: usize) -> impl Iterator<Item = u32> {
    let list = match value {
        Some(Value::Array(list)) => list.clone(),
        Some(one) => vec![one.clone()],
        None => Vec::new(),
    };
    list.into_iter().filter_map(|id| id.as_u64()).filter(move |id| (*id as usize) < vocab).map(|id| id as u32)
}

fn unknown(token: &str) -> Problem {
    Problem::new(format!(
        "the end token `{token}` that `tokenizer_config.json` or `special_tokens_map.json` names is not in the vocabulary"
    ))
    .help("add it to the `added_tokens` of `tokenizer.json`, or name a token that is there")
}
