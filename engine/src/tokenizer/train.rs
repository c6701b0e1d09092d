//! Training a tokenizer.

use super::{Inner, Tokenizer, special::Special};
use crate::{Error, Problem, Result, recipe::TokenizerKind};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use tokenizers::{
    AddedToken,
    models::{
        TrainerWrapper,
        bpe::{BPE, BpeTrainer},
    },
    pre_tokenizers::byte_level::ByteLevel,
};

/// Ends, and where a model wants it begins, a sequence; id 0 as in GPT-NeoX.
pub(super) const END: &str = "<|endoftext|>";
/// Fills batches up; id 1 as in GPT-NeoX.
pub(super) const PADDING: &str = "<|padding|>";

impl Tokenizer {
    /// Trains a tokenizer on texts. The same texts give the same tokenizer.
    ///
    /// Byte-level BPE as in GPT-2 (Radford et al., 2019): words are split off by GPT-2's pattern, the alphabet is the
    /// 256 bytes, so that every text can be encoded and decoding gives it back. The vocabulary may come out smaller
    /// than `vocab_size` if the texts have no more pairs to merge.
    ///
    /// # Errors
    /// A `vocab_size` below 258, which is the alphabet and the two special tokens.
    pub fn train(
        kind: TokenizerKind,
        vocab_size: usize,
        texts: impl Iterator<Item = impl AsRef<str> + Send> + Send,
    ) -> Result<Self> {
        match kind {
            TokenizerKind::ByteLevelBpe => byte_level_bpe(vocab_size, texts),
        }
    }
}

fn byte_level_bpe(vocab_size: usize, texts: impl Iterator<Item = impl AsRef<str> + Send> + Send) -> Result<Tokenizer> {
    if vocab_size < 258 {
        let message = format!("{vocab_size} is too small: 256 bytes and 2 special tokens need 258");
        return Err(Error::invalid(Problem::new(message).key("tokenizer.train.vocab_size")));
    }
    let failed = |e: tokenizers::Error| Error::failed(format!("training the tokenizer failed: {e}"));
    let mut inner = Inner::new(BPE::default());
    let bytes = ByteLevel::new(false, true, true);
    inner.with_pre_tokenizer(Some(bytes)).with_decoder(Some(bytes)).with_post_processor(Some(bytes));
    let trainer = BpeTrainer::builder()
        .vocab_size(vocab_size)
        .show_progress(false)
        .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
        .special_tokens(vec![AddedToken::from(END, true), AddedToken::from(PADDING, true)])
        .build();
    inner.train(&mut TrainerWrapper::from(trainer), texts).map_err(failed)?;

    let tokenizer = config();
    let mut files = BTreeMap::new();
    let pretty = |value: &Map<String, Value>| serde_json::to_vec_pretty(value).unwrap_or_default();
    files.insert("tokenizer.json".to_owned(), inner.to_string(true).map_err(failed)?.into_bytes());
    files.insert("tokenizer_config.json".to_owned(), pretty(&tokenizer));
    let mut map = tokenizer.clone();
    map.retain(|key, _| key.ends_with("_token"));
    files.insert("special_tokens_map.json".to_owned(), pretty(&map));
    let special = Special { tokenizer, map, ..Special::default() };
    Tokenizer::assemble(inner, special, None, files).map_err(Error::invalid)
}

/// What `AutoTokenizer` wants to know.
fn config() -> Map<String, Value> {
    let special = |content: &str| json!({ "content": content, "lstrip": false, "normalized": false, "rstrip": false, "single_word": false, "special": true });
    let config = json!({
        "added_tokens_decoder": { "0": special(END), "1": special(PADDING) },
        "bos_token": END,
        "clean_up_tokenization_spaces": false,
        "eos_token": END,
        // transformers' own way of saying that there is no limit
        "model_max_length": 1e30,
        "pad_token": PADDING,
        "tokenizer_class": "PreTrainedTokenizerFast",
        "unk_token": END,
    });
    match config {
        Value::Object(config) => config,
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokenizer::tests::{CORPUS, trained};

    #[test]
    fn special_tokens_have_the_first_ids() {
        let t = trained();
        assert_eq!((t.eos.clone(), t.bos, t.pad), (vec![0], Some(0), 1));
        assert_eq!((t.token(0).unwrap().as_str(), t.token(1).unwrap().as_str()), (END, PADDING));
        assert!(!t.adds_bos());
        assert_eq!(t.encode("the<|endoftext|>", true).unwrap().last(), Some(&0));
    }

    /// Expected: the Python package tokenizers 0.23.3, trained on the same texts with the same settings.
    #[test]
    fn merges_are_those_of_the_reference() {
        let t = trained();
        let ids = t.encode("The fox 春天🙂<|endoftext|>", false).unwrap();
        assert_eq!(ids, [267, 295, 222, 292, 174, 255, 249, 226, 0]);
        assert_eq!(t.vocab_size(), 300);
    }

    #[test]
    fn every_text_comes_back() {
        let t = trained();
        for text in ["", " ", "The cat.", "春天来了，", "🙂👩‍👩‍👧", "tab\tand\r\nline", "e\u{301} \u{1f1e8}\u{1f1f3}"]
        {
            assert_eq!(t.decode(&t.encode(text, false).unwrap(), false).unwrap(), text);
        }
    }

    #[test]
    fn training_again_gives_the_same_files() {
        let again = Tokenizer::train(TokenizerKind::ByteLevelBpe, 300, CORPUS.iter()).unwrap();
        assert_eq!(trained().files, again.files);
    }

    #[test]
    fn a_saved_tokenizer_loads_as_it_was() {
        let (t, dir) = (trained(), tempfile::tempdir().unwrap());
        t.save(dir.path()).unwrap();
        let loaded = Tokenizer::load(dir.path()).unwrap();
        assert_eq!((loaded.eos.clone(), loaded.pad, loaded.bos), (t.eos.clone(), t.pad, t.bos));
        assert_eq!((loaded.vocab_size(), loaded.files.clone()), (t.vocab_size(), t.files.clone()));
        let text = CORPUS.concat();
        assert_eq!(loaded.encode(&text, true).unwrap(), t.encode(&text, true).unwrap());
    }

    #[test]
    fn a_vocabulary_smaller_than_the_alphabet_is_refused() {
        let e = Tokenizer::train(TokenizerKind::ByteLevelBpe, 257, CORPUS.iter()).unwrap_err();
        assert!(e.exit_code() == 2 && e.to_string().contains("258"), "{e}");
    }
}
