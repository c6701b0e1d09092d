//! Decoders.

use crate::{Options, PluginError, Result, raise};
use serde::{Deserialize, Serialize};

/// What a decoder wants from the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DecoderTraits {
    /// Rows of the batch that each prompt starts with: the number of beams, or 1.
    pub rows_per_prompt: usize,
    /// Whether it draws at random, so that temperature, top-k, top-p and min-p apply.
    pub sample: bool,
    /// Whether scores are log-probabilities before the logit processors see them, as in beam search.
    pub log_probs: bool,
    /// How many tokens of each row that end no sequence it looks at, the highest first, if it does not draw; 0: all of
    /// them. The scores of the others may be negative infinity: they need not come from the device.
    #[serde(default)]
    pub best: usize,
}

impl Default for DecoderTraits {
    fn default() -> Self {
        Self { rows_per_prompt: 1, sample: false, log_probs: false, best: 0 }
    }
}

impl DecoderTraits {
    /// The same, with this many rows for each prompt.
    #[must_use]
    pub fn rows_per_prompt(self, rows_per_prompt: usize) -> Self {
        Self { rows_per_prompt, ..self }
    }

    /// The same, drawing at random or not.
    #[must_use]
    pub fn sample(self, sample: bool) -> Self {
        Self { sample, ..self }
    }

    /// The same, with log-probabilities or scores as the model gives them.
    #[must_use]
    pub fn log_probs(self, log_probs: bool) -> Self {
        Self { log_probs, ..self }
    }

    /// The same, looking at this many of each row's tokens.
    #[must_use]
    pub fn best(self, best: usize) -> Self {
        Self { best, ..self }
    }
}

/// What is to be decoded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DecodeRequest {
    /// Token ids of each prompt.
    pub prompts: Vec<Vec<u32>>,
    /// Tokens that end a sequence; what else ends it, [`Scores::ends`] knows.
    pub eos: Vec<u32>,
    /// The engine stops asking after this many steps.
    pub max_new_tokens: usize,
    /// Seed of every random choice.
    pub seed: u64,
}

impl DecodeRequest {
    /// A request.
    pub fn new(prompts: Vec<Vec<u32>>, eos: Vec<u32>, max_new_tokens: usize, seed: u64) -> Self {
        Self { prompts, eos, max_new_tokens, seed }
    }
}

/// Next-token scores, one row after the other.
#[derive(Clone, Copy)]
pub struct Scores<'a> {
    /// `rows * vocab` numbers; excluded tokens are negative infinity.
    pub data: &'a [f32],
    /// Size of the vocabulary.
    pub vocab: usize,
    ends: Ends<'a>,
}

/// Answers [`Scores::ends`]: of a row and a token.
pub type Ends<'a> = &'a dyn Fn(u32, u32) -> Result<bool>;

impl<'a> Scores<'a> {
    /// Scores, and what answers [`Scores::ends`].
    pub fn new(data: &'a [f32], vocab: usize, ends: Ends<'a>) -> Self {
        Self { data, vocab, ends }
    }

    /// The scores of each row.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &'a [f32]> {
        self.data.chunks_exact(self.vocab)
    }

    /// Whether a row is finished with this token: it is an end token, or completes a stop string in the row's text.
    pub fn ends(&self, row: usize, token: u32) -> bool {
        let rows = self.data.len() / self.vocab.max(1);
        if row >= rows {
            raise(PluginError::new(format!("row {row} of {rows} cannot end")));
        }
        (self.ends)(row as u32, token).unwrap_or_else(|e| raise(e))
    }

    pub(crate) fn asked(&self) -> Ends<'a> {
        self.ends
    }
}

/// The rows that the engine computes next.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Step {
    /// The token that each next row appends. Empty: everything is decoded.
    pub tokens: Vec<u32>,
    /// The present row that each next row continues.
    pub parents: Vec<u32>,
}

/// Chooses tokens from scores. The engine owns the KV cache and reorders it by [`Step::parents`].
pub trait Decoder: Options {
    /// An error if the options contradict each other or are out of range: what types cannot express.
    fn validate(&self) -> Result<()> {
        Ok(())
    }

    /// What it wants from the engine.
    fn traits(&self) -> DecoderTraits {
        DecoderTraits::default()
    }

    /// Begins decoding.
    fn start(&self, request: DecodeRequest) -> Result<Box<dyn Decode>>;
}

/// A decoding under way.
pub trait Decode: Send {
    /// Takes the scores of the present rows and says which rows come next. A row that is finished, as
    /// [`Scores::ends`] tells, is left out.
    fn step(&mut self, scores: Scores) -> Result<Step>;

    /// The new tokens of each prompt, in the prompts' order, with the token that ended it.
    fn finish(&mut self) -> Result<Vec<Vec<u32>>>;
}
