//! Training a tokenizer.

use super::{Inner, Tokenizer, character, special::Special, unigram, wordpiece};
use framework_base::{Error, Problem, Result};
use framework_recipe::{TokenizerKind, TokenizerTraining};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use tokenizers::{
    AddedToken, Normalizer, OffsetReferential, OffsetType, PreTokenizedString, PreTokenizer,
    models::{
        TrainerWrapper,
        bpe::{BPE, BpeTrainer},
    },
    normalizer::NormalizedString,
    pre_tokenizers::byte_level::ByteLevel,
};

/// Ends, and where a model wants it begins, a sequence; id 0 as in GPT-NeoX.
pub(super) const END: &str = "<|endoftext|>";
/// Fills batches up; id 1 as in GPT-NeoX.
pub(super) const PADDING: &str = "<|padding|>";
/// Stands for what the vocabulary does not have.
pub(super) const UNKNOWN: &str = "<|unknown|>";

/// Special tokens of a kind, which have the first ids, and what they are for.
pub(super) struct Names {
    pub tokens: &'static [&'static str],
    pub roles: &'static [(&'static str, &'static str)],
}

const BYTE_LEVEL: Names = Names {
    tokens: &[END, PADDING],
    roles: &[("bos_token", END), ("eos_token", END), ("pad_token", PADDING), ("unk_token", END)],
};
/// Of unigram and character tokenizers.
const TEXT: Names = Names {
    tokens: &[END, PADDING, UNKNOWN],
    roles: &[("bos_token", END), ("eos_token", END), ("pad_token", PADDING), ("unk_token", UNKNOWN)],
};

/// How often each word, or whatever the pre-tokenizer makes of the texts, occurs.
pub(super) type Words = BTreeMap<String, u64>;

impl Tokenizer {
    /// Trains a tokenizer on texts. The same texts give the same tokenizer.
    ///
    /// The vocabulary may come out smaller than `vocab_size` if the texts have no more to give.
    ///
    /// # Errors
    /// A `vocab_size` that has no room for the special tokens and the alphabet; no text at all.
    pub fn train(
        training: &TokenizerTraining,
        texts: impl Iterator<Item = impl AsRef<str> + Send> + Send,
    ) -> Result<Self> {
        let names = match training.kind {
            TokenizerKind::ByteLevelBpe => &BYTE_LEVEL,
            TokenizerKind::WordPiece => &wordpiece::NAMES,
            TokenizerKind::Unigram | TokenizerKind::Character => &TEXT,
        };
        let more = training.special_tokens.iter().map(String::as_str).filter(|t| !names.tokens.contains(t));
        let special: Vec<&str> = names.tokens.iter().copied().chain(more).collect();
        let alphabet = if training.kind == TokenizerKind::ByteLevelBpe { 256 } else { 1 };
        let least = special.len() + alphabet;
        let wrong = |message: String| Error::invalid(Problem::new(message).key("tokenizer.train.vocab_size"));
        if training.vocab_size < least {
            let of = if alphabet == 1 { "a character".to_owned() } else { format!("{alphabet} bytes") };
            let (size, n) = (training.vocab_size, special.len());
            return Err(wrong(format!("{size} is too small: {of} and {n} special tokens need {least}")));
        }
        let room = training.vocab_size - special.len();
        let mut inner = match training.kind {
            TokenizerKind::ByteLevelBpe => byte_level_bpe(training, texts)?,
            TokenizerKind::WordPiece => wordpiece::train(training, room, &special, texts)?,
            TokenizerKind::Unigram => unigram::train(training, room, &special, texts)?,
            TokenizerKind::Character => character::train(training, room, &special, texts)?,
        };
        inner.add_special_tokens(special.iter().map(|token| AddedToken::from(*token, true))).map_err(failed)?;
        save(inner, &special, names)
    }
}

pub(super) fn failed(e: impl std::fmt::Display) -> Error {
    Error::failed(format!("training the tokenizer failed: {e}"))
}

