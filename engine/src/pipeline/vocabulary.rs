//! Whether a model has embeddings for the tokens that are put into it.
//!
//! A tokenizer may have more tokens than its model, as those of Gemma 3 and of Llama 2 with an added padding token
//! have: only tokens that occur matter.

use framework_base::{Error, Problem, Result};
use framework_text::{data::Sequence, tokenizer::Tokenizer};

/// # Errors
/// A token that the model does not know: [`Error::Invalid`] with its text and number.
pub fn covers<'a>(
    vocab: usize,
    tokenizer: &Tokenizer,
    sequences: impl IntoIterator<Item = &'a Sequence>,
) -> Result<()> {
    let ids = sequences.into_iter().flat_map(|sequence| &sequence.ids);
    let Some(id) = ids.copied().find(|id| *id as usize >= vocab) else { return Ok(()) };
    let token = tokenizer.token(id).unwrap_or_default();
    let message =
        format!("the data have the token `{token}` (number {id}), but the model's vocabulary has only {vocab}");
    Err(Error::invalid(
        Problem::new(message)
            .key("tokenizer")
            .help("use the tokenizer that belongs to the model, or leave this token out of the data"),
    ))
}
