//! What a GGUF file says, as families read it.

use super::Unfit;
use crate::gguf::{GgufFile, Meta};

/// A file and the name of its architecture.
pub struct Found<'a> {
    /// The `model_type` that it is read as.
    pub kind: &'a str,
    pub file: &'a GgufFile,
    pub arch: &'a str,
}

impl Found<'_> {
    /// What the file says of the architecture under a key.
    pub fn get(&self, key: &str) -> Option<&Meta> {
        self.file.entries().get(&format!("{}.{key}", self.arch))
    }

    /// A whole number.
    pub fn int(&self, key: &str) -> Result<usize, Unfit> {
        self.get(key).and_then(Meta::number).ok_or_else(|| self.lacks(key))
    }

    /// A fraction.
    pub fn float(&self, key: &str) -> Result<f64, Unfit> {
        self.maybe_float(key).ok_or_else(|| self.lacks(key))
    }

    /// A fraction, if it is there.
    pub fn maybe_float(&self, key: &str) -> Option<f64> {
        self.get(key)?.fraction()
    }

    /// Whether there is a tensor.
    pub fn has(&self, tensor: &str) -> bool {
        self.file.info(tensor).is_some()
    }

    /// The numbers of a tensor, if it is there.
    pub fn numbers(&self, tensor: &str) -> Option<Vec<f64>> {
        self.has(tensor).then(|| self.file.tensor(tensor).ok())?.map(|list| list.into_iter().map(f64::from).collect())
    }

    /// How many tokens there are: rows of the embeddings.
    pub fn vocab(&self) -> Result<usize, Unfit> {
        let info = self.file.info("token_embd.weight").ok_or("there is no tensor `token_embd.weight`")?;
        info.shape.first().copied().ok_or_else(|| "`token_embd.weight` has no rows".to_owned())
    }

    /// Elements of a head.
    pub fn head_size(&self) -> Result<usize, Unfit> {
        match self.get("attention.key_length").and_then(Meta::number) {
            Some(size) => Ok(size),
            None => Ok(self.int("embedding_length")? / self.int("attention.head_count")?.max(1)),
        }
    }

    fn lacks(&self, key: &str) -> Unfit {
        format!("it does not say `{}.{key}`, or not as a number of its kind", self.arch)
    }
}
