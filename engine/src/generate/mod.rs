//! Generation: prompts in, tokens out, with any decoder.

mod processors;

pub use processors::{Processor, pipeline};

use crate::{
    error::{Error, Result},
    executor::Network,
    recipe::GenerateSettings,
};
use framework_core::{DecodeRequest, DecoderTraits, Scores, ffi::DecoderObject};
use std::sync::{Arc, PoisonError};

/// Generates with one network and one decoder.
pub struct Generator<'a> {
    network: &'a Arc<Network>,
    decoder: &'a DecoderObject,
    traits: DecoderTraits,
    processors: Vec<Box<dyn Processor>>,
    settings: &'a GenerateSettings,
    eos: Vec<u32>,
    pad: u32,
}

/// The rows of a batch under way.
struct Rows {
    /// Prompt and new tokens of each row.
    history: Vec<Vec<u32>>,
    /// The prompt that each row answers.
    prompt: Vec<usize>,
}

impl<'a> Generator<'a> {
    /// A generator; `eos` ends a sequence, `pad` fills shorter prompts of a batch and is never seen.
    pub fn new(
        network: &'a Arc<Network>,
        decoder: &'a DecoderObject,
        settings: &'a GenerateSettings,
        eos: &[u32],
        pad: u32,
    ) -> Result<Self> {
        let traits = decoder.traits()?;
        let processors = pipeline(settings, traits.sample, eos);
        Ok(Self { network, decoder, traits, processors, settings, eos: eos.to_vec(), pad })
    }

    /// The new tokens of each prompt, with the end token if one was chosen.
    ///
    /// `stream` is called with the prompt's number and each token as soon as it is certain: at once with one row per
    /// prompt, never with beams.
    pub fn generate(
        &self,
        prompts: &[Vec<u32>],
        seed: u64,
        stream: &mut dyn FnMut(usize, u32),
    ) -> Result<Vec<Vec<u32>>> {
        let budget = self.budget(prompts)?;
        let request = DecodeRequest { prompts: prompts.to_vec(), eos: self.eos.clone(), max_new_tokens: budget, seed };
        let mut session = self.decoder.start(&request)?;
        if budget == 0 {
            return Ok(session.finish()?);
        }
        let vocab = self.network.spec().vocab_size;
        let (cache, logits) = self.network.prefill(prompts, self.pad)?;
        let beams = self.traits.rows_per_prompt;
        let parents: Vec<u32> = (0..prompts.len()).flat_map(|p| std::iter::repeat_n(p as u32, beams)).collect();
        cache.lock().unwrap_or_else(PoisonError::into_inner).reorder(&parents)?;
        let mut scores: Vec<f32> =
            parents.iter().flat_map(|&p| &logits[p as usize * vocab..][..vocab]).copied().collect();
        let mut rows = Rows {
            history: parents.iter().map(|&p| prompts[p as usize].clone()).collect(),
            prompt: parents.iter().map(|&p| p as usize).collect(),
        };
        for left in (0..budget).rev() {
            self.score(&mut scores, &rows, prompts);
            let step = session.step(Scores { data: &scores, vocab })?;
            rows.advance(&step.tokens, &step.parents)?;
            if beams == 1 {
                rows.prompt.iter().zip(&step.tokens).for_each(|(&prompt, &token)| stream(prompt, token));
            }
            if step.tokens.is_empty() || left == 0 {
                break;
            }
            cache.lock().unwrap_or_else(PoisonError::into_inner).reorder(&step.parents)?;
            scores = self.network.step(&cache, &step.tokens)?;
        }
        Ok(session.finish()?)
    }

    /// How many tokens may follow, within the positions that the model has.
    fn budget(&self, prompts: &[Vec<u32>]) -> Result<usize> {
        let longest = prompts.iter().map(Vec::len).max().unwrap_or(0);
        if prompts.iter().any(Vec::is_empty) {
            return Err(Error::failed("a prompt is empty: there is nothing to continue; give at least one token"));
        }
        let vocab = self.network.spec().vocab_size;
        if let Some(id) = prompts.iter().flatten().find(|&&id| id as usize >= vocab) {
            return Err(Error::failed(format!(
                "token id {id} of the prompt is outside of the model's vocabulary of {vocab}; \
                 the tokenizer does not belong to this model"
            )));
        }
        let most = self.network.spec().max_positions.unwrap_or(usize::MAX);
        if longest >= most {
            return Err(Error::failed(format!(
                "the prompt has {longest} tokens, but the model has only {most} positions; shorten it"
            )));
        }
        Ok(self.settings.max_new_tokens.min(most - longest))
    }

    fn score(&self, scores: &mut [f32], rows: &Rows, prompts: &[Vec<u32>]) {
        let vocab = self.network.spec().vocab_size;
        for (i, row) in scores.chunks_exact_mut(vocab).enumerate() {
            if self.traits.log_probs {
                log_softmax(row);
            }
            for processor in &self.processors {
                processor.apply(&rows.history[i], prompts[rows.prompt[i]].len(), row);
            }
        }
    }
}

impl Rows {
    fn advance(&mut self, tokens: &[u32], parents: &[u32]) -> Result<()> {
        if tokens.len() != parents.len() || parents.iter().any(|&p| p as usize >= self.history.len()) {
            return Err(Error::failed("the decoder returned rows that continue nothing"));
        }
        let continued = |&p: &u32| self.history[p as usize].clone();
        let mut history: Vec<_> = parents.iter().map(continued).collect();
        history.iter_mut().zip(tokens).for_each(|(row, &token)| row.push(token));
        self.prompt = parents.iter().map(|&p| self.prompt[p as usize]).collect();
        self.history = history;
        Ok(())
    }
}

fn log_softmax(row: &mut [f32]) {
    let most = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let total: f32 = row.iter().map(|x| (x - most).exp()).sum();
    let shift = most + total.ln();
    row.iter_mut().for_each(|x| *x -= shift);
}
