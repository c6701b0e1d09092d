//! Between records and sequences of tokens: data sets and their mixture, prompt templates, tokenizers, packing, batches,
//! the token cache; and tokens read back as text.

pub mod data;
mod reader;
pub mod tokenizer;
mod verse;

pub use reader::{Reader, Transcript};
