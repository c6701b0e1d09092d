//! Generation: prompts in, tokens out, with any decoder.

mod model;
mod processors;

use framework_text::{Reader, Transcript};
pub use model::{Continuation, LanguageModel};
pub use processors::{Processor, pipeline, sampling_only};

use framework_base::{Error, Result};
use framework_core::{DecodeRequest, DecoderTraits, PluginError, Scores, ffi::DecoderObject};
use framework_executor::Wanted;
use framework_recipe::GenerateSettings;

/// Generates with one model and one decoder.
pub struct Generator<'a> {
    model: &'a dyn LanguageModel,
    decoder: &'a DecoderObject,
    traits: DecoderTraits,
    processors: Vec<Box<dyn Processor>>,
    settings: &'a GenerateSettings,
    /// What the model is asked for.
    wanted: Wanted,
    /// What stop strings are looked for with.
    reader: Option<Reader<'a>>,
    eos: Vec<u32>,
    pad: u32,
}

/// Why an answer has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Finish {
    /// An end token or a stop string.
    Stop,
    /// It has as many tokens as the settings allow.
    Length,
    /// Prompt and answer fill the model's positions.
    Context,
}

/// The rows of a batch under way.
struct Rows<'a> {
    /// Prompt and new tokens of each row.
    history: Vec<Vec<u32>>,
    /// The prompt that each row answers.
    prompt: Vec<usize>,
    /// The text of each row's new tokens; empty if nothing is looked for in it.
    text: Vec<Transcript<'a>>,
}

impl<'a> Generator<'a> {
    /// A generator; `eos` ends a sequence, `pad` fills shorter prompts of a batch and is never seen.
    pub fn new(
        model: &'a dyn LanguageModel,
        decoder: &'a DecoderObject,
        settings: &'a GenerateSettings,
        eos: &[u32],
        pad: u32,
    ) -> Result<Self> {
        let traits = decoder.traits()?;
        let processors = processors::pipeline_for(settings, traits, eos);
        let best = processors::looked_at(settings, traits, eos).filter(|_| model.is_far());
        let wanted = Wanted { best, log_probs: best.is_some() && traits.log_probs };
        Ok(Self { model, decoder, traits, processors, settings, wanted, reader: None, eos: eos.to_vec(), pad })
    }

    /// The same, ending sequences at the reader's stop strings, too. One that is a special token, which is not part of
    /// the text, becomes an end token.
    pub fn stopping(mut self, reader: Reader<'a>) -> Result<Self> {
        for token in reader.special_stops()? {
            if !self.eos.contains(&token) {
                self.eos.push(token);
            }
        }
        self.processors = processors::pipeline_for(self.settings, self.traits, &self.eos);
        if self.wanted.best.is_some() {
            self.wanted.best = processors::looked_at(self.settings, self.traits, &self.eos);
        }
        // Any number of tokens may complete a stop string, and beams go on with those that do not.
        if self.traits.rows_per_prompt > 1 && reader.stops() {
            self.wanted = Wanted::default();
        }
        self.reader = Some(reader);
        Ok(self)
    }

    /// The new tokens of each prompt, with the one that ended it.
    ///
    /// `stream` is called with the prompt's number and each token as soon as it is certain that it is part of the
    /// answer and does not end it: at once with one row per prompt, never with beams.
    pub fn generate(
        &self,
        prompts: &[Vec<u32>],
        seed: u64,
        stream: &mut dyn FnMut(usize, u32),
    ) -> Result<Vec<Vec<u32>>> {
        self.check(prompts)?;
        let most = self.limit();
        let room = prompts.iter().map(|prompt| most - prompt.len()).max().unwrap_or(0);
        let budget = self.settings.max_new_tokens.min(room);
        let request = DecodeRequest::new(prompts.to_vec(), self.eos.clone(), budget, seed);
        let mut session = self.decoder.start(&request)?;
        if budget == 0 || prompts.is_empty() {
            return Ok(session.finish()?);
        }
        let (mut continuation, logits) = self.model.begin(prompts, self.pad, self.wanted)?;
        let (vocab, beams) = (self.model.vocab(), self.traits.rows_per_prompt);
        // The model has a row for each prompt, the decoder sees as many as it wants.
        let mut origin: Vec<u32> = (0..prompts.len() as u32).flat_map(|p| std::iter::repeat_n(p, beams)).collect();
        let mut rows = Rows::new(prompts, &origin, self.reader.filter(Reader::stops));
        let mut scores: Vec<f32> =
            origin.iter().flat_map(|&p| &logits[p as usize * vocab..][..vocab]).copied().collect();
        for left in (0..budget).rev() {
            self.score(&mut scores, &rows, prompts);
            let step = session.step(Scores::new(&scores, vocab, &|row, token| self.ends(&rows, most, row, token)))?;
            rows.advance(&step.tokens, &step.parents)?;
            if beams == 1 {
                rows.prompt.iter().zip(&step.tokens).for_each(|(&prompt, &token)| stream(prompt, token));
            }
            if step.tokens.is_empty() || left == 0 {
                break;
            }
            let parents: Vec<u32> = step.parents.iter().map(|&parent| origin[parent as usize]).collect();
            scores = continuation.step(&parents, &step.tokens)?;
            origin = (0..parents.len() as u32).collect();
        }
        let answers = session.finish()?;
        match &self.reader {
            Some(reader) => answers.into_iter().map(|new| reader.until_stop(new)).collect(),
            None => Ok(answers),
        }
    }

