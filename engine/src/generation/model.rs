//! What gives next-token scores.

use framework_base::Result;
use framework_executor::{Cache, Network, Wanted};
use std::sync::{Arc, Mutex, PoisonError};

/// A model that scores next tokens: a network.
pub trait LanguageModel {
    /// Size of the vocabulary.
    fn vocab(&self) -> usize;

    /// Most tokens of a sequence, if there is a limit.
    fn positions(&self) -> Option<usize>;

    /// Whether all of its scores are far away, so that it is worth asking for the highest alone.
    fn is_far(&self) -> bool {
        false
    }

    /// Reads prompts; gives what is wanted of the logits `[prompts, vocab]` that follow, and what goes on from there.
    /// Shorter prompts are filled up with `pad`, which takes no part.
    fn begin(&self, prompts: &[Vec<u32>], pad: u32, wanted: Wanted) -> Result<(Box<dyn Continuation + '_>, Vec<f32>)>;
}

/// Rows under way.
pub trait Continuation {
    /// Makes row `parents[i]`, with `tokens[i]` after it, the new row `i`; gives what was wanted of the logits
    /// `[rows, vocab]` that follow.
    fn step(&mut self, parents: &[u32], tokens: &[u32]) -> Result<Vec<f32>>;
}

impl LanguageModel for Arc<Network> {
    fn vocab(&self) -> usize {
        self.spec().vocab_size
    }

    fn positions(&self) -> Option<usize> {
        self.spec().max_positions.map(|most| most.saturating_sub(self.virtual_tokens().count()))
    }

    fn is_far(&self) -> bool {
        !self.device().is_processor() && caches(self)
    }

    fn begin(&self, prompts: &[Vec<u32>], pad: u32, wanted: Wanted) -> Result<(Box<dyn Continuation + '_>, Vec<f32>)> {
        if !caches(self) {
            let whole = Whole { network: self, rows: prompts.to_vec() };
            let logits = whole.logits()?;
            return Ok((Box::new(whole), logits));
        }
        let (cache, logits) = self.prefill_for(prompts, pad, wanted)?;
        let rows = self.spec().cache_until.map(|until| {
            let until = until.saturating_sub(self.virtual_tokens().count());
            Rows { until, pad, tokens: prompts.to_vec() }
        });
        Ok((Box::new(Cached { network: self, cache, rows, wanted }), logits))
    }
}

/// Whether model and adapter can go on from keys, values and states.
fn caches(network: &Network) -> bool {
    network.spec().is_cacheable() && !network.plan().needs.uncached
}

/// A network without a cache: each row is computed again for each token, by itself, so that no padding comes between.
struct Whole<'a> {
    network: &'a Arc<Network>,
    rows: Vec<Vec<u32>>,
}

impl Whole<'_> {
    fn logits(&self) -> Result<Vec<f32>> {
        let vocab = self.network.spec().vocab_size;
        let last = |row: &Vec<u32>| {
            let logits = self.network.logits(row.iter().map(|&id| id as i32).collect(), 1)?;
            Ok(logits[logits.len() - vocab..].to_vec())
        };
        Ok(self.rows.iter().map(last).collect::<Result<Vec<_>>>()?.concat())
    }
}

impl Continuation for Whole<'_> {
    fn step(&mut self, parents: &[u32], tokens: &[u32]) -> Result<Vec<f32>> {
        self.rows = continued(&self.rows, parents, tokens);
        self.logits()
    }
}

/// The rows `parents`, each with a token more.
fn continued(rows: &[Vec<u32>], parents: &[u32], tokens: &[u32]) -> Vec<Vec<u32>> {
    let longer = |(&parent, &token): (&u32, &u32)| {
        let mut row = rows[parent as usize].clone();
        row.push(token);
        row
    };
    parents.iter().zip(tokens).map(longer).collect()
}

/// A network and its keys and values so far.
struct Cached<'a> {
    network: &'a Arc<Network>,
    cache: Arc<Mutex<Cache>>,
    /// Kept if keys and values do not stay what they are.
    rows: Option<Rows>,
    wanted: Wanted,
}

/// All tokens so far, for when they have to be read again.
struct Rows {
    /// The length up to which keys and values stay.
    until: usize,
    pad: u32,
    tokens: Vec<Vec<u32>>,
}

impl Continuation for Cached<'_> {
    fn step(&mut self, parents: &[u32], tokens: &[u32]) -> Result<Vec<f32>> {
        if let Some(rows) = &mut self.rows
            && rows.crossed(parents, tokens)
        {
            let (cache, logits) = self.network.prefill_for(&rows.tokens, rows.pad, self.wanted)?;
            self.cache = cache;
            return Ok(logits);
        }
        self.cache.lock().unwrap_or_else(PoisonError::into_inner).reorder(parents)?;
        Ok(self.network.step(&self.cache, tokens)?)
    }
}

impl Rows {
    /// Appends the tokens; whether that has brought the longest row from one side of the limit to the other.
    fn crossed(&mut self, parents: &[u32], tokens: &[u32]) -> bool {
        let before = self.beyond();
        self.tokens = continued(&self.tokens, parents, tokens);
        before != self.beyond()
    }

    fn beyond(&self) -> bool {
        self.tokens.iter().any(|row| row.len() > self.until)
    }
}
