//! What decoders with one row per prompt have in common.

use framework_sdk::{DecodeRequest, PluginError, Result, Scores, Step};

/// One growing sequence per prompt.
pub struct Chains {
    /// The prompt that each present row belongs to.
    rows: Vec<usize>,
    /// The tokens chosen for each prompt.
    chosen: Vec<Vec<u32>>,
    eos: Vec<u32>,
}

impl Chains {
    /// Nothing chosen yet.
    pub fn new(request: &DecodeRequest) -> Self {
        let prompts = request.prompts.len();
        Self { rows: (0..prompts).collect(), chosen: vec![Vec::new(); prompts], eos: request.eos.clone() }
    }

    /// Appends to each sequence what `choose` takes from the scores of its prompt. Those that end leave the batch.
    pub fn step(&mut self, scores: Scores, mut choose: impl FnMut(usize, &[f32]) -> Result<u32>) -> Result<Step> {
        let (found, expected) = (scores.rows().len(), self.rows.len());
        if found != expected {
            return Err(PluginError::new(format!("{found} rows of scores for {expected} sequences")));
        }
        let (mut step, mut rows) = (Step::default(), Vec::new());
        for (row, scores) in scores.rows().enumerate() {
            let prompt = self.rows[row];
            let token = choose(prompt, scores)
                .map_err(|e| PluginError::new(format!("prompt {}: {}", prompt + 1, e.message)))?;
            self.chosen[prompt].push(token);
            if !self.eos.contains(&token) {
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
        if score.is_nan() || score == f32::INFINITY {
            let hint = "the model's weights or its precision are at fault";
            return Err(PluginError::new(format!("the score of token {id} is {score}: {hint}")));
        }
        if score > best {
            (token, best) = (id as u32, score);
        }
    }
    match best == f32::NEG_INFINITY {
        true => Err(PluginError::new("no token is left to choose: the logit processors have excluded them all")),
        false => Ok((token, best)),
    }
}
