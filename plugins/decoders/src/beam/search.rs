//! The search for one prompt's answer, as transformers has it since 4.50: scores in f32, ties to the lower index.

use super::{Beam, EarlyStopping, Never};
use crate::chains::{check, nothing_left, uniform};
use framework_sdk::{DecodeRequest, Result, Scores, Step};
use rand_chacha::ChaCha12Rng;

/// Sequences under way and sequences that have ended.
pub struct Search {
    num_beams: usize,
    length_penalty: f64,
    early_stopping: EarlyStopping,
    /// How many continuations compete: enough to go on with when as many as possible have ended.
    candidates: usize,
    /// The length at which every sequence ends.
    longest: usize,
    /// The rows of the batch that are this prompt's: more than `running` in the first step, in which they are equal.
    rows: usize,
    /// The best first.
    running: Vec<Sequence>,
    /// The best first, at most `num_beams` of them.
    ended: Vec<Sequence>,
    random: Option<ChaCha12Rng>,
}

/// New tokens and their score: the sum of their log-probabilities, and when they have ended, divided.
pub struct Sequence {
    pub tokens: Vec<u32>,
    pub score: f32,
}

/// A sequence under way and what might follow it.
struct Candidate {
    parent: usize,
    token: u32,
    score: f32,
}

impl Search {
    pub fn new(beam: &Beam, request: &DecodeRequest, random: Option<ChaCha12Rng>) -> Self {
        Self {
            num_beams: beam.num_beams,
            length_penalty: beam.length_penalty,
            early_stopping: beam.early_stopping.clone(),
            candidates: beam.num_beams * (1 + request.eos.len()).max(2),
            longest: request.max_new_tokens,
            rows: beam.num_beams,
            running: vec![Sequence { tokens: Vec::new(), score: 0.0 }],
            ended: Vec::new(),
            random,
        }
    }

    /// The rows of the batch that belong to the prompt; none when it is done.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The best answer so far.
    pub fn best(&mut self) -> Vec<u32> {
        let best = self.ended.first_mut().or(self.running.first_mut());
        best.map(|sequence| std::mem::take(&mut sequence.tokens)).unwrap_or_default()
    }

    /// Goes one token further. The prompt's rows begin with row `first`.
    pub fn step(&mut self, scores: Scores, first: usize, step: &mut Step) -> Result<()> {
        let candidates = self.compete(scores, first)?;
        if candidates.is_empty() {
            return Err(nothing_left());
        }
        let length = self.running[0].tokens.len() + 1;
        let (mut next, mut ended) = (Vec::new(), Vec::new());
        for (rank, candidate) in candidates.into_iter().enumerate() {
            if length < self.longest && !scores.ends(first + candidate.parent, candidate.token) {
                next.push(candidate);
            } else if rank < self.num_beams {
                // Those behind are there only to go on with.
                ended.push(candidate);
            }
        }
        for candidate in ended {
            self.end(candidate, length);
        }
        next.sort_by(|a, b| b.score.total_cmp(&a.score));
        next.truncate(self.num_beams);
        if next.first().is_none_or(|best| self.done(best.score, length)) {
            next.clear();
        }
        step.tokens.extend(next.iter().map(|c| c.token));
        step.parents.extend(next.iter().map(|c| (first + c.parent) as u32));
        self.running = next.iter().map(|c| Sequence { tokens: self.extended(c), score: c.score }).collect();
        self.rows = self.running.len();
        Ok(())
    }

    /// The continuations that compete, the best or those that were drawn, in this order.
    fn compete(&mut self, scores: Scores, first: usize) -> Result<Vec<Candidate>> {
        // By what they are chosen, and they themselves; the best first.
        let mut chosen: Vec<(f64, Candidate)> = Vec::with_capacity(self.candidates + 1);
        for (parent, (sequence, row)) in self.running.iter().zip(scores.rows().skip(first)).enumerate() {
            for (token, &log_prob) in row.iter().enumerate() {
                check(token, log_prob)?;
                let score = log_prob + sequence.score;
                if score == f32::NEG_INFINITY {
                    continue;
                }
                let key = f64::from(score) + self.random.as_mut().map_or(0.0, gumbel);
                if chosen.len() == self.candidates && chosen.last().is_some_and(|last| key <= last.0) {
                    continue;
                }
                let at = chosen.partition_point(|other| other.0 >= key);
                chosen.insert(at, (key, Candidate { parent, token: token as u32, score }));
                chosen.truncate(self.candidates);
            }
        }
        Ok(chosen.into_iter().map(|(_, candidate)| candidate).collect())
    }

    /// Takes a sequence that has ended, if it is better than the worst or there is room.
    fn end(&mut self, candidate: Candidate, length: usize) {
        let score = candidate.score / self.power(length);
        let at = self.ended.partition_point(|other| other.score >= score);
        if at < self.num_beams {
            self.ended.insert(at, Sequence { tokens: self.extended(&candidate), score });
            self.ended.truncate(self.num_beams);
        }
    }

    /// Whether enough sequences have ended, given the score of the best one under way and its length.
    fn done(&self, best: f32, length: usize) -> bool {
        let Some(worst) = self.ended.get(self.num_beams - 1) else { return false };
        let length = match self.early_stopping {
            EarlyStopping::At(true) => return true,
            EarlyStopping::Word(Never::Never) if self.length_penalty > 0.0 => self.longest,
            _ => length,
        };
        best / self.power(length) <= worst.score
    }

    fn power(&self, length: usize) -> f32 {
        (length as f64).powf(self.length_penalty) as f32
    }

    fn extended(&self, candidate: &Candidate) -> Vec<u32> {
        let tokens = &self.running[candidate.parent].tokens;
        tokens.iter().copied().chain([candidate.token]).collect()
    }

    /// What has ended, the best first.
    #[cfg(test)]
    pub fn ended(&self) -> &[Sequence] {
        &self.ended
    }
}

/// Noise of the standard Gumbel distribution: the greatest sums of log-weights and noise are a draw without
/// replacement (Kool et al., 2019, arXiv:1903.06059).
fn gumbel(random: &mut ChaCha12Rng) -> f64 {
    // From the open interval: the logarithms are finite.
    let point = uniform(random) + f64::EPSILON / 4.0;
    -(-point.ln()).ln()
}
