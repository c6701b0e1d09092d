//! A token for each character.

use super::{
    Inner,
    train::{UNKNOWN, alphabet, failed, words},
};
use framework_base::Result;
use framework_recipe::TokenizerTraining;
use std::collections::HashMap;
use tokenizers::{
    SplitDelimiterBehavior,
    decoders::fuse::Fuse,
    models::wordlevel::WordLevel,
    pre_tokenizers::split::{Split, SplitPattern},
};

/// The commonest characters of the texts; the others are [`UNKNOWN`].
pub(super) fn train(
    training: &TokenizerTraining,
    room: usize,
    special: &[&str],
    texts: impl Iterator<Item = impl AsRef<str>>,
) -> Result<Inner> {
    let mut inner = Inner::new(WordLevel::default());
    let each = Split::new(SplitPattern::Regex(r"[\s\S]".into()), SplitDelimiterBehavior::Isolated, false);
    inner.with_pre_tokenizer(Some(each.map_err(failed)?));
    inner.with_decoder(Some(Fuse::new()));
    let characters = alphabet(&words(&inner, texts)?, training.min_frequency, room);
    let tokens = special.iter().map(|token| (*token).to_owned()).chain(characters.into_iter().map(String::from));
    let vocab: HashMap<String, u32> = tokens.zip(0..).collect();
    let model = WordLevel::builder().vocab(vocab.into_iter().collect()).unk_token(UNKNOWN.into());
    inner.with_model(model.build().map_err(failed)?);
    Ok(inner)
}
