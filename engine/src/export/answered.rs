//! What a model makes of fixed prompts: logits, and an answer with its end.

use super::given::Given;
use crate::{
    generation::{Finish, LanguageModel},
    pipeline::encoder,
};
use framework_base::Result;
use framework_core::Record;
use framework_executor::{Network, Wanted};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What is asked; a recipe's template writes it. The last text is continued as it is.
pub(super) const PROMPTS: [&str; 3] = ["What is the capital of France?", "写一首关于春天的诗。", "Three plus four is"];
/// Tokens of the answer at most.
const ANSWER: usize = 24;
/// Tokens of a prompt at most.
const PROMPT: usize = 96;

/// The ids that a model is asked.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    /// The prompts, without what goes beyond the model's positions.
    pub prompts: Vec<Vec<u32>>,
    /// Tokens of an answer at most.
    pub room: usize,
}

/// What a model says to it.
#[derive(Debug, Clone)]
pub(super) struct Said {
    pub asked: Asked,
    /// The logits after each token of each prompt.
    pub logits: Vec<Vec<f32>>,
    /// The greedy answer to the first prompt.
    pub answer: Vec<u32>,
    /// By how much the likeliest token was ahead of the second, for each token of the answer.
    pub margins: Vec<f32>,
    /// Why the answer ends.
    pub finish: Finish,
}

/// How far logits are from others.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// The largest difference of two logits.
    pub largest: f64,
    /// The median of the largest differences after each token.
    pub typical: f64,
    /// The mean one.
    pub mean: f64,
    /// The standard deviation of the logits after a token, to which differences compare.
    pub spread: f64,
}

impl Asked {
    /// The prompts for a model; with an answer they have so many tokens at most.
    pub fn of(given: &Given, within: usize) -> Result<Self> {
        let positions = given.network.positions().unwrap_or(usize::MAX).min(within);
        let room = ANSWER.min(positions.saturating_sub(1) / 2);
        let most = PROMPT.min(positions.saturating_sub(room));
        let mut prompts = Vec::new();
        for (i, text) in PROMPTS.iter().enumerate() {
            let mut ids = given.ids(text, i + 1 == PROMPTS.len())?;
            ids.truncate(most);
            if !ids.is_empty() {
                prompts.push(ids);
            }
        }
        Ok(Self { prompts, room })
    }
}

impl Given {
    /// The ids that a prompt is answered from, or a text continued.
    pub fn ids(&self, prompt: &str, raw: bool) -> Result<Vec<u32>> {
        let raw_ids = || self.tokenizer.encode_open(prompt, true);
        if raw {
            return raw_ids();
        }
        let field = if self.on_text { "text" } else { "instruction" };
        let record = Record::from_iter([(field.to_owned(), prompt.into())]);
        // A template may want fields that only the recipe's records have.
        encoder(&self.session, &self.tokenizer, &self.template).prompt(&record).or_else(|_| raw_ids())
    }
}

impl Said {
    pub fn of(network: &Arc<Network>, asked: Asked, stops: &[u32]) -> Result<Self> {
        let ids = |prompt: &Vec<u32>| prompt.iter().map(|id| *id as i32).collect();
        let logits =
            asked.prompts.iter().map(|prompt| network.logits(ids(prompt), 1)).collect::<framework_core::Result<_>>()?;
        let mut said = Self { logits, answer: Vec::new(), margins: Vec::new(), finish: Finish::Length, asked };
        let Some(first) = said.asked.prompts.first() else { return Ok(said) };
        let (mut rows, mut scores) = network.begin(std::slice::from_ref(first), 0, Wanted::default())?;
        while said.answer.len() < said.asked.room {
            let (token, margin) = likeliest(&scores);
            said.answer.push(token);
            said.margins.push(margin);
            if stops.contains(&token) {
                said.finish = Finish::Stop;
                break;
            }
            if said.answer.len() < said.asked.room {
                scores = rows.step(&[0], &[token])?;
            }
        }
        Ok(said)
    }
}

/// The likeliest token, and by how much it is ahead.
fn likeliest(scores: &[f32]) -> (u32, f32) {
    let (mut best, mut second) = ((0, f32::NEG_INFINITY), f32::NEG_INFINITY);
    for (i, score) in scores.iter().enumerate() {
        if *score > best.1 {
            second = best.1;
            best = (i as u32, *score);
        } else if *score > second {
            second = *score;
        }
    }
    (best.0, best.1 - second)
}

/// How far the logits of two models are from each other; infinitely if one has some that are no numbers.
pub(super) fn difference(a: &Said, b: &Said) -> Difference {
    let (mut each, mut sum, mut count, mut squares, mut total) = (Vec::new(), 0f64, 0usize, 0f64, 0f64);
    for (prompt, (a, b)) in a.asked.prompts.iter().zip(a.logits.iter().zip(&b.logits)) {
        let vocab = (a.len() / prompt.len()).max(1);
        for (a, b) in a.chunks(vocab).zip(b.chunks(vocab)) {
            let mut most = if a.len() == b.len() { 0f64 } else { f64::INFINITY };
            for (x, y) in a.iter().zip(b) {
                let off = f64::from((x - y).abs());
                most = if off.is_nan() { f64::INFINITY } else { most.max(off) };
                sum += off;
                squares += f64::from(*x) * f64::from(*x);
                total += f64::from(*x);
            }
            count += a.len();
            each.push(most);
        }
        if a.len() != b.len() {
            each.push(f64::INFINITY);
        }
    }
    each.sort_by(f64::total_cmp);
    let n = count.max(1) as f64;
    let spread = (squares / n - (total / n).powi(2)).max(0.0).sqrt();
    let typical = each.get(each.len() / 2).copied().unwrap_or_default();
    Difference { largest: each.last().copied().unwrap_or_default(), typical, mean: sum / n, spread }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(logits: &[f32]) -> Said {
        let asked = Asked { prompts: vec![vec![1, 2, 3]], room: 0 };
        let (answer, margins) = (Vec::new(), Vec::new());
        Said { asked, logits: vec![logits.to_vec()], answer, margins, finish: Finish::Length }
    }

    #[test]
    fn differences_are_of_the_largest_and_of_most_tokens() {
        let a = said(&[1.0, 3.0, 1.0, 3.0, 1.0, 3.0]);
        let found = difference(&a, &said(&[1.0, 3.0, 1.5, 3.0, 1.0, 7.0]));
        assert_eq!(found, Difference { largest: 4.0, typical: 0.5, mean: 0.75, spread: 1.0 });
        assert_eq!(difference(&a, &said(&[1.0, f32::NAN, 1.0, 3.0, 1.0, 3.0])).largest, f64::INFINITY);
        assert_eq!(difference(&a, &said(&[1.0, 3.0])).largest, f64::INFINITY, "too few");
        assert_eq!(likeliest(&[0.5, 2.0, -1.0, 1.5]), (1, 0.5));
    }
}
