//! Training pieces of words, as BERT has them.

use super::{
    Inner,
    train::{Names, Words, alphabet, failed, words},
    vocabulary::surrounded,
};
use framework_base::{Error, Result};
use framework_recipe::TokenizerTraining;
use std::collections::BTreeSet;
use tokenizers::{
    AddedToken, Trainer,
    decoders::wordpiece::WordPiece as Decoder,
    models::wordpiece::{WordPiece, WordPieceTrainer},
    normalizers::bert::BertNormalizer,
    pre_tokenizers::bert::BertPreTokenizer,
};

/// BERT's special tokens; `[SEP]` ends a sequence.
pub(super) const NAMES: Names = Names {
    tokens: &["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"],
    roles: &[
        ("cls_token", "[CLS]"),
        ("eos_token", "[SEP]"),
        ("mask_token", "[MASK]"),
        ("pad_token", "[PAD]"),
        ("sep_token", "[SEP]"),
        ("unk_token", "[UNK]"),
    ],
};

pub(super) fn train(
    training: &TokenizerTraining,
    room: usize,
    special: &[&str],
    texts: impl Iterator<Item = impl AsRef<str>>,
) -> Result<Inner> {
    let model = WordPiece::builder().unk_token("[UNK]".into()).build().map_err(failed)?;
    let mut inner = Inner::new(model.clone());
    let lower = training.lowercase;
    inner.with_normalizer(Some(BertNormalizer::new(true, true, Some(lower), lower))).map_err(failed)?;
    inner.with_pre_tokenizer(Some(BertPreTokenizer));
    let words = words(&inner, texts)?;
    let (letters, words) = letters(words, training.min_frequency, room);

    // The trainer gives ids in the order of a hash table; as special tokens, letters have the order that we give them.
    let first: Vec<_> = special.iter().map(|token| (*token).to_owned()).chain(letters).collect();
    let mut trainer = WordPieceTrainer::builder()
        .vocab_size(training.vocab_size)
        .min_frequency(training.min_frequency as u64)
        .show_progress(false)
        .special_tokens(first.into_iter().map(|token| AddedToken::from(token, true)).collect())
        .build();
    let repeated = words.iter().flat_map(|(word, count)| std::iter::repeat_n(word, *count as usize));
    trainer.feed(repeated, |word| Ok(vec![word.to_owned()])).map_err(failed)?;
    let mut model = model;
    trainer.train(&mut model).map_err(failed)?;
    let id = |token: &str| special.iter().position(|t| *t == token).map_or(0, |id| id as u32);
    let ids = ["[CLS]", "[SEP]"].map(|token| (token.to_owned(), id(token)));
    inner.with_model(model);
    inner.with_post_processor(Some(surrounded("[CLS]", "[SEP]", ids.to_vec()).map_err(Error::invalid)?));
    inner.with_decoder(Some(Decoder::new("##".into(), false)));
    Ok(inner)
}

/// The letters that words are put together from, as they begin words and, with `##`, as they go on; and the words that
/// have no others. Rare characters are left out until all have room.
fn letters(mut words: Words, min_frequency: usize, room: usize) -> (Vec<String>, Words) {
    let mut chars = alphabet(&words, min_frequency, room);
    loop {
        let known: BTreeSet<char> = chars.iter().copied().collect();
        words.retain(|word, _| word.chars().all(|c| known.contains(&c)));
        let inner: BTreeSet<char> = words.keys().flat_map(|word| word.chars().skip(1)).collect();
        if known.len() + inner.len() <= room || chars.len() <= 1 {
            let begin = known.into_iter().map(String::from);
            return (begin.chain(inner.into_iter().map(|c| format!("##{c}"))).collect(), words);
        }
        let over = (known.len() + inner.len() - room).div_ceil(2);
        chars.truncate(chars.len().saturating_sub(over).max(1));
    }
}
