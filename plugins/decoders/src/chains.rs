//! What decoders have in common: a row per prompt, checks of scores, random numbers.

use framework_sdk::{DecodeRequest, PluginError, Result, Scores, Step};
use rand_chacha::{
    ChaCha12Rng,
    rand_core::{Rng, SeedableRng},
};

/// One growing sequence per prompt.
pub struct Chains {
    /// The prompt that each present row belongs to.
    rows: Vec<usize>,
    /// The tokens chosen for each prompt.
    chosen: Vec<Vec<u32>>,
}

impl Chains {
    /// Nothing chosen yet.
    pub fn new(request: &DecodeRequest) -> Self {
        let prompts = request.prompts.len();
        Self { rows: (0..prompts).collect(), chosen: vec![Vec::new(); prompts] }
    }

    /// Appends to each sequence what `choose` takes from the scores of its prompt. Those that end leave the batch.
    pub fn step(&mut self, scores: Scores, mut choose: impl FnMut(usize, &[f32]) -> Result<u32>) -> Result<Step> {
        let (found, expected) = (scores.rows().len(), self.rows.len());
        if found != expected {
            return Err(PluginError::new(format!("{found} rows of scores for {expected} sequences")));
        }
        let (mut step, mut rows) = (Step::default(), Vec::new());
        for (row, present) in scores.rows().enumerate() {
            let prompt = self.rows[row];
            let token = choose(prompt, present)
                .map_err(|e| PluginError::new(format!("prompt {}: {}", prompt + 1, e.message)))?;
            self.chosen[prompt].push(token);
            if !scores.ends(row, token) {
                rows.push(prompt);
                step.tokens.push(token);
                step.parents.push(row as u32);
            }
        }
        self.rows = rows;
        Ok(step)
    }

    /// The tokens chosen for each prompt.
    pub fn finish(&mut self) -> Vec<Vec<u32>> {
        std::mem::take(&mut self.chosen)
    }
}

/// The lowest token with the highest score, and that score.
pub fn highest(scores: &[f32]) -> Result<(u32, f32)> {
    let (mut token, mut best) = (0, f32::NEG_INFINITY);
    for (id, &score) in scores.iter().enumerate() {
        check(id, score)?;
        if score > best {
            (token, best) = (id as u32, score);
        }
    }
    match best == f32::NEG_INFINITY {
        true => Err(nothing_left()),
        false => Ok((token, best)),
    }
}

/// An error if a token's score is neither a number nor `-inf`.
pub fn check(token: usize, score: f32) -> Result<()> {
    if score.is_nan() || score == f32::INFINITY {
        let hint = "the model's weights or its precision are at fault";
        return Err(PluginError::new(format!("the score of token {token} is {score}: {hint}")));
    }
    Ok(())
}

/// The error for a row in which every score is `-inf`.
pub fn nothing_left() -> PluginError {
    PluginError::new("no token is left to choose: the logit processors have excluded them all")
}

/// The random numbers of each prompt: the same whatever other prompts there are.
pub fn random(request: &DecodeRequest) -> Vec<ChaCha12Rng> {
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&request.seed.to_le_bytes());
    let of = |prompt: usize| {
        let mut random = ChaCha12Rng::from_seed(seed);
        random.set_stream(prompt as u64);
        random
    };
    (0..request.prompts.len()).map(of).collect()
}

/// A number in `[0, 1)`, of 53 random bits, as many as it holds.
pub fn uniform(random: &mut ChaCha12Rng) -> f64 {
    (random.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
}
