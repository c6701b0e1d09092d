//! `tokenizer.json` of BPE tokenizers, read in one pass.
//!
//! The tokenizers library reads a model of unknown kind into a tree of JSON values first, and the merges of a BPE model,
//! which have two forms, into a tree in any case. With a vocabulary of 262144 words, that takes several times the memory
//! and the time of the tokenizer itself.

use super::Inner;
use serde::{
    Deserialize, Deserializer,
    de::{Error, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use std::fmt;
use tokenizers::{
    AddedToken, DecoderWrapper, NormalizerWrapper, PostProcessorWrapper, PreTokenizerWrapper,
    models::bpe::{BPE, BpeBuilder, Vocab},
};

/// What the library reads of a `tokenizer.json`. Padding and truncation are the data pipeline's.
#[derive(Deserialize)]
struct File {
    #[serde(default)]
    version: Version,
    #[serde(default)]
    added_tokens: Vec<Added>,
    normalizer: Option<NormalizerWrapper>,
    pre_tokenizer: Option<PreTokenizerWrapper>,
    post_processor: Option<PostProcessorWrapper>,
    decoder: Option<DecoderWrapper>,
    model: Model,
}

/// The one version that there is.
#[derive(Deserialize, Default)]
enum Version {
    #[default]
    #[serde(rename = "1.0")]
    One,
}

#[derive(Deserialize)]
struct Added {
    #[serde(rename = "id")]
    _id: IgnoredAny,
    #[serde(flatten)]
    token: AddedToken,
}

#[derive(Deserialize)]
enum Kind {
    #[serde(rename = "BPE")]
    Bpe,
}

#[derive(Deserialize)]
struct Model {
    #[serde(rename = "type")]
    _kind: Kind,
    dropout: Option<f32>,
    unk_token: Option<String>,
    continuing_subword_prefix: Option<String>,
    end_of_word_suffix: Option<String>,
    #[serde(default)]
    fuse_unk: bool,
    #[serde(default)]
    byte_fallback: bool,
    #[serde(default)]
    ignore_merges: bool,
    vocab: Words,
    merges: Vec<Merge>,
}

/// A vocabulary. Read as a list, whose length is known before the table is made: a table that grows is filled several times.
struct Words(Vec<(String, u32)>);

impl<'de> Deserialize<'de> for Words {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = Words;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("an object of tokens and ids")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Words, A::Error> {
                let mut words = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    words.push(entry);
                }
                Ok(Words(words))
            }
        }
        deserializer.deserialize_map(Entries)
    }
}

/// Two tokens that become one: `["a", "b"]` or, as older files have it, `"a b"`.
struct Merge(String, String);

impl<'de> Deserialize<'de> for Merge {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pair;
        impl<'de> Visitor<'de> for Pair {
            type Value = Merge;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("two tokens")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Merge, E> {
                let pair = text.split_once(' ').filter(|(_, b)| !b.contains(' '));
                let (a, b) = pair.ok_or_else(|| E::custom("a merge is not two tokens"))?;
                Ok(Merge(a.to_owned(), b.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut pair: A) -> Result<Merge, A::Error> {
                match (pair.next_element()?, pair.next_element()?, pair.next_element::<IgnoredAny>()?) {
                    (Some(a), Some(b), None) => Ok(Merge(a, b)),
                    _ => Err(A::Error::custom("a merge is not two tokens")),
                }
            }
        }
        deserializer.deserialize_any(Pair)
    }
}

impl Model {
    fn build(self) -> tokenizers::Result<BPE> {
        let merges = self.merges.into_iter().map(|Merge(a, b)| (a, b)).collect();
        let mut builder = BpeBuilder::new().vocab_and_merges(self.vocab.0.into_iter().collect::<Vocab>(), merges);
        if let Some(dropout) = self.dropout {
            builder = builder.dropout(dropout);
        }
        if let Some(token) = self.unk_token {
            builder = builder.unk_token(token);
        }
        if let Some(prefix) = self.continuing_subword_prefix {
            builder = builder.continuing_subword_prefix(prefix);
        }
        if let Some(suffix) = self.end_of_word_suffix {
            builder = builder.end_of_word_suffix(suffix);
        }
        builder.fuse_unk(self.fuse_unk).byte_fallback(self.byte_fallback).ignore_merges(self.ignore_merges).build()
    }
}

/// The tokenizer of a `tokenizer.json` with a BPE model; of another, an error.
pub(super) fn parsed(bytes: &[u8]) -> tokenizers::Result<Inner> {
    let file: File = framework_base::json::from_slice(bytes)?;
    let Version::One = file.version;
    let mut inner = Inner::new(file.model.build()?);
    inner.with_normalizer(file.normalizer)?;
    inner.with_pre_tokenizer(file.pre_tokenizer);
    inner.with_post_processor(file.post_processor);
    inner.with_decoder(file.decoder);
    inner.add_tokens(file.added_tokens.into_iter().map(|added| added.token))?;
    Ok(inner)
}

#[cfg(test)]
#[path = "bpe_tests.rs"]
mod tests;
