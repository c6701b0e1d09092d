//! What gives next-token scores.

use crate::{
    error::Result,
    executor::{Cache, Network},
};
use std::sync::{Arc, Mutex, PoisonError};

/// A model that scores next tokens: a network.
pub trait LanguageModel {
    /// Size of the vocabulary.
    fn vocab(&self) -> usize;

    /// Most tokens of a sequence, if there is a limit.
    fn positions(&self) -> Option<usize>;

    /// Reads prompts; gives the logits `[prompts, vocab]` that follow, and what goes on from there. Shorter prompts are
    /// filled up with `pad`, which takes no part.
    fn begin(&self, prompts: &[Vec<u32>], pad: u32) -> Result<(Box<dyn Continuation + '_>, Vec<f32>)>;
}

/// Rows under way.
pub trait Continuation {
    /// Makes row `parents[i]`, with `tokens[i]` after it, the new row `i`; gives the logits `[rows, vocab]` that follow.
    fn step(&mut self, parents: &[u32], tokens: &[u32]) -> Result<Vec<f32>>;
}

impl LanguageModel for Arc<Network> {
    fn vocab(&self) -> usize {
        self.spec().vocab_size
    }

    fn positions(&self) -> Option<usize> {
        self.spec().max_positions
    }

    fn begin(&self, prompts: &[Vec<u32>], pad: u32) -> Result<(Box<dyn Continuation + '_>, Vec<f32>)> {
        let (cache, logits) = self.prefill(prompts, pad)?;
        Ok((Box::new(Cached { network: self, cache }), logits))
    }
}

/// A network and its keys and values so far.
struct Cached<'a> {
    network: &'a Arc<Network>,
    cache: Arc<Mutex<Cache>>,
}

impl Continuation for Cached<'_> {
    fn step(&mut self, parents: &[u32], tokens: &[u32]) -> Result<Vec<f32>> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner).reorder(parents)?;
        Ok(self.network.step(&self.cache, tokens)?)
    }
}
