//! Single tokens and merges: what they are, and how `llama` is told the order of merges.

use super::{GgmlVocab, kind};
use crate::tokenizer::special::token_text;
use serde_json::Value;
use std::collections::BTreeMap;

/// Whether a token stands for a byte: `<0x0A>`.
pub(super) fn is_byte(token: &str) -> bool {
    let digits = token.strip_prefix("<0x").and_then(|rest| rest.strip_suffix('>'));
    digits.is_some_and(|digits| digits.len() == 2 && u8::from_str_radix(digits, 16).is_ok())
}

/// Added tokens that files do not say to be special although they are; llama.cpp's converter has the same list.
pub(super) fn looks_special(token: &str) -> bool {
    let within = |start: &str, end: &str| token.starts_with(start) && token.ends_with(end);
    ["<pad>", "<mask>", "<2mass>", "[@BOS@]"].contains(&token)
        || within("<|", "|>")
        || within("<｜", "｜>")
        || within("<unused", ">")
}

/// The merges of a `tokenizer.json`, of older layouts too.
pub(super) fn merges(file: &Value) -> Option<Vec<[String; 2]>> {
    let pair = |merge: &Value| match merge {
        Value::String(text) => text.split_once(' ').map(|(a, b)| [a.to_owned(), b.to_owned()]),
        other => Some([token_text(other.get(0)?)?.to_owned(), token_text(other.get(1)?)?.to_owned()]),
    };
    file["model"]["merges"].as_array()?.iter().map(pair).collect()
}

/// Scores by which SentencePiece's BPE, which joins the two pieces with the best sum, takes the merges in their order.
/// Pieces that no merge makes come last.
pub(super) fn scores(vocab: &GgmlVocab, merges: &[[String; 2]]) -> Vec<f32> {
    let mut rank: BTreeMap<String, usize> = BTreeMap::new();
    for (i, [a, b]) in merges.iter().enumerate() {
        rank.entry(format!("{a}{b}")).or_insert(i);
    }
    let score = |(token, kind): (&String, &i32)| match *kind {
        kind::NORMAL => -(*rank.get(token).unwrap_or(&merges.len()) as f32),
        kind::UNUSED => -10_000.0,
        kind::BYTE | kind::UNKNOWN => 0.0,
        _ => -1000.0,
    };
    vocab.tokens.iter().zip(&vocab.types).map(score).collect()
}
