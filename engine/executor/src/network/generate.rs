//! Generation: prompts into a cache, then token by token.

use super::Network;
use crate::{
    Cache,
    highest::{self, Wanted},
    layout::Layout,
    pass::{Mode, Setup},
};
use framework_core::Result;
use std::sync::{Arc, Mutex, PoisonError};

impl Network {
    /// Reads prompts of any lengths into a fresh cache and returns it with the logits `[rows, vocab]` that follow.
    pub fn prefill(self: &Arc<Self>, prompts: &[Vec<u32>], pad: u32) -> Result<(Arc<Mutex<Cache>>, Vec<f32>)> {
        self.prefill_for(prompts, pad, Wanted::default())
    }

    /// The same, for somebody who looks at the highest scores alone, here and after each [step](Self::step).
    pub fn prefill_for(
        self: &Arc<Self>,
        prompts: &[Vec<u32>],
        pad: u32,
        wanted: Wanted,
    ) -> Result<(Arc<Mutex<Cache>>, Vec<f32>)> {
        let (time, pad) = (prompts.iter().map(Vec::len).max().unwrap_or(0), self.padding(pad));
        let starts: Vec<usize> = prompts.iter().map(|p| time - p.len()).collect();
        let padded =
            prompts.iter().zip(&starts).flat_map(|(p, &n)| std::iter::repeat_n(pad, n).chain(p.iter().copied()));
        let ids: Vec<i32> = padded.map(|id| id as i32).collect();
        let mut cache = Cache::new(starts);
        cache.wanted = wanted;
        let cache = Arc::new(Mutex::new(cache));
        let logits = self.extend(&cache, ids, prompts.len())?;
        Ok((cache, logits))
    }

    /// Appends one token to each row of a cache and returns the logits `[rows, vocab]` that follow.
    pub fn step(self: &Arc<Self>, cache: &Arc<Mutex<Cache>>, tokens: &[u32]) -> Result<Vec<f32>> {
        self.extend(cache, tokens.iter().map(|&t| t as i32).collect(), tokens.len())
    }

    fn extend(self: &Arc<Self>, cache: &Arc<Mutex<Cache>>, ids: Vec<i32>, rows: usize) -> Result<Vec<f32>> {
        let time = ids.len() / rows.max(1);
        let last = |layout: &Layout| (1..=rows).map(|row| (row * layout.time - 1) as i32).collect();
        let hidden =
            self.hidden(ids, Setup { mode: Mode::Generate(cache.clone()), ..Setup::plain(rows, time) }, last)?;
        let wanted = {
            let mut cache = cache.lock().unwrap_or_else(PoisonError::into_inner);
            cache.length += hidden.time;
            cache.wanted
        };
        highest::scores(self.project(hidden)?, wanted)
    }
}