    /// Most tokens of a sequence.
    fn limit(&self) -> usize {
        let set = if self.settings.max_length == 0 { usize::MAX } else { self.settings.max_length };
        self.model.positions().unwrap_or(usize::MAX).min(set)
    }

    /// Why an answer has ended.
    pub fn finish(&self, prompt: usize, answer: &[u32]) -> Result<Finish> {
        let stopped = match &self.reader {
            Some(reader) => reader.stopped(answer)?,
            None => false,
        };
        Ok(match answer.last() {
            Some(last) if stopped || self.eos.contains(last) => Finish::Stop,
            _ if self.model.positions().is_some_and(|most| prompt + answer.len() >= most) => Finish::Context,
            _ => Finish::Length,
        })
    }

    /// Whether there is room for an answer to a prompt.
    pub fn has_room(&self, prompt: &[u32]) -> bool {
        prompt.len() < self.limit()
    }

    /// Whether the model can go on from the prompts.
    pub fn check(&self, prompts: &[Vec<u32>]) -> Result<()> {
        let (vocab, most) = (self.model.vocab(), self.model.positions().unwrap_or(usize::MAX));
        for (i, prompt) in prompts.iter().enumerate() {
            let name = if prompts.len() == 1 { "the prompt".to_owned() } else { format!("prompt {}", i + 1) };
            if prompt.is_empty() {
                return Err(Error::failed(format!(
                    "{name} is empty: there is nothing to continue; give at least one token"
                )));
            }
            if let Some(id) = prompt.iter().find(|&&id| id as usize >= vocab) {
                return Err(Error::failed(format!(
                    "token id {id} of {name} is outside of the model's vocabulary of {vocab}; \
                     the tokenizer does not belong to this model"
                )));
            }
            if prompt.len() >= most {
                return Err(Error::failed(format!(
                    "{name} has {} tokens, but the model has only {most} positions; shorten it",
                    prompt.len()
                )));
            }
        }
        if let Some(prompt) = prompts.iter().find(|prompt| prompt.len() >= self.limit()) {
            let (length, most) = (prompt.len(), self.limit());
            return Err(Error::failed(format!(
                "a prompt has {length} tokens, but `max_length` leaves prompt and answer together only {most}; raise it"
            )));
        }
        if self.reader.is_none() && !self.settings.stop.is_empty() {
            return Err(Error::failed("`stop` needs the tokenizer's text: give the generator a reader"));
        }
        Ok(())
    }

    /// Whether a token finishes a row: an end token, the last one that there is a position for, or one that completes
    /// a stop string.
    fn ends(&self, rows: &Rows, most: usize, row: u32, token: u32) -> framework_core::Result<bool> {
        if self.eos.contains(&token) || rows.history[row as usize].len() + 1 >= most {
            return Ok(true);
        }
        let Some(text) = rows.text.get(row as usize) else { return Ok(false) };
        let mut text = text.clone();
        text.push(token).map_err(|e| PluginError::new(e.to_string()))?;
        Ok(text.stopped())
    }

    fn score(&self, scores: &mut [f32], rows: &Rows, prompts: &[Vec<u32>]) {
        for (i, row) in scores.chunks_exact_mut(self.model.vocab()).enumerate() {
            if self.traits.log_probs && !self.wanted.log_probs {
                log_softmax(row);
            }
            for processor in &self.processors {
                processor.apply(&rows.history[i], prompts[rows.prompt[i]].len(), row);
            }
        }
    }
}

impl<'a> Rows<'a> {
    /// Rows that continue the prompts `origin`.
    fn new(prompts: &[Vec<u32>], origin: &[u32], reader: Option<Reader<'a>>) -> Self {
        Self {
            history: origin.iter().map(|&p| prompts[p as usize].clone()).collect(),
            prompt: origin.iter().map(|&p| p as usize).collect(),
            text: reader.map_or(Vec::new(), |reader| origin.iter().map(|_| reader.transcript()).collect()),
        }
    }

    fn advance(&mut self, tokens: &[u32], parents: &[u32]) -> Result<()> {
        if tokens.len() != parents.len() || parents.iter().any(|&p| p as usize >= self.history.len()) {
            return Err(Error::failed("the decoder returned rows that continue nothing"));
        }
        let continued = |&p: &u32| self.history[p as usize].clone();
        let mut history: Vec<_> = parents.iter().map(continued).collect();
        history.iter_mut().zip(tokens).for_each(|(row, &token)| row.push(token));
        self.prompt = parents.iter().map(|&p| self.prompt[p as usize]).collect();
        self.history = history;
        if !self.text.is_empty() {
            self.text = parents.iter().map(|&p| self.text[p as usize].clone()).collect();
            for (text, &token) in self.text.iter_mut().zip(tokens) {
                text.push(token)?;
            }
        }
        Ok(())
    }
}

/// In place, in the order in which torch computes it.
fn log_softmax(row: &mut [f32]) {
    let most = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let total: f64 = row.iter().map(|x| f64::from((x - most).exp())).sum();
    let total = (total as f32).ln();
    row.iter_mut().for_each(|x| *x = *x - most - total);
}