/// The tokenizer with the files that `AutoTokenizer` wants.
fn save(inner: Inner, special: &[&str], names: &Names) -> Result<Tokenizer> {
    let token = |content: &str| json!({ "content": content, "lstrip": false, "normalized": false, "rstrip": false, "single_word": false, "special": true });
    let decoder: Map<_, _> = special.iter().enumerate().map(|(id, text)| (id.to_string(), token(text))).collect();
    let mut tokenizer = Map::new();
    tokenizer.insert("added_tokens_decoder".into(), decoder.into());
    let more = &special[names.tokens.len()..];
    if !more.is_empty() {
        tokenizer.insert("additional_special_tokens".into(), json!(more));
    }
    tokenizer.insert("clean_up_tokenization_spaces".into(), false.into());
    // transformers' own way of saying that there is no limit
    tokenizer.insert("model_max_length".into(), 1e30.into());
    tokenizer.insert("tokenizer_class".into(), "PreTrainedTokenizerFast".into());
    let roles: Map<String, Value> = names.roles.iter().map(|(role, text)| ((*role).into(), (*text).into())).collect();
    tokenizer.extend(roles.clone());

    let pretty = |value: &Map<String, Value>| serde_json::to_vec_pretty(value).unwrap_or_default();
    let files = BTreeMap::from([
        ("tokenizer.json".to_owned(), inner.to_string(true).map_err(failed)?.into_bytes()),
        ("tokenizer_config.json".to_owned(), pretty(&tokenizer)),
        ("special_tokens_map.json".to_owned(), pretty(&roles)),
    ]);
    let special = Special { tokenizer, map: roles, ..Special::default() };
    Tokenizer::assemble(inner, special, BTreeMap::new(), files).map_err(Error::invalid)
}

/// Words are split off by GPT-2's pattern (Radford et al., 2019), the alphabet is the 256 bytes, so that every text can
/// be encoded and decoding gives it back.
fn byte_level_bpe(
    training: &TokenizerTraining,
    texts: impl Iterator<Item = impl AsRef<str> + Send> + Send,
) -> Result<Inner> {
    let mut inner = Inner::new(BPE::default());
    let bytes = ByteLevel::new(false, true, true);
    inner.with_pre_tokenizer(Some(bytes)).with_decoder(Some(bytes)).with_post_processor(Some(bytes));
    let special = BYTE_LEVEL.tokens.iter().copied().chain(training.special_tokens.iter().map(String::as_str));
    let trainer = BpeTrainer::builder()
        .vocab_size(training.vocab_size)
        .min_frequency(training.min_frequency as u64)
        .show_progress(false)
        .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
        .special_tokens(special.map(|token| AddedToken::from(token, true)).collect())
        .build();
    inner.train(&mut TrainerWrapper::from(trainer), texts).map_err(failed)?;
    Ok(inner)
}

/// The words that a tokenizer's normalizer and pre-tokenizer make of texts.
pub(super) fn words(inner: &Inner, texts: impl Iterator<Item = impl AsRef<str>>) -> Result<Words> {
    let mut words = Words::new();
    for text in texts {
        let mut normalized = NormalizedString::from(text.as_ref());
        if let Some(normalizer) = inner.get_normalizer() {
            normalizer.normalize(&mut normalized).map_err(failed)?;
        }
        let mut pieces = PreTokenizedString::from(normalized);
        if let Some(splitter) = inner.get_pre_tokenizer() {
            splitter.pre_tokenize(&mut pieces).map_err(failed)?;
        }
        for (word, ..) in pieces.get_splits(OffsetReferential::Original, OffsetType::None) {
            match words.get_mut(word) {
                Some(count) => *count += 1,
                None => _ = words.insert(word.to_owned(), 1),
            }
        }
    }
    if words.keys().all(|word| word.is_empty()) {
        let problem = Problem::new("there is no text to train a tokenizer on").key("tokenizer.train");
        return Err(Error::invalid(problem.help("look at the datasets' paths and fields, or at the files given")));
    }
    Ok(words)
}

/// The commonest characters of words, at most `room` of them; the first code point goes first where all else is equal.
pub(super) fn alphabet(words: &Words, min_frequency: usize, room: usize) -> Vec<char> {
    let mut counts: BTreeMap<char, u64> = BTreeMap::new();
    for (word, count) in words {
        word.chars().for_each(|c| *counts.entry(c).or_default() += count);
    }
    let mut chars: Vec<_> = counts.into_iter().filter(|(_, count)| *count >= min_frequency as u64).collect();
    chars.sort_by_key(|(c, count)| (std::cmp::Reverse(*count), *c));
    chars.truncate(room);
    chars.into_iter().map(|(c, _)| c).collect()
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
        let again = Tokenizer::train(&TokenizerTraining::new(TokenizerKind::ByteLevelBpe, 300), CORPUS.iter()).unwrap();
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
        let e = Tokenizer::train(&TokenizerTraining::new(TokenizerKind::ByteLevelBpe, 257), CORPUS.iter()).unwrap_err();
        assert!(e.exit_code() == 2 && e.to_string().contains("258"), "{e}");
    }
}
